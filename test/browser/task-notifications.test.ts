// The first article's application in Chromium, every part a process of its own: two users, and kill -9 in the middle of their tasks.
import { TopicSubscribe } from "@gomomento/sdk";
import AxeBuilder from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applications } from "../../scripts/start/applications.ts";
import { buildPage } from "../../scripts/start/page.ts";
import { launchChromium } from "../support/chromium.ts";
import { keyCredential, momentoClients } from "../support/momento-node.ts";
import { aDirectory } from "../support/server.ts";
import { signIn, startTaskNotifications, type TaskNotifications, toastsOf } from "../support/task-notifications.ts";

const taskMs = 1500;
/** TEST_LONG kills each part ten times instead of once. */
const rounds = process.env.TEST_LONG ? 10 : 1;

describe("task-notifications in Chromium", () => {
  let directory: Awaited<ReturnType<typeof aDirectory>>;
  let app: TaskNotifications;
  let browser: Browser;
  let [alice, bob]: Page[] = [];
  const pageOf = { alice: () => alice as Page, bob: () => bob as Page };

  beforeAll(async () => {
    await buildPage(applications[0]);
    directory = await aDirectory();
    app = await startTaskNotifications(directory.path, taskMs);
    browser = await launchChromium();
    [alice, bob] = [await signIn(browser, app, "alice@example.com"), await signIn(browser, app, "bob@example.com")];
    // Its five tries and the pauses between them take 23 s: they pass while the others are tested, kills and all.
    await queue(bob, "this will fail");
  });

  afterAll(async () => {
    await browser?.close();
    await app?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  async function queue(page: Page, text: string): Promise<void> {
    await page.getByLabel("What should be done?").fill(text);
    await page.getByRole("button", { name: "Queue task" }).click();
    await page.getByRole("listitem").filter({ hasText: text }).waitFor();
  }
  const rowOf = (page: Page, text: string, status: string) =>
    page.locator(`li[data-status="${status}"]`).filter({ hasText: text });

  it("shows each user the toasts of their own tasks only", async () => {
    await Promise.all([queue(pageOf.alice(), "tidy alice's desk"), queue(pageOf.bob(), "paint bob's door 届く")]);
    await rowOf(pageOf.alice(), "tidy alice's desk", "done").waitFor();
    await rowOf(pageOf.bob(), "paint bob's door 届く", "done").waitFor();
    expect(await toastsOf(pageOf.alice())).toEqual(["Finished task: tidy alice's desk"]);
    expect(await toastsOf(pageOf.bob())).toEqual(["Finished task: paint bob's door 届く"]);
    expect(await pageOf.alice().getByText("bob's door").count()).toBe(0);
  });

  /** More than three at once are summed up in one, which names no task. */
  async function closeToasts(page: Page): Promise<void> {
    const toasts = ".mantine-Notification-root";
    await page.evaluate((selector) => {
      for (const button of document.querySelectorAll<HTMLElement>(`${selector} button`)) button.click();
    }, toasts);
    await page.waitForFunction((selector) => document.querySelector(selector) === null, toasts);
  }

  /** Kills a part at a random moment of a task, starts it again, and sees the task done once. */
  async function outlive(page: Page, text: string, killAndRestart: () => Promise<void>): Promise<void> {
    await closeToasts(page);
    await queue(page, text);
    await rowOf(page, text, "working").waitFor();
    await new Promise((resolve) => setTimeout(resolve, Math.random() * taskMs)); // the random moment is the test
    await killAndRestart();
    await rowOf(page, text, "done").waitFor();
    // Whatever came twice would have come before this one.
    await queue(page, `and then, ${text}`);
    await rowOf(page, `and then, ${text}`, "done").waitFor();
    const toasts = await toastsOf(page);
    expect(toasts.filter((toast) => toast === `Finished task: ${text}`)).toHaveLength(1);
    expect(await page.getByRole("listitem").filter({ hasText: text }).count()).toBe(2);
  }

  it("shows the result once when the server is killed in the middle of the task", async () => {
    for (let round = 1; round <= rounds; round++) {
      await outlive(pageOf.alice(), `outlive the server ${round}`, async () => {
        await app.todoku.end("SIGKILL");
        await app.startTodoku();
      });
    }
  });

  it("shows the result once when the worker is killed in the middle of the task", async () => {
    for (let round = 1; round <= rounds; round++) {
      await outlive(pageOf.bob(), `outlive the worker ${round}`, async () => {
        await app.worker.end("SIGKILL");
        await app.startWorker();
      });
    }
  });

  it("takes a task that always fails to the dead letters, and tells its user", async () => {
    await rowOf(pageOf.bob(), "this will fail", "failed").waitFor({ timeout: 90_000 });
    expect(await toastsOf(pageOf.bob())).toContain("Failed task: this will fail");
    const response = await fetch(`${app.todokuUrl}/v1/queues/tasks-dead/peek`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
    });
    const { messages } = (await response.json()) as { messages: { body: string; deadLetter: unknown }[] };
    expect(messages.map(({ body }) => JSON.parse(body).data)).toEqual(["this will fail"]);
    expect(messages[0]?.deadLetter).toMatchObject({ queue: "tasks", receiveCount: 5 });
    expect(await toastsOf(pageOf.alice())).not.toContain("Failed task: this will fail");
  });

  it("has a signed-in user's own topic only to give away, whatever is asked for", async () => {
    const idTokenOf = (page: Page) =>
      page.evaluate(() => {
        for (const store of [sessionStorage, localStorage]) {
          const key = Object.keys(store).find((name) => name.startsWith("oidc.user:"));
          if (key) return JSON.parse(store.getItem(key) ?? "{}").id_token as string;
        }
        throw new Error("nobody is signed in");
      });
    const ask = async (page: Page, query = "") => {
      const headers = { authorization: `Bearer ${await idTokenOf(page)}` };
      const response = await fetch(`${app.pageUrl}/token${query}`, { headers });
      expect(response.status).toBe(200);
      return (await response.json()) as { token: string; topic: string; cacheName: string };
    };
    const ofAlice = await ask(pageOf.alice());
    const stolen = await ask(pageOf.bob(), `?topic=${ofAlice.topic}&userId=${ofAlice.topic}&sub=${ofAlice.topic}`);
    expect(stolen.topic).not.toBe(ofAlice.topic);

    using clients = momentoClients(keyCredential(stolen.token, app.todoku.port));
    const listen = (topic: string) =>
      clients.topics.subscribe(stolen.cacheName, topic, { onItem: () => {}, onError: () => {} });
    const denied = await listen(ofAlice.topic);
    expect(denied).toBeInstanceOf(TopicSubscribe.Error);
    expect(String(denied)).toMatch(/permission/i);
    const own = await listen(stolen.topic);
    expect(own).toBeInstanceOf(TopicSubscribe.Subscription);
    expect(String(await clients.topics.publish(stolen.cacheName, stolen.topic, "forged"))).toMatch(/permission/i);
  });

  it.each(["light", "dark"] as const)("is accessible with the %s colours", async (colorScheme) => {
    const page = pageOf.bob();
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    // A colour between two schemes is nobody's choice: what still moves comes to its end first.
    await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished)));
    await page.evaluate(AxeBuilder.source);
    const { violations } = await page.evaluate(() =>
      (globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string }[] }> } }).axe.run(),
    );
    expect(violations.map(({ id }) => id)).toEqual([]);
  });

  it("keeps the list across a reload without showing old toasts again", async () => {
    const page = pageOf.alice();
    await page.reload();
    await rowOf(page, "tidy alice's desk", "done").waitFor();
    await queue(page, "after the reload");
    await rowOf(page, "after the reload", "done").waitFor();
    expect(await toastsOf(page)).toEqual(["Finished task: after the reload"]);
  });
});
