// The second article's application in Chromium, every part a process of its own: two users, kill -9 in the middle, and one who lies.
import AxeBuilder from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applications } from "../../scripts/start/applications.ts";
import { buildPage } from "../../scripts/start/page.ts";
import { launchChromium } from "../support/chromium.ts";
import { type CourseComments, rowsOf, signInToCourses, startCourseComments } from "../support/course-comments.ts";
import { keyCredential, momentoClients } from "../support/momento-node.ts";
import { aDirectory } from "../support/server.ts";

interface ViewToken {
  readonly token: string;
  readonly cacheName: string;
  readonly publishTopic: string;
  readonly topic: string;
  readonly userId: string;
}

describe("course-comments in Chromium", () => {
  let directory: Awaited<ReturnType<typeof aDirectory>>;
  let app: CourseComments;
  let browser: Browser;
  let [alice, bob]: Page[] = [];
  const pageOf = { alice: () => alice as Page, bob: () => bob as Page };

  beforeAll(async () => {
    await buildPage(applications[1]);
    directory = await aDirectory();
    [app, browser] = await Promise.all([startCourseComments(directory.path), launchChromium()]);
    [alice, bob] = await Promise.all([
      signInToCourses(browser, app, "alice@example.com"),
      signInToCourses(browser, app, "bob@example.com"),
    ]);
  });

  afterAll(async () => {
    await browser?.close();
    await app?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  async function go(page: Page, place: string): Promise<void> {
    await page.evaluate((hash) => {
      window.location.hash = hash;
    }, place);
    await page.locator('[data-state="live"]').waitFor();
  }
  async function say(page: Page, text: string): Promise<void> {
    await page.getByRole("textbox").fill(text);
    await page.keyboard.press("Enter");
  }
  const told = (page: Page, text: string) =>
    page.locator('li[data-pending="false"]').filter({ hasText: text }).waitFor();
  const textsOf = async (page: Page) => (await rowsOf(page)).map(({ text }) => text);

  /** The token that the page gets for a view, in the hands of somebody who does with it what they like. */
  async function tokenOf(page: Page, view: string): Promise<ViewToken> {
    const idToken = await page.evaluate(() => {
      const key = Object.keys(localStorage).find((name) => name.startsWith("oidc.user:")) ?? "";
      return JSON.parse(localStorage.getItem(key) ?? "{}").id_token as string;
    });
    const response = await fetch(`${app.pageUrl}/token/${view}`, { headers: { authorization: `Bearer ${idToken}` } });
    expect(response.status).toBe(200);
    return (await response.json()) as ViewToken;
  }

  it("shows users each other's comments live, their own marked, under the names of their accounts", async () => {
    await Promise.all([go(pageOf.alice(), "comments/kanji"), go(pageOf.bob(), "comments/kanji")]);
    await say(pageOf.alice(), "This course is great");
    await told(pageOf.bob(), "This course is great");
    await say(pageOf.bob(), "So it is 届く <b>& more</b>");
    await told(pageOf.alice(), "So it is");
    const [bobs, alices] = [
      { name: "Bob", text: "So it is 届く <b>& more</b>", isPending: false },
      { name: "Alice", text: "This course is great", isPending: false },
    ];
    await told(pageOf.bob(), "So it is");
    expect(await rowsOf(pageOf.alice())).toEqual([
      { ...bobs, isOwn: false },
      { ...alices, isOwn: true },
    ]);
    expect(await rowsOf(pageOf.bob())).toEqual([
      { ...bobs, isOwn: true },
      { ...alices, isOwn: false },
    ]);
    await go(pageOf.alice(), "comments/bread");
    expect(await rowsOf(pageOf.alice())).toEqual([]);
  });

  it("shows a lie under the name of the liar, and lets nobody write what pages read", async () => {
    await go(pageOf.alice(), "comments/kanji");
    const [thief, victim] = [
      await tokenOf(pageOf.bob(), "comments/kanji"),
      await tokenOf(pageOf.alice(), "poll/live-lesson"),
    ];
    using clients = momentoClients(keyCredential(thief.token, app.todoku.port));
    const lie = {
      courseId: "kanji",
      comment: "I give up",
      name: "Alice",
      userId: victim.userId,
      token_id: victim.userId,
    };
    await clients.topics.publish(thief.cacheName, thief.publishTopic, JSON.stringify(lie));
    await told(pageOf.alice(), "I give up");
    expect((await rowsOf(pageOf.alice()))[0]).toMatchObject({ name: "Bob", text: "I give up", isOwn: false });
    const refused = [
      await clients.topics.publish(thief.cacheName, thief.topic, JSON.stringify(lie)),
      await clients.topics.publish(thief.cacheName, "vote", "{}"),
      await clients.cache.listPushFront(thief.cacheName, thief.topic, JSON.stringify(lie)),
      await clients.cache.set(thief.cacheName, `name/${thief.userId}`, "Alice"),
    ];
    for (const answer of refused) expect(String(answer)).toMatch(/permission/i);
  });

  it("loses no comment and shows none twice when receiver and server are killed", async () => {
    const page = pageOf.alice();
    await app.receiver.end("SIGKILL");
    await say(page, "while the receiver is away");
    await page.locator('li[data-pending="true"]').waitFor();
    await app.startReceiver();
    await told(page, "while the receiver is away");
    await app.todoku.end("SIGKILL");
    await app.startTodoku();
    await page.locator('[data-state="live"]').waitFor();
    await say(page, "after the server was away");
    await Promise.all([told(page, "after the server was away"), told(pageOf.bob(), "after the server was away")]);
    await page.reload();
    await go(page, "comments/kanji");
    await told(page, "after the server was away");
    const expected = ["after the server was away", "while the receiver is away", "I give up"];
    for (const each of [page, pageOf.bob()]) {
      const texts = await textsOf(each);
      expect(texts.slice(0, 3)).toEqual(expected);
      expect(new Set(texts).size).toBe(texts.length);
    }
  });

  it("counts one vote for each user, of however many tabs, and shows it live", async () => {
    const tab = await pageOf.alice().context().newPage();
    await tab.goto(`${app.pageUrl}/#poll`);
    await Promise.all([go(pageOf.alice(), "poll"), go(pageOf.bob(), "poll"), go(tab, "poll")]);
    const vote = (page: Page, option: string) => page.getByRole("button", { name: option }).click();
    const counted = (page: Page, option: string, count: number) =>
      page.locator(`button[data-count="${count}"]`).filter({ hasText: option }).waitFor();
    await vote(pageOf.alice(), "At noon");
    await counted(pageOf.bob(), "At noon", 1);
    await vote(tab, "In the evening");
    await counted(pageOf.bob(), "In the evening", 1);
    await counted(pageOf.bob(), "At noon", 0);
    await vote(pageOf.bob(), "In the evening");
    await counted(pageOf.alice(), "In the evening", 2);
    expect(await pageOf.alice().getByText("2 people have voted").count()).toBe(1);
    await tab.close();
  });

  it("lets users chat in two languages, each in their own room only", async () => {
    await Promise.all([go(pageOf.alice(), "chat/en"), go(pageOf.bob(), "chat/ja")]);
    await say(pageOf.alice(), "Good morning, teacher!");
    await told(pageOf.bob(), "おはようございます, 先生!");
    await say(pageOf.bob(), "ありがとう");
    await told(pageOf.alice(), "thank you");
    const { token, cacheName } = await tokenOf(pageOf.bob(), "chat/ja");
    using clients = momentoClients(keyCredential(token, app.todoku.port));
    const answer = await clients.topics.subscribe(cacheName, "room/en", { onItem() {}, onError() {} });
    expect(String(answer)).toMatch(/permission/i);
  });

  it.each(["light", "dark"] as const)("is accessible with the %s colours", async (colorScheme) => {
    const page = pageOf.bob();
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.evaluate(AxeBuilder.source);
    for (const place of ["comments/kanji", "poll", "chat/ja"]) {
      await go(page, place);
      // A colour between two schemes is nobody's choice: what still moves comes to its end first.
      await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished)));
      const { violations } = await page.evaluate(() =>
        (
          globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: unknown[] }[] }> } }
        ).axe.run(),
      );
      expect({ place, violations: violations.map(({ id }) => id) }).toEqual({ place, violations: [] });
    }
  });
});
