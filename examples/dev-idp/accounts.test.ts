// Sign-in and sign-up by their forms: what a stranger must not learn from the answers, and what a user gets.
import { createHook } from "node:async_hooks";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeJwt } from "jose";
import { describe, expect, it } from "vitest";
import { limits } from "./limits.ts";
import { aDirectory, anAuthorization, anIdp, signIn, Visitor } from "./test/visitor.ts";

type Answer = Awaited<ReturnType<Visitor["open"]>>;

/** A visitor on the sign-in page, and the same on the sign-up page. */
async function atTheForms(issuer: string) {
  const visitor = new Visitor();
  const signInPage = await visitor.open(anAuthorization(issuer).url);
  const signUpPage = await visitor.open(`${signInPage.url.href}/sign-up`);
  return { visitor, signInPage, signUpPage };
}

/** How many passwords were hashed meanwhile: Node's own requests to scrypt are counted. */
async function countingHashes<T>(work: () => Promise<T>): Promise<{ result: T; hashes: number }> {
  let hashes = 0;
  const hook = createHook({ init: (_id, type) => void (type === "SCRYPTREQUEST" && hashes++) }).enable();
  try {
    return { result: await work(), hashes };
  } finally {
    hook.disable();
  }
}

/** All that a stranger sees of an answer, but for the clock and the address they typed: of the same length in each pair below. */
function seen({ status, headers, body }: Answer, email: string) {
  const text = body.replace(`value="${email}"`, 'value=""').replace(`<strong>${email}</strong>`, "<strong></strong>");
  return { status, text, headers: [...headers].filter(([name]) => name !== "date") };
}

const lastLink = async (issuer: string) => {
  const { body } = await new Visitor().open(`${issuer}/outbox`);
  return /href="([^"]*\/confirm\?[^"]*)"/.exec(body)?.[1] ?? "no link";
};

describe("sign-up", () => {
  const values = { name: "Carol <b>", email: "carol@example.com", password: "correct horse" };

  it("makes the account when the link of the mail is opened, not before, and once", async () => {
    const dataDir = aDirectory();
    const { issuer, log } = await anIdp({ dataDir });
    const { visitor, signInPage, signUpPage } = await atTheForms(issuer);
    const sent = await visitor.submit(signUpPage, values);
    expect(sent.body).toContain("We have sent a link to <strong>carol@example.com</strong>");
    const early = await visitor.submit(signInPage, values);
    expect(early.body).toContain("E-mail or password is wrong.");

    const link = await lastLink(issuer);
    const confirmed = await visitor.open(link);
    expect(confirmed.body).toContain("Your account is ready");
    expect(confirmed.body).toContain(`href="${signInPage.url.pathname}"`);
    expect((await visitor.open(link)).body).toContain("This link does not work");
    const { id_token } = await signIn(issuer, new Visitor(), values);
    expect(decodeJwt(id_token)).toMatchObject({ email: "carol@example.com", name: "Carol <b>" });

    expect(log).toEqual(["mail to carol@example.com: Confirm your e-mail address (read it in the outbox)"]);
    const stored = readFileSync(join(dataDir, "users.json"), "utf8");
    expect(stored).not.toContain(values.password);
    expect((JSON.parse(stored) as { users: unknown[] }).users).toHaveLength(3);
  });

  it("answers the same for a known address, after the same work; only the mail tells", async () => {
    const { issuer } = await anIdp();
    const { visitor, signUpPage } = await atTheForms(issuer);
    const unknown = await countingHashes(() => visitor.submit(signUpPage, values));
    const known = await countingHashes(() => visitor.submit(signUpPage, { ...values, email: "alice@example.com" }));
    expect(seen(known.result, "alice@example.com")).toEqual(seen(unknown.result, "carol@example.com"));
    expect([known.hashes, unknown.hashes]).toEqual([1, 1]);

    const { body } = await new Visitor().open(`${issuer}/outbox`);
    expect(body.indexOf("You have an account already")).toBeLessThan(body.indexOf("Confirm your e-mail address"));
    expect(body.match(/\/confirm\?token=/g)).toHaveLength(2); // one link: its address and its text
    expect(decodeJwt((await signIn(issuer)).id_token).name).toBe("Alice"); // with the old password
  });

  it("keeps the account of whoever confirmed first", async () => {
    const { issuer } = await anIdp();
    const { visitor, signUpPage } = await atTheForms(issuer);
    await visitor.submit(signUpPage, values);
    const first = await lastLink(issuer);
    await visitor.submit(signUpPage, { ...values, name: "Mallory", password: "other words" });
    const second = await lastLink(issuer);
    expect(second).not.toBe(first);
    await visitor.open(first);
    expect((await visitor.open(second)).body).toContain("This link does not work");
    expect(decodeJwt((await signIn(issuer, new Visitor(), values)).id_token).name).toBe("Carol <b>");
  });

  it.each([
    ["name", { name: " " }],
    ["name", { name: "x".repeat(limits.nameMaxLength + 1) }],
    ["email", { email: "nobody" }],
    ["email", { email: "a@b\r\nx.example" }],
    ["email", { email: `${"x".repeat(limits.emailMaxLength)}@example.com` }],
    ["password", { password: "short" }],
    ["password", { password: "x".repeat(limits.passwordMaxLength + 1) }],
  ])("says what is wrong with the %s and keeps the rest, but never the password", async (field, change) => {
    const { issuer, log } = await anIdp();
    const { visitor, signUpPage } = await atTheForms(issuer);
    const answer = await visitor.submit(signUpPage, { ...values, ...change });
    expect(answer.status).toBe(400);
    expect(answer.body.match(/class="problem" id="\w+-problem"/g)).toEqual([`class="problem" id="${field}-problem"`]);
    expect(answer.body).toContain("Carol &lt;b&gt;".slice(0, field === "name" ? 0 : undefined));
    expect(answer.body).not.toContain("correct horse");
    expect(log).toEqual([]);
  });

  it("is refused after a few tries, for known and unknown addresses alike", async () => {
    const { issuer, log } = await anIdp();
    const { visitor, signUpPage } = await atTheForms(issuer);
    for (const email of ["alice@example.com", "carol@example.com"]) {
      for (let i = 0; i < limits.signUpTries.perEmail; i++) await visitor.submit(signUpPage, { ...values, email });
    }
    const known = await visitor.submit(signUpPage, { ...values, email: "alice@example.com" });
    expect(known.status).toBe(429);
    expect(Number(known.headers.get("retry-after"))).toBeGreaterThan(3000);
    expect((await visitor.submit(signUpPage, values)).status).toBe(429);
    expect(log).toHaveLength(2 * limits.signUpTries.perEmail);
  });
});

