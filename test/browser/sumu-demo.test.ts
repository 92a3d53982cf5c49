// The third article's demo in Chromium, every part a process of its own: two windows against each other, and kill -9 in the middle.
import { readFileSync } from "node:fs";
import AxeBuilder from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applications } from "../../scripts/start/applications.ts";
import { buildPage } from "../../scripts/start/page.ts";
import { launchChromium } from "../support/chromium.ts";
import { aDirectory } from "../support/server.ts";
import { noticesOf, openWindow, type SumuDemo, signInToSumu, startSumuDemo } from "../support/sumu-demo.ts";

type Mode = "UNICAST" | "MULTICAST" | "BROADCAST";

describe("sumu-demo in Chromium", () => {
  let directory: Awaited<ReturnType<typeof aDirectory>>;
  let app: SumuDemo;
  let browser: Browser;
  let [alice, bob]: Page[] = [];
  const pageOf = { alice: () => alice as Page, bob: () => bob as Page };

  const state = (page: Page, name: string) => page.locator(`header[data-state="${name}"]`).waitFor();
  const counted = (page: Page, count: number) =>
    page.getByText(count === 1 ? "1 user connected" : `${count} users connected`).waitFor();
  const told = (page: Page, text: string) => page.locator(".mantine-Notification-root", { hasText: text }).waitFor();
  const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

  const connectionsUrl = () => `http://127.0.0.1:${app.todoku.port}/v1/connections`;

  beforeAll(async () => {
    await buildPage(applications[2]);
    directory = await aDirectory();
    [app, browser] = await Promise.all([startSumuDemo(directory.path), launchChromium()]);
    alice = await signInToSumu(browser, app, "alice@example.com");
    bob = await signInToSumu(browser, app, "bob@example.com");
    await Promise.all([counted(alice, 2), counted(bob, 2), told(alice, "Bob is ONLINE")]);
  });

  afterAll(async () => {
    await browser?.close();
    await app?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });

  async function write(page: Page, text: string, mode: Mode, users: readonly string[] = []): Promise<void> {
    await page.getByText(mode, { exact: true }).click();
    await page.getByRole("textbox", { name: "Text" }).fill(text);
    if (mode !== "MULTICAST") return;
    const choice = page.locator(".mantine-MultiSelect-inputField");
    await choice.click();
    while ((await page.locator(".mantine-MultiSelect-pill").count()) > 0) await choice.press("Backspace");
    for (const user of users) await page.getByRole("option", { name: user }).click();
    await page.keyboard.press("Escape");
  }

  it.each([
    ["Publish", "Published"],
    ["Send", "Sent"],
  ])("%s brings UNICAST, MULTICAST and BROADCAST where they belong, and nowhere else", async (way, done) => {
    const [page, other] = [pageOf.alice(), pageOf.bob()];
    const tab = await openWindow(page, app);
    await write(page, `${way} to myself`, "UNICAST");
    await button(page, way).click();
    await Promise.all([told(page, done), told(page, `${way} to myself`), told(tab, `${way} to myself`)]);
    await write(page, `${way} to bob`, "MULTICAST", ["Bob"]);
    await button(page, way).click();
    await told(other, `${way} to bob`);
    await write(page, `${way} to all`, "BROADCAST");
    await button(page, way).click();
    await told(other, `${way} to all`);
    // Everything that came before has arrived when this has: both ways keep their order.
    await write(other, `${way} is over`, "BROADCAST");
    await button(other, way).click();
    await Promise.all([told(page, `${way} is over`), told(tab, `${way} is over`)]);
    const heard = (texts: readonly string[]) => texts.filter((text) => text.includes(`${way} to`));
    expect(heard(await noticesOf(page))).toEqual([`New message from Alice: ${way} to myself`]);
    expect(heard(await noticesOf(tab))).toEqual([`New message from Alice: ${way} to myself`]);
    expect(heard(await noticesOf(other))).toEqual([
      `New message from Alice: ${way} to bob`,
      `New message from Alice: ${way} to all`,
    ]);
    await tab.close();
    await counted(other, 2);
  });

  it("says what is missing, keeps what was written, and pings", async () => {
    const page = pageOf.alice();
    await write(page, "", "UNICAST");
    await button(page, "Publish").click();
    await page.getByText("The text is empty.").waitFor();
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("TEXTAREA");
    await write(page, "to whom?", "MULTICAST");
    await button(page, "Send").click();
    await page.getByText("Choose at least one user.").waitFor();
    expect(await page.getByText("The text is empty.").count()).toBe(0);
    expect(await page.getByText("8 / 150").count()).toBe(1);
    await page.getByRole("textbox", { name: "Text" }).fill("x".repeat(200));
    expect(await page.getByText("150 / 150").count()).toBe(1);
    await button(page, "Ping").click();
    await told(page, "Pong");
    await button(page, "Disconnect").click();
    await Promise.all([told(page, "Disconnected"), state(page, "disconnected")]);
    expect(await page.getByText(/users? connected/).count()).toBe(0);
    for (const name of ["Publish", "Send", "Ping", "Disconnect"])
      expect({ name, isDisabled: await button(page, name).isDisabled() }).toEqual({ name, isDisabled: true });
    await page.getByRole("textbox", { name: "Text" }).press("Control+Enter");
    await told(page, "Not connected");
    await told(pageOf.bob(), "Alice is OFFLINE");
    await counted(pageOf.bob(), 1);
    await button(page, "Connect").click();
    await Promise.all([counted(page, 2), counted(pageOf.bob(), 2)]);
  });

  it("shows who looks, and behind the count who is there", async () => {
    const page = pageOf.alice();
    expect(await page.getByTitle("Signed in as Alice").textContent()).toBe("Alice");
    await button(page, "2 users connected").click();
    const names = page.getByRole("list", { name: "Connected users" }).getByRole("listitem");
    await names.first().waitFor();
    expect(await names.allTextContents()).toEqual(["Alice (you)", "Bob"]);
    await page.keyboard.press("Escape");
    await names.first().waitFor({ state: "hidden" });
  });

  it("shows at each button the code that it runs", async () => {
    for (const name of ["publish", "send", "connect", "disconnect", "ping"]) {
      const label = `Source of ${name[0]?.toUpperCase()}${name.slice(1)}`;
      const code = await pageOf.alice().getByRole("region", { name: label, exact: true }).textContent();
      const source = readFileSync(
        new URL(`../../examples/sumu-demo/web/src/actions/${name}.ts`, import.meta.url),
        "utf8",
      );
      expect(code).toBe(source.trimEnd());
    }
  });

  it("tells of the last window of a user that closes, after the grace, and not of one that is loaded again", async () => {
    const page = pageOf.alice();
    const before = (await noticesOf(page)).length;
    await pageOf.bob().reload();
    await state(pageOf.bob(), "connected");
    const second = await openWindow(pageOf.bob(), app);
    await pageOf.bob().close();
    bob = second;
    await write(second, "still here", "BROADCAST");
    await button(second, "Publish").click();
    await told(page, "still here");
    expect((await noticesOf(page)).slice(before)).toEqual(["New message from Bob: still here"]);
    await counted(page, 2);
    await write(page, "are you there?", "MULTICAST", ["Bob"]);
    await second.goto("about:blank");
    await told(page, "Bob is OFFLINE");
    await counted(page, 1);
    await page.locator(".mantine-MultiSelect-pill", { hasText: "Bob (gone)" }).waitFor();
    await button(page, "Publish").click();
    await page.getByText("Bob is not there.").waitFor();
    await second.goto(app.pageUrl);
    await Promise.all([told(page, "Bob is ONLINE"), counted(page, 2), counted(second, 2)]);
  });

  it("finds its way back when the server is killed, with the right list, and loses nothing that it took", async () => {
    const [page, other] = [pageOf.alice(), pageOf.bob()];
    const second = await openWindow(other, app);
    const before = (await noticesOf(other)).length;
    // What is taken now can be carried out after the kill only.
    app.backend.child.kill("SIGSTOP");
    await write(page, "before the kill", "BROADCAST");
    await button(page, "Publish").click();
    await told(page, "Published");
    await app.todoku.end("SIGKILL");
    app.backend.child.kill("SIGCONT");
    await Promise.all([state(page, "connecting"), state(other, "connecting"), told(page, "Reconnecting")]);
    // Who goes meanwhile can say no farewell.
    await second.close();
    await app.startTodoku();
    await Promise.all([state(page, "connected"), state(other, "connected"), told(other, "before the kill")]);
    await Promise.all([counted(page, 2), counted(other, 2)]);
    const notices = (await noticesOf(other)).slice(before);
    expect(notices.filter((text) => /^(New message|Presence)/.test(text))).toEqual([
      "New message from Alice: before the kill",
    ]);
    await other.goto("about:blank");
    await counted(page, 1);
  });

  it.each(["light", "dark"] as const)("is accessible with the %s colours, on a phone too", async (colorScheme) => {
    const page = pageOf.alice();
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await page.getByText("MULTICAST", { exact: true }).click();
    await page.evaluate(AxeBuilder.source);
    for (const size of [
      { width: 1280, height: 900 },
      { width: 360, height: 740 },
    ]) {
      await page.setViewportSize(size);
      // A colour between two schemes is nobody's choice: what still moves comes to its end first.
      await page.evaluate(() => Promise.all(document.getAnimations().map((animation) => animation.finished)));
      const { violations } = await page.evaluate(() =>
        (
          globalThis as unknown as { axe: { run(): Promise<{ violations: { id: string; nodes: unknown[] }[] }> } }
        ).axe.run(),
      );
      const isWider = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      expect({ size, isWider, violations: violations.map(({ id }) => id) }).toEqual({
        size,
        isWider: false,
        violations: [],
      });
    }
  });

  it("can be worked with the keyboard alone", async () => {
    const page = pageOf.alice();
    await page.getByRole("radio", { name: "UNICAST" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    expect(await page.getByRole("radio", { name: "BROADCAST" }).isChecked()).toBe(true);
    await page.keyboard.press("Tab");
    await page.keyboard.type("by hand");
    // What came can be scrolled with the keys, so it is on the way when it is long.
    await page.keyboard.press("Tab");
    const focused = () => page.evaluate(() => document.activeElement?.textContent);
    if ((await focused()) !== "Publish") await page.keyboard.press("Tab");
    expect(await focused()).toBe("Publish");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector("textarea")?.value === "");
  });

  it("says that the user was signed out when an operator ends the connection, and can connect again", async () => {
    const page = pageOf.alice();
    const kick = { everyone: true, reconnect: false, reason: "by an operator" };
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${connectionsUrl()}/kick`, { method: "POST", headers, body: JSON.stringify(kick) });
    expect(answer.status).toBe(200);
    await told(page, "You were signed out");
    await state(page, "disconnected");
    await button(page, "Connect").click();
    await state(page, "connected");
  });

  it("closes its socket when the user logs out", async () => {
    const page = pageOf.alice();
    // The page would go away, and its socket with it, to sign out at the provider too.
    await page.route("**/session/end**", (route) => route.fulfill({ status: 204 }));
    await page.getByRole("button", { name: "Log out" }).click();
    await page.getByRole("button", { name: "Sign in" }).waitFor();
    const connections = async () => (await (await fetch(connectionsUrl())).json()) as unknown;
    await expect.poll(connections).toMatchObject({ connections: [] });
  });
});
