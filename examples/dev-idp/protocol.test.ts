// The protocol as an app sees it: plain fetch, and jose as the API that verifies.
import { readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { createRemoteJWKSet, decodeJwt, jwtVerify } from "jose";
import { describe, expect, it } from "vitest";
import {
  aDirectory,
  anAuthorization,
  anIdp,
  askForTokens,
  clientId,
  redirectUri,
  signIn,
  Visitor,
} from "./test/visitor.ts";

/** What an API does with an id token: discovery, keys, signature, issuer, audience, expiry. */
async function verify(issuer: string, token: string) {
  const discovery = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as Record<
    string,
    string
  >;
  expect(discovery.issuer).toBe(issuer);
  const keys = createRemoteJWKSet(new URL(discovery.jwks_uri as string));
  return (await jwtVerify(token, keys, { issuer, audience: clientId, algorithms: ["RS256"] })).payload;
}

const refresh = (issuer: string, token: string) =>
  askForTokens(issuer, { grant_type: "refresh_token", refresh_token: token });

describe("signing in", () => {
  it("gives an id token with sub, email and name that verifies by discovery and JWKS, for ten minutes", async () => {
    const { issuer } = await anIdp();
    const tokens = await signIn(issuer);
    const claims = await verify(issuer, tokens.id_token);
    expect(claims).toMatchObject({
      email: "alice@example.com",
      email_verified: true,
      name: "Alice",
      nonce: tokens.nonce,
    });
    expect(claims.sub).toMatch(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    expect((claims.exp as number) - (claims.iat as number)).toBe(600);
    expect(tokens).toMatchObject({ scope: "openid email profile", expires_in: 600 });
    const profile = await fetch(`${issuer}/me`, { headers: { authorization: `Bearer ${tokens.access_token}` } });
    expect(await profile.json()).toMatchObject({ sub: claims.sub, email: "alice@example.com", name: "Alice" });
  });

  it("asks for no password again while the session lives", async () => {
    const { issuer } = await anIdp();
    const visitor = new Visitor();
    const first = await signIn(issuer, visitor);
    const silent = await visitor.open(anAuthorization(issuer, { prompt: "none" }).url);
    expect(silent.url.searchParams.get("code")).toBeTruthy();
    expect(decodeJwt((await signIn(issuer, visitor)).id_token).sub).toBe(decodeJwt(first.id_token).sub);
    const bob = await signIn(issuer, new Visitor(), { email: " BOB@example.com ", password: "todoku-demo" });
    expect(decodeJwt(bob.id_token)).toMatchObject({ name: "Bob" });
  });

  it("gives consent without a screen to an app that asks for it", async () => {
    const { issuer } = await anIdp();
    const visitor = new Visitor();
    await signIn(issuer, visitor);
    const answer = await visitor.open(anAuthorization(issuer, { prompt: "consent" }).url);
    expect(answer.url.searchParams.get("code")).toBeTruthy();
  });

  it("tells an app that asks silently that nobody is signed in", async () => {
    const { issuer } = await anIdp();
    const answer = await new Visitor().open(anAuthorization(issuer, { prompt: "none" }).url);
    expect(answer.url.searchParams.get("error")).toBe("login_required");
  });

  it("lets another user sign in where one is signed in", async () => {
    const { issuer } = await anIdp();
    const visitor = new Visitor();
    await signIn(issuer, visitor);
    const page = await visitor.open(anAuthorization(issuer, { prompt: "login", login_hint: "bob@example.com" }).url);
    expect(page.body).toContain('value="bob@example.com"');
    const leaving = await visitor.submit(page, { email: "bob@example.com", password: "todoku-demo" });
    // The old session ends first, by a form that sends itself.
    const back = await visitor.submit(leaving, {});
    expect(back.url.searchParams.get("code")).toBeTruthy();
  });
});

describe("refresh tokens", () => {
  it("give a new id token and rotate; one that is used twice ends the whole family", async () => {
    const { issuer } = await anIdp();
    const first = await signIn(issuer);
    const response = await refresh(issuer, first.refresh_token);
    expect(response.status).toBe(200);
    expect(response.headers.get("access-control-allow-origin")).toBe("http://localhost:5173");
    const second = (await response.json()) as typeof first;
    expect(second.refresh_token).not.toBe(first.refresh_token);
    const [before, after] = [await verify(issuer, first.id_token), await verify(issuer, second.id_token)];
    expect(after).toMatchObject({ sub: before.sub, email: before.email, name: before.name });

    expect((await refresh(issuer, first.refresh_token)).status).toBe(400);
    expect((await refresh(issuer, second.refresh_token)).status).toBe(400);
  });

  it("are refused to pages of other origins, and can be revoked", async () => {
    const { issuer } = await anIdp();
    const { refresh_token } = await signIn(issuer);
    for (const origin of ["https://evil.example", "http://localhost.evil.example", "null"]) {
      const body = new URLSearchParams({ client_id: clientId, grant_type: "refresh_token", refresh_token });
      const refused = await fetch(`${issuer}/token`, { method: "POST", body, headers: { origin } });
      expect(refused.status).toBe(400);
      expect(refused.headers.get("access-control-allow-origin")).toBeNull();
    }
    const body = new URLSearchParams({ client_id: clientId, token: refresh_token });
    const revoked = await fetch(`${issuer}/token/revocation`, { method: "POST", body });
    expect([revoked.status, revoked.headers.get("content-type")]).toEqual([200, null]);
    expect((await refresh(issuer, refresh_token)).status).toBe(400);
  });
});

describe("a restart", () => {
  it("keeps users, keys, sessions and refresh tokens, in files that only their owner reads", async () => {
    const dataDir = aDirectory();
    const one = await anIdp({ dataDir });
    const visitor = new Visitor();
    const tokens = await signIn(one.issuer, visitor);
    const port = Number(new URL(one.issuer).port);
    await one.close();

    const { issuer } = await anIdp({ dataDir, port });
    const claims = await verify(issuer, tokens.id_token);
    const silent = await visitor.open(anAuthorization(issuer, { prompt: "none" }).url);
    expect(silent.url.searchParams.get("code")).toBeTruthy();
    const renewed = (await (await refresh(issuer, tokens.refresh_token)).json()) as typeof tokens;
    expect((await verify(issuer, renewed.id_token)).sub).toBe(claims.sub);
    expect(decodeJwt((await signIn(issuer)).id_token).sub).toBe(claims.sub);
    for (const name of ["users.json", "keys.json", "records.sqlite", "records.sqlite-wal"]) {
      expect([name, statSync(join(dataDir, name)).mode & 0o777]).toEqual([name, 0o600]);
    }
  });

  it("asks those to sign in again whose account is gone", async () => {
    const dataDir = aDirectory();
    const one = await anIdp({ dataDir });
    const visitor = new Visitor();
    await signIn(one.issuer, visitor);
    await one.close();
    rmSync(join(dataDir, "users.json"));

    const { issuer, log } = await anIdp({ dataDir, port: Number(new URL(one.issuer).port) });
    const page = await visitor.open(anAuthorization(issuer).url);
    expect(page.body).toContain("<h1>Sign in</h1>");
    expect(log).toEqual([]);
  });

  it.each(["users.json", "keys.json"])("does not overwrite a %s that it cannot read, nor quote it", async (name) => {
    const dataDir = aDirectory();
    for (const text of ["", "secret", "null", '{"users":[{"sub":"secret"}]}']) {
      writeFileSync(join(dataDir, name), text);
      const refusal = await anIdp({ dataDir }).catch(String);
      expect(refusal).toMatch(new RegExp(`${name} does not hold .*: delete it`));
      expect(refusal).not.toContain("secret");
      expect(readFileSync(join(dataDir, name), "utf8")).toBe(text);
    }
  });

  it("is refused while another one uses the directory", async () => {
    const dataDir = aDirectory();
    await anIdp({ dataDir });
    await expect(anIdp({ dataDir })).rejects.toThrow("is in use by another identity provider");
  });
});

describe("signing out", () => {
  it("leads back to the app and ends session and refresh token", async () => {
    const { issuer } = await anIdp();
    const visitor = new Visitor();
    const tokens = await signIn(issuer, visitor);
    const url = new URL(`${issuer}/session/end`);
    url.searchParams.set("id_token_hint", tokens.id_token);
    url.searchParams.set("post_logout_redirect_uri", "http://localhost:5173/");
    url.searchParams.set("state", "bye");
    const page = await visitor.open(url.href);
    expect(page.body).toContain("/sign-out.js");
    const left = await visitor.submit(page, { logout: "yes" });
    expect(left.url.href).toBe("http://localhost:5173/?state=bye");
    expect((await refresh(issuer, tokens.refresh_token)).status).toBe(400);
    const silent = await visitor.open(anAuthorization(issuer, { prompt: "none" }).url);
    expect(silent.url.searchParams.get("error")).toBe("login_required");
  });

  it("is asked for when the app does not say whom, and ends on our own page", async () => {
    const { issuer } = await anIdp();
    const visitor = new Visitor();
    await signIn(issuer, visitor);
    const page = await visitor.open(`${issuer}/session/end`);
    expect(page.body).toContain("Stay signed in");
    expect(page.body).not.toContain("<script");
    expect((await visitor.submit(page, { logout: "yes" })).body).toContain("You are signed out");
  });

  it("leads to no foreign address", async () => {
    const { issuer } = await anIdp();
    const { id_token } = await signIn(issuer);
    const query = new URLSearchParams({ id_token_hint: id_token, post_logout_redirect_uri: "https://evil.example/" });
    const answer = await new Visitor().open(`${issuer}/session/end?${query}`);
    expect(answer.status).toBe(400);
    expect(answer.body).toContain("post_logout_redirect_uri");
  });
});

describe("nonsense", () => {
  it.each([
    ["a foreign redirect_uri", { redirect_uri: "https://evil.example/" }],
    ["a redirect_uri that hides its host", { redirect_uri: "http://localhost:1@evil.example/" }],
    ["no redirect_uri", { redirect_uri: undefined }],
    ["an unknown client", { client_id: "somebody-else" }],
    ["no client", { client_id: undefined }],
    ["markup for a client", { client_id: "<script>alert(1)</script>" }],
  ])("in %s gets an error page and no redirect", async (_what, change) => {
    const { issuer } = await anIdp();
    const answer = await new Visitor().open(anAuthorization(issuer, change).url);
    expect(answer.status).toBe(400);
    expect(answer.url.origin).toBe(issuer);
    expect(answer.body).toContain("This does not work");
    expect(answer.body).not.toMatch(/<script>|node_modules|at file:/);
    expect(answer.headers.get("content-security-policy")).toContain("default-src 'none'");
  });

  it.each([
    ["no PKCE", { code_challenge: undefined, code_challenge_method: undefined }, "PKCE"],
    ["plain PKCE", { code_challenge_method: "plain" }, "code_challenge_method"],
    ["another response type", { response_type: "token" }, "response_type"],
  ])("in %s is told to the app", async (_what, change, word) => {
    const { issuer } = await anIdp();
    const { url } = await new Visitor().open(anAuthorization(issuer, change).url);
    expect(url.href.split(/[?#]/)[0]).toBe(redirectUri);
    expect(new URLSearchParams(url.search || url.hash.slice(1)).get("error_description")).toContain(word);
  });

  it("at the token endpoint gets an error in JSON", async () => {
    const { issuer } = await anIdp();
    const code = {
      grant_type: "authorization_code",
      code: "none",
      redirect_uri: redirectUri,
      code_verifier: "x".repeat(43),
    };
    for (const fields of [code, { grant_type: "password" }, { client_id: "nobody" }, { grant_type: "refresh_token" }]) {
      const response = await askForTokens(issuer, fields as Record<string, string>);
      expect([400, 401]).toContain(response.status);
      expect(await response.json()).toHaveProperty("error");
    }
    const huge = await askForTokens(issuer, { ...code, code: "x".repeat(1_000_000) });
    expect(huge.status).toBe(400);
    const json = await fetch(`${issuer}/token`, {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json" },
    });
    expect(json.status).toBe(400);
  });

  it("takes a code with its verifier only, and only once", async () => {
    const { issuer } = await anIdp();
    const visitor = new Visitor();
    await signIn(issuer, visitor);
    const { url, verifier } = anAuthorization(issuer);
    const code = (await visitor.open(url)).url.searchParams.get("code") ?? "";
    const fields = { grant_type: "authorization_code", code, redirect_uri: redirectUri };
    expect((await askForTokens(issuer, { ...fields, code_verifier: "x".repeat(43) })).status).toBe(400);
    expect((await askForTokens(issuer, { ...fields, code_verifier: verifier })).status).toBe(200);
    expect((await askForTokens(issuer, { ...fields, code_verifier: verifier })).status).toBe(400);
  });

  it("in an address gets a page", async () => {
    const { issuer, log } = await anIdp();
    for (const path of ["/nothing", "/%E0%A4%A", "//evil.example", "/interaction/", "/auth/nothing", "/outbox/x"]) {
      const answer = await new Visitor().open(`${issuer}${path}`);
      expect([400, 404]).toContain(answer.status);
      expect(answer.body).toMatch(/<h1>/);
    }
    expect(log).toEqual([]);
  });

  it("in the Host header gets no page of ours", async () => {
    const { issuer } = await anIdp();
    const answer = await new Promise<number | undefined>((resolve, reject) => {
      request(`${issuer}/outbox`, { headers: { host: "evil.example" } }, ({ statusCode }) => resolve(statusCode))
        .on("error", reject)
        .end();
    });
    expect(answer).toBe(421);
  });
});
