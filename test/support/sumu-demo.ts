import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { aFreePort } from "../../examples/course-comments/testing/application.ts";
import { demoPassword } from "../../examples/dev-idp/state/users.ts";
import { type DevProcess, type StartedProcess, startDevProcess, startProcess } from "./process.ts";

const example = (path: string) => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url));

/** The demo as `npm start -- sumu-demo` runs it: every part a process of its own; Todoku can be killed and started again. */
export interface SumuDemo {
  readonly pageUrl: string;
  readonly backend: StartedProcess;
  todoku: DevProcess;
  startTodoku(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Starts all of it in `directory`. The page must have been built. */
export async function startSumuDemo(directory: string): Promise<SumuDemo> {
  const [idpPort, pagePort] = [await aFreePort(), await aFreePort()];
  const clientId = "sumu-demo";
  const idpArgs = ["--port", String(idpPort), "--data-dir", join(directory, "idp"), "--client-id", clientId];
  const idp = await startProcess(example("dev-idp/main.ts"), idpArgs, {}, /listens on (\S+)\n/);
  const authorizers = JSON.stringify([{ issuer: idp.found, environment: "dev", audiences: [clientId], grants: {} }]);
  const startTodoku = (port: number) =>
    startDevProcess(["--port", String(port), "--data-dir", join(directory, "todoku")], {
      TODOKU_GATEWAY_AUTHORIZERS: authorizers,
    });
  const todoku = await startTodoku(0);
  const common = {
    TODOKU_URL: `http://127.0.0.1:${todoku.port}`,
    STATE_DIR: join(directory, "state"),
    LOG_LEVEL: "warn",
  };
  const setUpEnvironment = { ...common, BACKEND_URL: `http://127.0.0.1:${pagePort}` };
  const setUp = await startProcess(example("sumu-demo/setup.ts"), [], setUpEnvironment, /backend\.key: (written)/);
  await setUp.ended;
  const backendEnvironment = {
    ...common,
    ...{ PORT: String(pagePort), OIDC_ISSUER: idp.found, OIDC_CLIENT_ID: clientId },
  };
  const backend = await startProcess(
    example("sumu-demo/backend/main.ts"),
    [],
    backendEnvironment,
    /listens on (\S+)\n/,
  );
  const parts: SumuDemo = {
    backend,
    pageUrl: backend.found,
    todoku,
    async startTodoku() {
      parts.todoku = await startTodoku(todoku.port);
    },
    async [Symbol.asyncDispose]() {
      for (const part of [backend, idp, parts.todoku]) await part.end("SIGKILL");
    },
  };
  return parts;
}

/** A signed-in page in a browser context of its own, connected. */
export async function signInToSumu(browser: Browser, { pageUrl }: { pageUrl: string }, email: string): Promise<Page> {
  const context = await browser.newContext();
  await context.addInitScript(keepNotices);
  const page = await context.newPage();
  await page.goto(pageUrl);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(demoPassword);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator('header[data-state="connected"]').waitFor();
  return page;
}

/** Another window of the user who is signed in on the page, connected, behind that page. */
export async function openWindow(page: Page, { pageUrl }: { pageUrl: string }): Promise<Page> {
  const window = await page.context().newPage();
  await window.goto(pageUrl);
  await window.locator('header[data-state="connected"]').waitFor();
  // Chromium draws a page behind another one once a second, and each click waits for that.
  await page.bringToFront();
  return window;
}

/** Runs in the page. */
function keepNotices(): void {
  const seen = new WeakSet<Element>();
  const notices: string[] = [];
  Object.assign(globalThis, { notices });
  new MutationObserver(() => {
    for (const notice of document.querySelectorAll(".mantine-Notification-root")) {
      if (seen.has(notice)) continue;
      seen.add(notice);
      const texts = notice.querySelectorAll(".mantine-Notification-title, .mantine-Notification-description");
      notices.push([...texts].map(({ textContent }) => textContent).join(": "));
    }
  }).observe(document, { childList: true, subtree: true });
}

/** The notices that have been shown since the page was opened, oldest first, as "title: text"; one that has gone is among them. */
export function noticesOf(page: Page): Promise<string[]> {
  return page.evaluate(() => (globalThis as unknown as { notices: string[] }).notices);
}
