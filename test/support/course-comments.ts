import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { aFreePort } from "../../examples/course-comments/testing/application.ts";
import { type DevProcess, type StartedProcess, startDevProcess, startProcess } from "./process.ts";

const example = (path: string) => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));

/** Of the demo users of examples/dev-idp. */
const demoPassword = "todoku-demo";

/** The second article's application as `npm start -- course-comments` runs it: every part a process of its own that a test can kill and start again. */
export interface CourseComments {
  readonly pageUrl: string;
  readonly todokuUrl: string;
  todoku: DevProcess;
  receiver: StartedProcess;
  startTodoku(): Promise<void>;
  startReceiver(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts all of it in `directory`. The page must have been built. */
export async function startCourseComments(directory: string): Promise<CourseComments> {
  const todokuArgs = (port: number) => ["--port", String(port), "--data-dir", join(directory, "todoku")];
  const idpArgs = ["--port", "0", "--data-dir", join(directory, "idp"), "--client-id", "course-comments"];
  const [todoku, idp, receiverPort] = await Promise.all([
    startDevProcess(todokuArgs(0)),
    startProcess(example("dev-idp/main.ts"), idpArgs, {}, /listens on (\S+)\n/),
    aFreePort(),
  ]);
  const todokuUrl = `http://127.0.0.1:${todoku.port}`;
  const common = { TODOKU_URL: todokuUrl, STATE_DIR: join(directory, "state"), LOG_LEVEL: "warn" };
  const setUpEnvironment = { ...common, RECEIVER_URL: `http://127.0.0.1:${receiverPort}` };
  const setUp = await startProcess(
    example("course-comments/setup.ts"),
    [],
    setUpEnvironment,
    /receiver\.key: (written)/,
  );
  await setUp.ended;
  const apiEnvironment = { ...common, PORT: "0", OIDC_ISSUER: idp.found, OIDC_CLIENT_ID: "course-comments" };
  const receiverEnvironment = { ...common, PORT: String(receiverPort) };
  const startReceiver = () =>
    startProcess(example("course-comments/receiver/main.ts"), [], receiverEnvironment, /listens on (\S+)\n/);
  const [api, receiver] = await Promise.all([
    startProcess(example("course-comments/api/main.ts"), [], apiEnvironment, /listens on (\S+)\n/),
    startReceiver(),
  ]);

  const parts = {
    pageUrl: api.found,
    todokuUrl,
    todoku,
    receiver: receiver as StartedProcess,
    async startTodoku() {
      parts.todoku = await startDevProcess(todokuArgs(todoku.port));
    },
    async startReceiver() {
      parts.receiver = await startReceiver();
    },
    async [Symbol.asyncDispose]() {
      for (const part of [parts.receiver, api, idp, parts.todoku]) await part.end("SIGKILL");
    },
  };
  return parts;
}

/** A signed-in page in a browser context of its own. */
export async function signInToCourses(
  browser: Browser,
  { pageUrl }: { pageUrl: string },
  email: string,
): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  await page.goto(pageUrl);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(demoPassword);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator('[data-state="live"]').waitFor();
  return page;
}

/** The rows of a view, oldest last as the page has them, with who wrote them. */
export function rowsOf(page: Page): Promise<{ name: string; text: string; isOwn: boolean; isPending: boolean }[]> {
  return page.getByRole("listitem").evaluateAll((rows) =>
    rows.map((row) => ({
      name: row.querySelector('[class*="name"]')?.textContent ?? "",
      text: row.querySelector('[class*="text"]')?.textContent ?? "",
      isOwn: row.getAttribute("data-own") === "true",
      isPending: row.getAttribute("data-pending") === "true",
    })),
  );
}
