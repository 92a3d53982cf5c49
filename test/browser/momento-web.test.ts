// The unmodified web SDK in Chromium, on pages of another origin, beside the Node SDK.
import { DisposableTokenScopes } from "@gomomento/sdk";
import type { Browser, Page as Tab } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, noChromium, servePage } from "../support/chromium.ts";
import { localCredential, momentoClients, subscribe } from "../support/momento-node.ts";
import { aServer } from "../support/server.ts";
import type { Page } from "./page/main.ts";

declare const window: { page: Page };

const isSkipped = noChromium !== undefined && !process.env.CI;

describe.skipIf(isSkipped)(`the web SDK in Chromium${isSkipped ? ` (${noChromium})` : ""}`, () => {
  let site: Awaited<ReturnType<typeof servePage>>;
  let server: Awaited<ReturnType<typeof aServer>>;
  let browser: Browser;
  let node: ReturnType<typeof momentoClients>;

  beforeAll(async () => {
    site = await servePage();
    server = await aServer({ devOrigins: [site.origin] });
    browser = await launchChromium();
    node = momentoClients(localCredential(server.port));
    await node.cache.createCache("c");
  });

  afterAll(async () => {
    await browser?.close();
    node?.[Symbol.dispose]();
    await server?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  /** A tab of its own browser context, connected with `apiKey` or without a credential. */
  async function aTab(options: { apiKey?: string; url?: string } = {}): Promise<Tab> {
    const tab = await (await browser.newContext()).newPage();
    await tab.goto(site.origin);
    await tab.evaluate(
      ([url, apiKey]) => window.page.connect(url as string, apiKey),
      [options.url ?? server.url, options.apiKey],
    );
    return tab;
  }

  const itemsOf = (tab: Tab) => tab.evaluate(() => window.page.log.items);
  const waitForItems = (tab: Tab, count: number) =>
    tab.waitForFunction((n) => window.page.log.items.length >= n, count);

  it("talks with another tab and with the Node SDK, in the same order for all", async () => {
    const [one, two] = [await aTab(), await aTab()];
    const received = await subscribe(node.topics, "c", "chat");
    for (const tab of [one, two])
      expect(await tab.evaluate(() => window.page.subscribe("c", "chat"))).toContain("Subscription");
    await Promise.all([
      one.evaluate(() => window.page.publish("c", "chat", "from one")),
      two.evaluate(() => window.page.publish("c", "chat", "from two 届く")),
      node.topics.publish("c", "chat", "from node"),
    ]);
    for (const tab of [one, two]) await waitForItems(tab, 3);
    const texts = (await received.waitFor(3)).map((item) => `:${item.valueString()}`);
    expect(texts.toSorted()).toEqual([":from node", ":from one", ":from two 届く"]);
    expect(await itemsOf(one)).toEqual(texts);
    expect(await itemsOf(two)).toEqual(texts);
    if (process.env.TODOKU_SCREENSHOT) await one.screenshot({ path: process.env.TODOKU_SCREENSHOT });
    received.subscription.unsubscribe();
  });

  it("creates caches, sets and gets items, puts webhooks, and reads our errors", async () => {
    const tab = await aTab();
    expect(await tab.evaluate(() => window.page.createCache("from-web"))).toContain("Success");
    expect(await tab.evaluate(() => window.page.set("from-web", "k", "v"))).toContain("Success");
    expect(await tab.evaluate(() => window.page.get("from-web", "k"))).toContain("Hit");
    const hook = () => window.page.putWebhook("from-web", "w", "t", "http://127.0.0.1:9/hook");
    expect(await tab.evaluate(hook)).toContain("Success");
    expect(await tab.evaluate(() => window.page.publish("nowhere", "t", "x"))).toContain(
      'cache "nowhere" does not exist',
    );
  });

  it("with a token for one topic says who sent it, and can do nothing else", async () => {
    const owner = await aTab();
    const scope = DisposableTokenScopes.topicPublishSubscribe("c", "mine");
    const apiKey = await owner.evaluate((s) => window.page.token(s as never, 60, "user-1"), scope as never);
    const tab = await aTab({ apiKey });
    expect(await tab.evaluate(() => window.page.subscribe("c", "mine"))).toContain("Subscription");
    await tab.evaluate(() => window.page.publish("c", "mine", "hello"));
    await waitForItems(tab, 1);
    expect(await itemsOf(tab)).toEqual(["user-1:hello"]);
    expect(await tab.evaluate(() => window.page.publish("c", "other", "x"))).toContain("Insufficient permissions");
    expect(await tab.evaluate(() => window.page.subscribe("c", "other"))).toContain("Insufficient permissions");
    expect(await tab.evaluate(() => window.page.get("c", "k"))).toContain("Insufficient permissions");
  });

  it("is told when its token expires", async () => {
    const scope = DisposableTokenScopes.topicSubscribeOnly("c", "mine");
    const owner = await aTab();
    const apiKey = await owner.evaluate((s) => window.page.token(s as never, 2, ""), scope as never);
    const tab = await aTab({ apiKey });
    expect(await tab.evaluate(() => window.page.subscribe("c", "mine"))).toContain("Subscription");
    await tab.waitForFunction(() => window.page.log.errors.length > 0);
    expect(await tab.evaluate(() => window.page.log.errors)).toEqual(["AUTHENTICATION_ERROR"]);
  });

  it("gets every item once across the end of a long body", async () => {
    const tab = await aTab();
    await tab.evaluate(() => window.page.subscribe("c", "long"));
    const count = 40; // of 250,000 bytes, a third more in base64: three bodies of 4 MB
    for (let i = 0; i < count; i++) await node.topics.publish("c", "long", `${i}`.padEnd(250_000, "x"));
    await waitForItems(tab, count);
    expect(await tab.evaluate(() => window.page.log.numbers)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
    expect(await tab.evaluate(() => window.page.log.errors)).toEqual([]);
    // One at the start, by which the SDK learns where it stands; none at the ends of bodies.
    expect(await tab.evaluate(() => window.page.log.discontinuities)).toBe(1);
  });

  it("is refused without a credential from an origin that nobody named", async () => {
    await using other = await aServer();
    const tab = await aTab({ url: other.url });
    const refused = await tab.evaluate(() => window.page.createCache("x"));
    expect(refused).toContain("Invalid authentication credentials");
    expect(refused).toContain("--dev-origin");
  });
});
