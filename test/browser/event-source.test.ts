// A browser's own EventSource, on a page of another origin, with a ticket; the code is that of docs/guides/http-and-curl.md.
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { Browser, Page as Tab } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { launchChromium, noChromium } from "../support/chromium.ts";
import { listen } from "../support/http-door.ts";
import { type DevProcess, startDevProcess } from "../support/process.ts";
import { aDirectory } from "../support/server.ts";

declare const window: { items: string[]; tickets: string[]; source: EventSource };
declare function follow(token: string, path: string, onItem: (item: { text: string }) => void): Promise<void>;

const guide = readFileSync(new URL("../../docs/guides/http-and-curl.md", import.meta.url), "utf8");
const example = /```js\n(const todoku = .*?)```/s.exec(guide)?.[1] ?? "";
const path = "/v1/topics/c/t";
const json = { "content-type": "application/json" };
const isSkipped = noChromium !== undefined && !process.env.CI;

describe.skipIf(isSkipped)(`EventSource in Chromium${isSkipped ? ` (${noChromium})` : ""}`, () => {
  let directory: Awaited<ReturnType<typeof aDirectory>>;
  let site: Server;
  let origin: string;
  let server: DevProcess;
  let url: string;
  let browser: Browser;
  let token: string;
  let printed = "";

  const start = async (port: number) => {
    const flags = ["--port", String(port), "--data-dir", directory.path, "--log-level", "debug"];
    server = await startDevProcess(flags);
    url = `http://127.0.0.1:${server.port}`;
  };
  const stop = async () => {
    await server.end("SIGKILL");
    const { stdout, stderr } = server.output();
    printed += stdout + stderr;
  };
  const post = async (target: string, body: unknown) => {
    const response = await fetch(url + target, { method: "POST", headers: json, body: JSON.stringify(body) });
    expect(response.ok, target).toBe(true);
    return response.json() as Promise<{ token: string }>;
  };

  beforeAll(async () => {
    directory = await aDirectory();
    site = createServer((_, response) => void response.setHeader("content-type", "text/html").end("<!doctype html>"));
    origin = await listen(site);
    await start(0);
    browser = await launchChromium();
    await post("/v1/caches", { name: "c" });
    const grants = [{ resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { name: "t" } }];
    ({ token } = await post("/v1/tokens", { grants, validForSeconds: 600 }));
  });

  afterAll(async () => {
    await browser?.close();
    await server?.end("SIGKILL");
    site?.closeAllConnections();
    await new Promise((resolve) => site?.close(resolve));
    await directory?.[Symbol.asyncDispose]();
  });

  /** A page of another origin, which nobody named with --dev-origin; it keeps the tickets of the addresses that it opens. */
  async function aTab(): Promise<Tab> {
    const tab = await (await browser.newContext()).newPage();
    await tab.goto(origin);
    await tab.addScriptTag({ content: example.replace("http://127.0.0.1:8080", url) });
    await tab.evaluate(() => {
      window.items = [];
      window.tickets = [];
      const Original = EventSource;
      Object.assign(globalThis, {
        EventSource: class extends Original {
          constructor(address: string) {
            super(address);
            window.tickets.push(new URL(address).searchParams.get("ticket") ?? "");
          }
        },
      });
    });
    return tab;
  }

  const begin = (tab: Tab) =>
    tab.evaluate(([t, p]) => follow(t as string, p as string, ({ text }) => window.items.push(text)), [token, path]);
  const waitForItems = (tab: Tab, count: number) => tab.waitForFunction((n) => window.items.length >= n, count);

  it("gets items with a ticket, and goes on with another one after a crash of the server", async () => {
    const tab = await aTab();
    await post(path, { text: "one" });
    await begin(tab);
    await post(path, { text: "two" });
    await waitForItems(tab, 2);
    const { port } = server;
    await stop();
    await start(port);
    await post(path, { text: "three" });
    await waitForItems(tab, 3);
    expect(await tab.evaluate(() => window.items)).toEqual(["one", "two", "three"]);
    const tickets = await tab.evaluate(() => window.tickets);
    expect(new Set(tickets).size).toBe(tickets.length);
    expect(tickets.length).toBeGreaterThanOrEqual(2);
    expect(tickets.every((ticket) => /^[\w-]{43}$/.test(ticket))).toBe(true);
  });

  it("is refused for good when it opens the same address again, and without a ticket", async () => {
    const tab = await aTab();
    await begin(tab);
    await waitForItems(tab, 1);
    const open = (query: string) =>
      tab.evaluate(
        (address) =>
          new Promise<number>((resolve) => {
            const source = new EventSource(address);
            source.onopen = () => resolve(source.readyState);
            source.onerror = () => resolve(source.readyState);
          }),
        `${url}${path}${query}`,
      );
    const closed = 2;
    const [ticket] = await tab.evaluate(() => window.tickets);
    expect(await open(`?after=0-0&ticket=${ticket}`)).toBe(closed);
    expect(await open("")).toBe(closed);
  });

  it("leaves no ticket in what the server prints at level debug", async () => {
    const tab = await aTab();
    await begin(tab);
    await waitForItems(tab, 1);
    const [ticket = ""] = await tab.evaluate(() => window.tickets);
    const again = await fetch(`${url}${path}?ticket=${ticket}`, { headers: { accept: "text/event-stream" } });
    expect([again.status, (await again.text()).includes(ticket)]).toEqual([401, false]);
    await stop();
    expect(printed).toContain("listens on");
    expect(printed).not.toContain(ticket);
    expect(printed).not.toMatch(/ticket=(?!REDACTED)/);
  });
});
