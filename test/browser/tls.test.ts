// Chromium and a server with TLS: the unmodified web SDK with nothing but a token, and more open streams than HTTP/1.1 would allow. The names
// below momento.test lead to this machine by a flag, as DNS would say it; the certificate is trusted by its key, since this Chromium has no
// store of its own to put a CA in. That clients verify it is shown with Node and curl (test/system/tls.test.ts).
import { createHash, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { DisposableTokenScopes } from "@gomomento/sdk";
import type { Browser, Page as Tab } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { wrapCredential } from "../../src/domain/auth/credential.ts";
import { launchChromium, noChromium, servePage } from "../support/chromium.ts";
import { aTlsServer } from "../support/tls.ts";
import type { Page } from "./page/main.ts";

declare const window: { page: Page; events: string[] };

const isSkipped = noChromium !== undefined && !process.env.CI;
/** Twice what a browser opens to one server over HTTP/1.1. */
const streamCount = 12;
const topics = Array.from({ length: streamCount }, (_, i) => `t${i}`);

describe.skipIf(isSkipped)(`Chromium over TLS${isSkipped ? ` (${noChromium})` : ""}`, () => {
  let site: Awaited<ReturnType<typeof servePage>>;
  let tls: Awaited<ReturnType<typeof aTlsServer>>;
  let browser: Browser;

  beforeAll(async () => {
    site = await servePage();
    tls = await aTlsServer();
    const { publicKey } = new X509Certificate(await readFile(tls.certificate.certFile));
    const spki = createHash("sha256")
      .update(publicKey.export({ type: "spki", format: "der" }))
      .digest("base64");
    browser = await launchChromium([
      "--host-resolver-rules=MAP *.momento.test 127.0.0.1,MAP momento.test 127.0.0.1",
      `--ignore-certificate-errors-spki-list=${spki}`,
    ]);
    await tls.call("POST", "/v1/caches", { name: "c" });
  });

  afterAll(async () => {
    await browser?.close();
    await tls?.[Symbol.asyncDispose]();
    await site?.[Symbol.asyncDispose]();
  });

  async function aTab(): Promise<Tab> {
    const tab = await (await browser.newContext()).newPage();
    await tab.goto(site.origin);
    return tab;
  }

  it("follows a dozen topics with nothing but a token that the SDK's AuthClient made", async () => {
    const owner = await aTab();
    const key = wrapCredential(tls.endpoint, tls.server.devKey ?? "");
    await owner.evaluate((apiKey) => window.page.connect(undefined, apiKey), key);
    const scopes = topics.map((topic) => DisposableTokenScopes.topicPublishSubscribe("c", topic));
    const scope = { permissions: scopes.flatMap((one) => ("permissions" in one ? one.permissions : [])) };
    const token = await owner.evaluate((s) => window.page.token(s as never, 600, "user-1"), scope as never);
    const tab = await aTab();
    await tab.evaluate((authToken) => window.page.connect(undefined, authToken), token);
    for (const topic of topics) {
      expect(await tab.evaluate((name) => window.page.subscribe("c", name), topic)).toContain("Subscription");
    }
    for (const topic of topics) await tab.evaluate((name) => window.page.publish("c", name, `to ${name}`), topic);
    await tab.waitForFunction((count) => window.page.log.items.length >= count, streamCount);
    const items = await tab.evaluate(() => window.page.log.items);
    expect(items.toSorted()).toEqual(topics.map((topic) => `user-1:to ${topic}`).toSorted());
    expect(await tab.evaluate(() => window.page.log.errors)).toEqual([]);
  });

  it("follows a dozen event streams with EventSource", async () => {
    const grants = [{ resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { all: true } }];
    const { token } = (await tls.call("POST", "/v1/tokens", { grants, validForSeconds: 600 })) as { token: string };
    const tab = await aTab();
    await tab.evaluate(
      async ([endpoint, bearer, names]) => {
        window.events = [];
        const opened = (names as string[]).map(async (name) => {
          const path = `/v1/topics/c/${name}-events`;
          const response = await fetch(`https://${endpoint}/v1/tickets`, {
            method: "POST",
            headers: { "content-type": "application/json", authorization: `Bearer ${bearer}` },
            body: JSON.stringify({ method: "GET", path }),
          });
          const { ticket } = (await response.json()) as { ticket: string };
          const source = new EventSource(`https://${endpoint}${path}?ticket=${ticket}`);
          source.onmessage = ({ data }) => window.events.push(JSON.parse(data).text);
          await new Promise((resolve, reject) => {
            source.onopen = resolve;
            source.onerror = reject;
          });
        });
        await Promise.all(opened);
      },
      [tls.endpoint, token, topics] as const,
    );
    for (const topic of topics) await tls.call("POST", `/v1/topics/c/${topic}-events`, { text: topic });
    await tab.waitForFunction((count) => window.events.length >= count, streamCount);
    expect((await tab.evaluate(() => window.events)).toSorted()).toEqual(topics.toSorted());
  });
});
