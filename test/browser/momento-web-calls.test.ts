// Every call of the unmodified web SDK in Chromium, at least once: the lines that test/system/momento-calls.test.ts says with the Node SDK.
import { DisposableTokenScopes } from "@gomomento/sdk";
import type { Browser, Page as Tab } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, noChromium, servePage } from "../support/chromium.ts";
import { conversation, converse, isBrokenOnWeb, type Line } from "../support/momento-conversation.ts";
import { localCredential, momentoClients } from "../support/momento-node.ts";
import { aServer } from "../support/server.ts";
import type { Page } from "./page/main.ts";

declare const window: { page: Page };

const isSkipped = noChromium !== undefined && !process.env.CI;

describe.skipIf(isSkipped)(`every call of the web SDK in Chromium${isSkipped ? ` (${noChromium})` : ""}`, () => {
  let site: Awaited<ReturnType<typeof servePage>>;
  let server: Awaited<ReturnType<typeof aServer>>;
  let browser: Browser;

  beforeAll(async () => {
    site = await servePage();
    server = await aServer({ devOrigins: [site.origin] });
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  async function aTab(apiKey?: string, timeoutMs?: number): Promise<Tab> {
    const tab = await (await browser.newContext()).newPage();
    await tab.goto(site.origin);
    await tab.evaluate(([url, key, ms]) => window.page.connect(url as string, key as string, ms as number), [
      server.url,
      apiKey,
      timeoutMs,
    ] as const);
    return tab;
  }
  const say = (tab: Tab, line: Line) => tab.evaluate((said) => window.page.say(said), line as never);

  it("has the answer that the Node SDK has", async () => {
    const tab = await aTab();
    using node = momentoClients(localCredential(server.port));
    for (const line of conversation) {
      const answer = isBrokenOnWeb(line) ? converse(line, { cache: node.cache, leaderboard: {} }) : say(tab, line);
      expect(await answer, JSON.stringify(line)).toEqual(line[2]);
    }
  });

  it("refuses what a token does not permit, and everything once it has expired", async () => {
    const owner = await aTab();
    await say(owner, ["createCache", ["c"], ""]);
    const scope = DisposableTokenScopes.cacheKeyPrefixReadOnly("c", "mine-");
    const token = await owner.evaluate((s) => window.page.token(s as never, 2, "user-1"), scope as never);
    const tab = await aTab(token);
    const refused = "Error PERMISSION_ERROR";
    expect(await say(tab, ["getBatch", ["c", ["mine-1", "mine-2"]], ""])).toEqual({ Success: {} });
    expect(await say(tab, ["getBatch", ["c", ["mine-1", "yours"]], ""])).toBe(refused);
    expect(await say(tab, ["dictionaryFetch", ["c", "mine-d"], ""])).toBe("Miss");
    expect(await say(tab, ["dictionarySetField", ["c", "mine-d", "f", "v"], ""])).toBe(refused);
    expect(await say(tab, ["setPop", ["c", "mine-s", 1], ""])).toBe(refused);
    expect(await say(tab, ["leaderboard.length", [], ""])).toBe(refused);
    await expect
      .poll(() => say(tab, ["get", ["c", "mine-1"], ""]), { timeout: 5000 })
      .toBe("Error AUTHENTICATION_ERROR");
  });

  it("gives up after its own timeout of 1 ms, and the server goes on", async () => {
    const [hurried, patient] = [await aTab(undefined, 1), await aTab()];
    await say(patient, ["createCache", ["hurried"], ""]);
    const twenty = Array.from({ length: 20 }, (_, n): Line => ["set", ["hurried", `k${n}`, { long: 50_000 }], ""]);
    // In a busy tab an answer may come before its timer is looked at.
    await expect
      .poll(() => Promise.all(twenty.map((line) => say(hurried, line))), { timeout: 30_000 })
      .toContain("Error TIMEOUT_ERROR");
    expect(await say(patient, ["set", ["hurried", "k", "v"], ""])).toBe("Success");
  });
});
