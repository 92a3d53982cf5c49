// A deploy, as the web SDK and a browser's EventSource see it: over HTTP/1.1, on the connections that the browser keeps.
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, noChromium, servePage } from "../support/chromium.ts";
import { aDirectory, aServer } from "../support/server.ts";
import type { Page } from "./page/main.ts";

declare const window: { page: Page; items: string[]; states: number[]; source: EventSource };

const isSkipped = noChromium !== undefined && !process.env.CI;
const json = { "content-type": "application/json" };

describe.skipIf(isSkipped)(`a server that stops and comes back${isSkipped ? ` (${noChromium})` : ""}`, () => {
  let site: Awaited<ReturnType<typeof servePage>>;
  let directory: Awaited<ReturnType<typeof aDirectory>>;
  let server: Awaited<ReturnType<typeof aServer>>;
  let browser: Browser;

  const start = async (port: number) => {
    const drain = { delaySeconds: 0, seconds: 2, graceSeconds: 3 };
    server = await aServer({ dataDir: directory.path, port, devOrigins: [site.origin], drain });
  };
  const post = (path: string, body: object) =>
    fetch(server.url + path, { method: "POST", headers: json, body: JSON.stringify(body) });
  const aTab = async () => {
    const tab = await (await browser.newContext()).newPage();
    await tab.goto(site.origin);
    return tab;
  };

  beforeAll(async () => {
    site = await servePage();
    directory = await aDirectory();
    await start(0);
    browser = await launchChromium();
    await post("/v1/caches", { name: "c" });
  });
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  it("costs the web SDK no subscription and no item", async () => {
    const tabs = await Promise.all([1, 2, 3].map(aTab));
    for (const tab of tabs) {
      await tab.evaluate((url) => window.page.connect(url), server.url);
      // Two of a tab: the first that is told asks again while the server still tells the others.
      for (const topic of ["one", "two"])
        expect(await tab.evaluate((name) => window.page.subscribe("c", name), topic)).toContain("Subscription");
    }
    for (const topic of ["one", "two"]) await post(`/v1/topics/c/${topic}`, { text: "before" });
    const waitForItems = (count: number) =>
      Promise.all(tabs.map((tab) => tab.waitForFunction((n) => window.page.log.items.length >= n, count)));
    await waitForItems(2);
    const { port } = server;
    await server.close();
    await start(port);
    for (const topic of ["one", "two"]) await post(`/v1/topics/c/${topic}`, { text: "after" });
    await waitForItems(4);
    for (const tab of tabs) {
      const { items, errors } = await tab.evaluate(() => window.page.log);
      expect({ items: items.toSorted(), errors }).toEqual({
        items: [":after", ":after", ":before", ":before"],
        errors: [],
      });
    }
  });

  it("costs an EventSource no event: it is never told to give up", async () => {
    const tabs = await Promise.all([1, 2, 3].map(aTab));
    for (const tab of tabs) {
      await tab.evaluate((url) => {
        window.items = [];
        window.states = [];
        window.source = new EventSource(url);
        window.source.addEventListener("item", (event) => window.items.push(JSON.parse(event.data).text));
        window.source.onmessage = (event) => window.items.push(JSON.parse(event.data).text);
        window.source.onerror = () => window.states.push(window.source.readyState);
      }, `${server.url}/v1/topics/c/events`);
      await tab.waitForFunction(() => window.source.readyState === 1);
    }
    await post("/v1/topics/c/events", { text: "before" });
    for (const tab of tabs) await tab.waitForFunction(() => window.items.length === 1);
    const { port } = server;
    await server.close();
    await start(port);
    await post("/v1/topics/c/events", { text: "after" });
    for (const tab of tabs) {
      await tab.waitForFunction(() => window.items.length === 2);
      expect(await tab.evaluate(() => window.items)).toEqual(["before", "after"]);
      const closed = 2;
      expect(await tab.evaluate(() => window.states)).not.toContain(closed);
    }
  });
});
