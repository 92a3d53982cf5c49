import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { type DevProcess, type StartedProcess, startDevProcess, startProcess } from "./process.ts";

const example = (path: string) => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));

/** The demo users of examples/dev-idp. */
export const demoPassword = "todoku-demo";

/** The first article's application as `npm start` runs it: every part a process of its own that a test can kill and start again. */
export interface TaskNotifications {
  readonly pageUrl: string;
  readonly issuer: string;
  readonly todokuUrl: string;
  todoku: DevProcess;
  worker: StartedProcess;
  startTodoku(): Promise<void>;
  startWorker(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts all of it in `directory`; a task takes `taskMs`. The page must have been built. */
export async function startTaskNotifications(directory: string, taskMs: number): Promise<TaskNotifications> {
  const todokuArgs = (port: number) => ["--port", String(port), "--data-dir", join(directory, "todoku")];
  const todoku = await startDevProcess(todokuArgs(0));
  const todokuUrl = `http://127.0.0.1:${todoku.port}`;
  const idpArgs = ["--port", "0", "--data-dir", join(directory, "idp")];
  const idp = await startProcess(example("dev-idp/main.ts"), idpArgs, {}, /listens on (\S+)\n/);
  const common = { TODOKU_URL: todokuUrl, STATE_DIR: join(directory, "state") };
  const setUp = await startProcess(example("task-notifications/setup.ts"), [], common, /worker\.key: (\w+)\n/);
  await setUp.ended;
  const apiEnvironment = { ...common, PORT: "0", OIDC_ISSUER: idp.found, OIDC_CLIENT_ID: "task-notifications" };
  const api = await startProcess(example("task-notifications/api/main.ts"), [], apiEnvironment, /listens on (\S+)\n/);
  const workerEnvironment = { ...common, TASK_MS: String(taskMs), VISIBILITY_SECONDS: "3" };
  const startWorker = () =>
    startProcess(example("task-notifications/worker/main.ts"), [], workerEnvironment, /polls (\S+)/);

  const parts = {
    pageUrl: api.found,
    issuer: idp.found,
    todokuUrl,
    todoku,
    worker: (await startWorker()) as StartedProcess,
    async startTodoku() {
      parts.todoku = await startDevProcess(todokuArgs(todoku.port));
    },
    async startWorker() {
      parts.worker = await startWorker();
    },
    async [Symbol.asyncDispose]() {
      for (const part of [parts.worker, api, idp, parts.todoku]) await part.end("SIGTERM");
    },
  };
  return parts;
}

/** A signed-in page in a browser context of its own. */
export async function signIn(browser: Browser, { pageUrl }: TaskNotifications, email: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(pageUrl);
  await page.getByRole("button", { name: /sign in/i }).click();
  await page.getByLabel(/e-?mail/i).fill(email);
  await page.getByLabel(/password/i).fill(demoPassword);
  await page.getByRole("button", { name: /sign in/i }).click();
  await page.getByLabel(/what should be done/i).waitFor();
  return page;
}
