// The pages of examples/dev-idp in Chromium, as a person uses them: no script error, nothing that axe finds.
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import type { Browser, Page as Tab } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningIdp, startIdp } from "../../examples/dev-idp/start-idp.ts";
import { launchChromium, noChromium } from "../support/chromium.ts";

const isSkipped = noChromium !== undefined && !process.env.CI;

/** A page of another origin that says what it was called with. */
async function anApp() {
  const server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/plain" }).end(`back at the app: ${request.url}`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

describe.skipIf(isSkipped)(`the identity provider's pages${isSkipped ? ` (${noChromium})` : ""}`, () => {
  let dataDir: string;
  let idp: RunningIdp;
  let app: Awaited<ReturnType<typeof anApp>>;
  let browser: Browser;

  beforeAll(async () => {
    app = await anApp();
    dataDir = mkdtempSync(join(tmpdir(), "todoku-dev-idp-"));
    idp = await startIdp({ port: 0, host: "127.0.0.1", dataDir, clientId: "task-notifications", log: () => {} });
    browser = await launchChromium();
  });

  afterAll(async () => {
    await browser?.close();
    await idp?.close();
    app?.close();
    if (dataDir) rmSync(dataDir, { recursive: true, force: true });
  });

  /** A tab of its own browser context, and what its console complained of: a refused script, style or form among it. */
  async function aTab(colorScheme: "light" | "dark" = "light"): Promise<{ tab: Tab; complaints: string[] }> {
    const tab = await (await browser.newContext({ colorScheme, viewport: { width: 375, height: 812 } })).newPage();
    const complaints: string[] = [];
    // Chromium says of each refusal by status that the resource failed to load.
    tab.on("console", (message) => {
      if (message.type() !== "error" || /status of 4\d\d/.test(message.text())) return;
      complaints.push(message.text());
    });
    tab.on("pageerror", (error) => complaints.push(error.message));
    return { tab, complaints };
  }

  function authorizationUrl(more: Record<string, string> = {}): string {
    const query = new URLSearchParams({
      client_id: "task-notifications",
      response_type: "code",
      redirect_uri: `${app.origin}/signed-in`,
      scope: "openid email profile offline_access",
      code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", // RFC 7636, appendix B
      code_challenge_method: "S256",
      ...more,
    });
    return `${idp.issuer}/auth?${query}`;
  }

  async function signIn(tab: Tab, email: string, password: string): Promise<void> {
    await tab.getByLabel("E-mail").fill(email);
    await tab.getByLabel("Password").fill(password);
    await tab.getByRole("button", { name: "Sign in" }).click();
  }

  /** What the app does with the code that it was called back with. */
  async function idTokenOf(tab: Tab): Promise<string> {
    const body = new URLSearchParams({
      grant_type: "authorization_code",
      client_id: "task-notifications",
      code: new URL(tab.url()).searchParams.get("code") ?? "",
      redirect_uri: `${app.origin}/signed-in`,
      code_verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", // RFC 7636, appendix B, as the challenge above
    });
    const response = await fetch(`${idp.issuer}/token`, { method: "POST", body });
    return ((await response.json()) as { id_token: string }).id_token;
  }

  const signedIn = (tab: Tab) => tab.waitForURL(`${app.origin}/signed-in?code=*`);

  /** What axe finds on the page, in words. */
  async function findings(tab: Tab): Promise<string[]> {
    await tab.evaluate(axe.source);
    const { violations } = (await tab.evaluate("axe.run()")) as axe.AxeResults;
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(", ")}`);
  }

  it("signs in with the keyboard alone, and out again at the app's word", async () => {
    const { tab, complaints } = await aTab();
    await tab.goto(authorizationUrl());
    await tab.locator("input[name=email]:focus").waitFor(); // what is typed before goes nowhere
    await tab.keyboard.type("alice@example.com");
    await tab.keyboard.press("Tab");
    await tab.keyboard.type("todoku-demo");
    await tab.keyboard.press("Enter");
    await signedIn(tab);
    await tab.goto(authorizationUrl());
    await signedIn(tab); // without a question

    const hint = await idTokenOf(tab);
    await tab.goto(`${idp.issuer}/session/end?id_token_hint=${hint}&post_logout_redirect_uri=${app.origin}/bye`);
    await tab.waitForURL(`${app.origin}/bye`);
    await tab.goto(authorizationUrl());
    expect(await tab.getByRole("heading", { level: 1 }).textContent()).toBe("Sign in");
    expect(complaints).toEqual([]);
  });

  it("signs another user in where one is signed in", async () => {
    const { tab, complaints } = await aTab();
    await tab.goto(authorizationUrl());
    await signIn(tab, "alice@example.com", "todoku-demo");
    await signedIn(tab);
    await tab.goto(authorizationUrl({ prompt: "login" }));
    await signIn(tab, "bob@example.com", "todoku-demo");
    await signedIn(tab);
    expect(complaints).toEqual([]);
  });

  it("signs up by the link of the outbox, which shows the mail without being reloaded", async () => {
    const { tab, complaints } = await aTab();
    const outbox = await tab.context().newPage();
    await outbox.goto(`${idp.issuer}/outbox`);
    await tab.goto(authorizationUrl());
    await tab.getByRole("link", { name: "Sign up" }).click();
    await tab.getByLabel("Name").fill("Carol");
    await tab.getByLabel("E-mail").fill("carol@example.com");
    await tab.getByLabel("Password").fill("correct horse");
    await tab.getByRole("button", { name: "Send me the link" }).click();
    await tab.getByText("We have sent a link to carol@example.com").waitFor();

    await outbox.getByRole("listitem").filter({ hasText: "carol@example.com" }).getByRole("link").click();
    await outbox.getByRole("link", { name: "Continue to sign-in" }).click();
    await signIn(outbox, "carol@example.com", "correct horse");
    await signedIn(outbox);
    expect(complaints).toEqual([]);
  });

  it.each(["light", "dark"] as const)("gives axe nothing to find, %s", async (scheme) => {
    const { tab, complaints } = await aTab(scheme);
    const found: Record<string, string[]> = {};
    const look = async (page: string) => {
      found[page] = await findings(tab);
    };
    await tab.goto(authorizationUrl());
    await look("sign in");
    await signIn(tab, "alice@example.com", "wrong");
    await tab.getByRole("alert").waitFor();
    await look("sign in again");
    await tab.getByRole("link", { name: "Sign up" }).click();
    await tab.getByRole("button", { name: "Send me the link" }).click();
    await tab.getByText("Give a name").waitFor();
    await look("sign up");
    await tab.getByLabel("Name").fill("Dora");
    await tab.getByLabel("E-mail").fill(`${scheme}@example.com`);
    await tab.getByLabel("Password").fill("correct horse");
    await tab.getByRole("button", { name: "Send me the link" }).click();
    await tab.getByText("We have sent a link").waitFor();
    await look("check your mail");
    await tab.goto(`${idp.issuer}/outbox`);
    await look("outbox");
    await tab
      .getByRole("listitem")
      .filter({ hasText: `${scheme}@example.com` })
      .getByRole("link")
      .click();
    await tab.getByText("Your account is ready").waitFor();
    await look("confirmed");
    await tab.goto(idp.issuer);
    await look("home");
    await tab.goto(authorizationUrl({ redirect_uri: "https://evil.example/" }));
    await look("error");
    await tab.goto(authorizationUrl());
    await signIn(tab, "alice@example.com", "todoku-demo");
    await signedIn(tab);
    await tab.goto(`${idp.issuer}/session/end`);
    await look("sign out");
    await tab.getByRole("button", { name: "Sign out" }).click();
    await tab.getByText("You are signed out").waitFor();
    await look("signed out");
    expect(Object.entries(found).filter(([, problems]) => problems.length > 0)).toEqual([]);
    expect(Object.keys(found)).toHaveLength(10);
    expect(complaints).toEqual([]);
  });
});
