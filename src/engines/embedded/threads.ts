import { Worker } from "node:worker_threads";

// Node strips the types of a .ts worker in development; after tsc the same file is a .js.
const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";

/** Starts the thread of a file of this folder. */
export function startThread(name: string, workerData: unknown): Worker {
  return new Worker(new URL(`./${name}${extension}`, import.meta.url), { workerData, name: `todoku ${name}` });
}
