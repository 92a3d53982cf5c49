// What a browser does on the way from an app to the identity provider and back, with plain fetch.
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type RunningIdp, startIdp } from "../start-idp.ts";

export const redirectUri = "http://localhost:5173/signed-in";
export const clientId = "task-notifications";

// A connection that is kept would be a dead one after a restart.
const connection = "close";

/** A directory that the test may fill; it goes with the test. */
export function aDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "todoku-dev-idp-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const madeNames = ["keys.json", "users.json"];
let made: Promise<Buffer[]> | undefined;

/** The files that a first start makes. Its RSA key and the hashes of its passwords take most of a second of a core. */
async function firstFiles(): Promise<Buffer[]> {
  const dataDir = mkdtempSync(join(tmpdir(), "todoku-dev-idp-"));
  try {
    const idp = await startIdp({ port: 0, host: "127.0.0.1", dataDir, clientId, log: () => {} });
    await idp.close();
    return madeNames.map((name) => readFileSync(join(dataDir, name)));
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

/** A directory as after a first start: that one is made once, and copied. */
async function aMadeDirectory(): Promise<string> {
  made ??= firstFiles();
  const files = await made;
  const directory = aDirectory();
  for (const [i, name] of madeNames.entries()) writeFileSync(join(directory, name), files[i] ?? "", { mode: 0o600 });
  return directory;
}

/** An identity provider for one test, and what it logged. Without a directory it is one that was started before, with its demo users. */
export async function anIdp(
  options: { dataDir?: string; port?: number } = {},
): Promise<RunningIdp & { log: string[] }> {
  const log: string[] = [];
  const { dataDir = await aMadeDirectory(), port = 0 } = options;
  const idp = await startIdp({ port, host: "127.0.0.1", dataDir, clientId, log: (line) => log.push(line) });
  let isClosed = false;
  const close = async () => {
    if (!isClosed) await idp.close();
    isClosed = true;
  };
  onTestFinished(close);
  return { ...idp, close, log };
}

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
  /** Where the last redirect led. */
  readonly url: URL;
}

/** A browser's cookies, kept by path, and its way of following redirects, up to the first one that leads to an app. */
export class Visitor {
  readonly #cookies = new Map<string, { name: string; value: string; path: string }>();

  async open(url: string, form?: Record<string, string>): Promise<Answer> {
    let address = new URL(url);
    let init: RequestInit = form ? { method: "POST", body: new URLSearchParams(form) } : {};
    for (;;) {
      const response = await fetch(address, {
        ...init,
        redirect: "manual",
        headers: { accept: "text/html", connection, cookie: this.#cookiesFor(address.pathname) },
      });
      for (const line of response.headers.getSetCookie()) this.#keep(line);
      const body = await response.text();
      const location = response.headers.get("location");
      const answer = { status: response.status, headers: response.headers, body, url: address };
      if (location === null) return answer;
      const next = new URL(location, address);
      if (next.origin !== address.origin) return { ...answer, url: next };
      [address, init] = [next, {}];
    }
  }

  /** Fills the form of that page in and sends it. */
  async submit({ body, url }: Answer, values: Record<string, string>): Promise<Answer> {
    const hidden = [...body.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)"\s*\/>/g)];
    const action = /<form [^>]*action="([^"]+)"/.exec(body)?.[1] ?? "";
    const fields = Object.fromEntries(hidden.map(([, name, value]) => [name, value]));
    return this.open(new URL(action, url).href, { ...fields, ...values });
  }

  #cookiesFor(path: string): string {
    return [...this.#cookies.values()]
      .filter((cookie) => cookie.path === "/" || path === cookie.path || path.startsWith(`${cookie.path}/`))
      .map(({ name, value }) => `${name}=${value}`)
      .join("; ");
  }

  #keep(line: string): void {
    const [pair = "", ...attributes] = line.split("; ");
    const name = pair.slice(0, pair.indexOf("="));
    const path = attributes.find((attribute) => attribute.startsWith("path="))?.slice("path=".length) ?? "/";
    if (/expires=Thu, 01 Jan 1970/.test(line)) this.#cookies.delete(`${path} ${name}`);
    else this.#cookies.set(`${path} ${name}`, { name, value: pair.slice(name.length + 1), path });
  }
}

/** An app's request to sign somebody in, and what it keeps to finish it. */
export function anAuthorization(issuer: string, change: Record<string, string | undefined> = {}) {
  const verifier = randomBytes(32).toString("base64url");
  const params: Record<string, string | undefined> = {
    client_id: clientId,
    response_type: "code",
    redirect_uri: redirectUri,
    scope: "openid email profile offline_access",
    state: randomBytes(8).toString("hex"),
    nonce: randomBytes(8).toString("hex"),
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    ...change,
  };
  const url = new URL(`${issuer}/auth`);
  for (const [name, value] of Object.entries(params)) if (value !== undefined) url.searchParams.set(name, value);
  return { url: url.href, verifier, nonce: params.nonce, state: params.state };
}

export interface Tokens {
  readonly id_token: string;
  readonly access_token: string;
  readonly refresh_token: string;
  readonly expires_in: number;
  readonly scope: string;
}

/** Asks the token endpoint, as a page of that origin. */
export function askForTokens(issuer: string, fields: Record<string, string>): Promise<Response> {
  const body = new URLSearchParams({ client_id: clientId, ...fields });
  return fetch(`${issuer}/token`, {
    method: "POST",
    body,
    headers: { connection, origin: new URL(redirectUri).origin },
  });
}

/** The whole way: app, sign-in page, back to the app, tokens. */
export async function signIn(
  issuer: string,
  visitor = new Visitor(),
  user = { email: "alice@example.com", password: "todoku-demo" },
): Promise<Tokens & { readonly nonce: string | undefined }> {
  const { url, verifier, nonce, state } = anAuthorization(issuer);
  let answer = await visitor.open(url);
  if (answer.url.origin === issuer) answer = await visitor.submit(answer, user);
  const { searchParams } = answer.url;
  if (answer.url.href.split("?")[0] !== redirectUri || searchParams.get("state") !== state) {
    throw new Error(`not back at the app but at ${answer.url}: ${answer.body}`);
  }
  const code = searchParams.get("code") ?? "";
  const response = await askForTokens(issuer, {
    grant_type: "authorization_code",
    code,
    code_verifier: verifier,
    redirect_uri: redirectUri,
  });
  if (!response.ok) throw new Error(await response.text());
  return { ...((await response.json()) as Tokens), nonce };
}
