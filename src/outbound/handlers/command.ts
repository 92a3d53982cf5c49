import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** What is started for a handler. */
export interface HandlerCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** What goes into _HANDLER. */
  readonly handler: string;
  /** It is one of our bootstraps: it takes an address with a path. */
  readonly isOurs: boolean;
}

const bootstraps = new URL("../../../handlers/", import.meta.url);

/** Where Linux distributions have it with their packages, boto3 among them; one that is first in PATH may be without. */
const systemPython = "/usr/bin/python3";

/**
 * `["node:./server.handler"]` and `["python:server.handler"]` are our bootstraps with the function of a file; all else is a program that speaks
 * Lambda's Runtime API itself. `name`: of the handler. Arguments behind a function go to the interpreter, before the bootstrap.
 */
export function commandOf(command: readonly string[], name: string): HandlerCommand {
  const [first = "", ...args] = command;
  const [, language, handler] = /^(node|python):(.+)$/s.exec(first) ?? [];
  if (language === undefined || handler === undefined) return { file: first, args, handler: name, isOurs: false };
  const ours = { handler, isOurs: true };
  if (language === "node") return { file: process.execPath, args: [...args, pathOf("node/bootstrap.mjs")], ...ours };
  const python = existsSync(systemPython) ? systemPython : "python3";
  return { file: python, args: ["-u", ...args, pathOf("python/bootstrap.py")], ...ours };
}

function pathOf(name: string): string {
  return fileURLToPath(new URL(name, bootstraps));
}
