import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { type DevProcess, type StartedProcess, startDevProcess, startProcess } from "./process.ts";

const example = (path: string) => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));

/** Of the demo users of examples/dev-idp. */
const demoPassword = "todoku-demo";

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
  const setUp = await startProcess(example("task-notifications/setup.ts"), [], common, /worker\.key: (written)\n/);
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
  await page.addInitScript(rememberToasts);
  await page.goto(pageUrl);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(demoPassword);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("What should be done?").waitFor();
  return page;
}

/** Runs in the page: remembers what toasts said, for they do not stay. */
function rememberToasts(): void {
  const toasts = new Map<Element, string>();
  Object.assign(globalThis, { toasts });
  new MutationObserver(() => {
    for (const toast of document.querySelectorAll(".mantine-Notification-root")) {
      toasts.set(toast, toast.querySelector(".mantine-Notification-description")?.textContent ?? "");
    }
  }).observe(document, { subtree: true, childList: true, characterData: true });
}

/** What the toasts of a page said since it was loaded, the oldest first. */
export function toastsOf(page: Page): Promise<string[]> {
  return page.evaluate(() => [...(globalThis as unknown as { toasts: Map<Element, string> }).toasts.values()]);
}