describe("sign-in", () => {
  it("answers the same to a wrong password and to an unknown address, after the same work", async () => {
    const { issuer } = await anIdp();
    const { visitor, signInPage } = await atTheForms(issuer);
    const tryWith = (email: string) =>
      countingHashes(() => visitor.submit(signInPage, { email, password: "todoku-dem0" }));
    const [known, unknown] = [await tryWith("alice@example.com"), await tryWith("diana@example.com")];
    expect(known.result.body).toContain("E-mail or password is wrong.");
    expect(seen(unknown.result, "diana@example.com")).toEqual(seen(known.result, "alice@example.com"));
    expect([known.hashes, unknown.hashes]).toEqual([1, 1]);
  });

  it("is refused after a few wrong passwords without a look at the next; a right one is not counted", async () => {
    const { issuer } = await anIdp();
    const { visitor, signInPage } = await atTheForms(issuer);
    const tryWith = (password: string) => visitor.submit(signInPage, { email: "alice@example.com", password });
    for (let i = 1; i < limits.signInTries.perEmail; i++) await tryWith("wrong");
    await signIn(issuer);
    expect((await tryWith("wrong")).status).toBe(400);
    const { result, hashes } = await countingHashes(() => tryWith("todoku-demo"));
    expect([result.status, hashes]).toEqual([429, 0]);
    expect(result.body).toContain("Too many tries");
    const bob = await signIn(issuer, new Visitor(), { email: "bob@example.com", password: "todoku-demo" });
    expect(decodeJwt(bob.id_token).name).toBe("Bob");
  });
});

describe("the forms", () => {
  it("refuse what did not come from their page, is no form, or is too long", async () => {
    const { issuer } = await anIdp();
    const { visitor, signInPage } = await atTheForms(issuer);
    const url = signInPage.url.href;
    const right = { email: "alice@example.com", password: "todoku-demo" };
    expect((await visitor.open(url, right)).status).toBe(403);
    expect((await visitor.open(url, { ...right, formToken: "x".repeat(43) })).status).toBe(403);
    expect((await visitor.submit(signInPage, { ...right, more: "x".repeat(limits.formMaxBytes) })).status).toBe(413);
    const typed = (contentType: string) =>
      fetch(url, { method: "POST", body: "{}", headers: { "content-type": contentType } });
    expect((await typed("application/json")).status).toBe(400); // no cookie: it is not even asked for its type
    expect((await fetch(`${issuer}/outbox`, { method: "DELETE" })).status).toBe(405);
  });

  it("belong to the browser that began, and end with the sign-in", async () => {
    const { issuer } = await anIdp();
    const { visitor, signInPage } = await atTheForms(issuer);
    const right = { email: "alice@example.com", password: "todoku-demo" };
    expect((await new Visitor().submit(signInPage, right)).body).toContain("This sign-in has ended");
    expect((await visitor.submit(signInPage, right)).url.searchParams.get("code")).toBeTruthy();
    const replayed = await visitor.submit(signInPage, right);
    expect([replayed.status, replayed.body.includes("This sign-in has ended")]).toEqual([400, true]);
  });
});
