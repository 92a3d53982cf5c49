// When keys are fetched, kept and given up. (B8) is the defect of the article's authorizer: no timeout, no refetch, a failed fetch denies all.
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { TestMachine } from "../../../test/support/clock.ts";
import { aKey, anIssuer, type IssuerKey, toJwk } from "../../../test/support/issuer.ts";
import type { TodokuError } from "../../domain/errors.ts";
import {
  createGuardedClient,
  type GuardedClient,
  type GuardedRequest,
} from "../../lib/guarded-client/guarded-client.ts";
import type { Log } from "../../lib/log.ts";
import { silentLog } from "../../lib/log.ts";
import { IssuerKeys } from "./issuer-keys.ts";
import { discoverySource, fileSource, freshMsOf, type KeySource, uriSource } from "./key-sources.ts";

const client = createGuardedClient({ allowed: ["127.0.0.1"], permitsLoopback: false });
/** Calls public addresses only. */
const outside = createGuardedClient({ allowed: [], permitsLoopback: false });
const directory = mkdtempSync(join(tmpdir(), "todoku-keys-"));
afterAll(async () => {
  await client.close();
  await outside.close();
  rmSync(directory, { recursive: true });
});

const [first, second] = [aKey("ES256", "first"), aKey("ES256", "second")];
const minuteMs = 60_000;

/** Keys at a time of their own. */
function theKeys(source: KeySource) {
  const machine = new TestMachine();
  const lines: string[] = [];
  const log: Log = {
    ...silentLog,
    warn: (_, message) => void lines.push(message),
    info: (_, message) => void lines.push(`info: ${message}`),
  };
  const keys = new IssuerKeys(source, "https://issuer.test", machine, log);
  const find = async (kid: string): Promise<string> => {
    try {
      return (await keys.find((key) => key.kid === kid)).map((key) => key.kid).join() || "none";
    } catch (error) {
      return (error as TodokuError).code;
    }
  };
  return { machine, lines, keys, find };
}

describe("keys of a provider", () => {
  it("are fetched once for all who come at once, and then there at once", async () => {
    await using issuer = await anIssuer(first);
    const { keys, find } = theKeys(uriSource(client, issuer.jwksUri));
    expect(await Promise.all(["first", "first", "first"].map(find))).toEqual(["first", "first", "first"]);
    expect(issuer.received).toHaveLength(1);
    expect(keys.find(({ kid }) => kid === "first")).toMatchObject([{ kid: "first", alg: "ES256" }]);
  });

  it("are fetched again for one that is not known: a rotation locks nobody out (B8)", async () => {
    await using issuer = await anIssuer(first);
    const { machine, find } = theKeys(uriSource(client, issuer.jwksUri));
    expect(await find("first")).toBe("first");
    machine.pass(30_000);
    issuer.state.keys = [second];
    expect(await find("second")).toBe("second");
    expect(await find("first")).toBe("none");
    expect(issuer.received).toHaveLength(2);
  });

  it("are not fetched more often than each 30 seconds, whatever strangers write into tokens", async () => {
    await using issuer = await anIssuer(first);
    const { machine, find } = theKeys(uriSource(client, issuer.jwksUri));
    await find("first");
    for (let n = 0; n < 100; n++) expect(await find(`made-up-${n}`)).toBe("none");
    expect(issuer.received).toHaveLength(1);
    machine.pass(29_999);
    expect(await find("made-up")).toBe("none");
    expect(issuer.received).toHaveLength(1);
    machine.pass(1);
    expect(await Promise.all(["x", "y", "first"].map(find))).toEqual(["none", "none", "first"]);
    expect(issuer.received).toHaveLength(2);
  });

  it("that the provider has withdrawn count no longer than it said", async () => {
    await using issuer = await anIssuer(first);
    issuer.state.headers = { "cache-control": "public, max-age=900, must-revalidate", age: "600" };
    const { machine, find } = theKeys(uriSource(client, issuer.jwksUri));
    await find("first");
    issuer.state.keys = [second];
    machine.pass(5 * minuteMs - 1);
    expect([await find("first"), issuer.received.length]).toEqual(["first", 1]);
    machine.pass(1);
    expect([await find("first"), issuer.received.length]).toEqual(["none", 2]);
  });

  it("stay in use for a day while the provider is away, told once, and nobody waits (B8)", async () => {
    await using issuer = await anIssuer(first);
    const { machine, lines, find } = theKeys(uriSource(client, issuer.jwksUri));
    await find("first");
    issuer.state.status = 503;
    machine.pass(11 * minuteMs);
    for (let hours = 0; hours < 23; hours++) {
      expect(await find("first")).toBe("first");
      machine.pass(60 * minuteMs);
    }
    expect(lines).toEqual([
      "the keys of an identity provider cannot be read: it answered 503; the last ones stay in use for a day",
    ]);
    machine.pass(60 * minuteMs);
    expect(await find("first")).toBe("unavailable");
    issuer.state.status = 200;
    machine.pass(1000);
    expect(await find("first")).toBe("first");
    expect(lines.slice(1)).toEqual([
      "the keys of an identity provider cannot be read: it answered 503; none of its users can sign in",
      "info: the keys of an identity provider can be read again",
    ]);
  });

  it("that are not there at the start warn nobody before a user needs them, and then once", async () => {
    await using issuer = await anIssuer(first);
    issuer.state.status = 503;
    const { machine, lines, keys, find } = theKeys(uriSource(client, issuer.jwksUri));
    await keys.start();
    expect(lines).toEqual([
      "info: the keys of an identity provider cannot be read yet: it answered 503; they are asked for again when a user comes",
    ]);
    // Within the cool-down: nothing is asked again, and yet this user is not let in.
    expect([await find("first"), await find("first"), issuer.received.length]).toEqual([
      "unavailable",
      "unavailable",
      1,
    ]);
    machine.pass(1000);
    expect(await find("first")).toBe("unavailable");
    expect(lines.slice(1)).toEqual([
      "the keys of an identity provider cannot be read: it answered 503; none of its users can sign in",
    ]);
  });

  it("that a provider has a little after the start are no word of warning", async () => {
    await using issuer = await anIssuer(first);
    issuer.state.status = 503;
    const { machine, lines, keys, find } = theKeys(uriSource(client, issuer.jwksUri));
    await keys.start();
    issuer.state.status = 200;
    machine.pass(1000);
    expect(await find("first")).toBe("first");
    expect(lines.every((line) => line.startsWith("info: "))).toBe(true);
  });

  it("that cannot be had make nobody a stranger: it is not known who they are (B8)", async () => {
    await using issuer = await anIssuer(first);
    issuer.state.status = 500;
    const { machine, lines, find } = theKeys(uriSource(client, issuer.jwksUri));
    expect(await find("first")).toBe("unavailable");
    expect(await find("first")).toBe("unavailable");
    expect(issuer.received).toHaveLength(1);
    issuer.state.status = 200;
    machine.pass(1000);
    expect(await find("first")).toBe("first");
    expect(lines).toHaveLength(2);
  });

  it("that may be new while the provider is away are not refused for good either", async () => {
    await using issuer = await anIssuer(first);
    const { machine, find } = theKeys(uriSource(client, issuer.jwksUri));
    await find("first");
    issuer.state.status = 503;
    machine.pass(minuteMs);
    expect([await find("second"), await find("second"), await find("first")]).toEqual([
      "unavailable",
      "unavailable",
      "first",
    ]);
  });

  it("are waited for no longer than five seconds (B8)", async () => {
    const calls: GuardedRequest[] = [];
    const slow: Pick<GuardedClient, "call"> = {
      call: async (request) => {
        calls.push(request);
        return { kind: "timeout", error: "no answer within 5000 ms", latencyMs: 5000 };
      },
    };
    const { find } = theKeys(uriSource(slow, "https://issuer.test/jwks"));
    expect(await find("first")).toBe("unavailable");
    expect(calls).toMatchObject([{ method: "GET", timeoutMs: 5000 }]);
  });
});

describe("an address with keys", () => {
  const problemOf = (source: KeySource) =>
    source.read().then(
      () => "none",
      (error: Error) => error.message,
    );

  it("follows no redirect, and takes no document that is none", async () => {
    await using issuer = await anIssuer(first);
    issuer.state.status = 302;
    expect(await problemOf(uriSource(client, issuer.jwksUri))).toBe("it answered 302: redirects are not followed");
    issuer.state.status = 200;
    expect(await problemOf(uriSource(client, `${issuer.issuer}/openid`))).toContain("neither a JSON Web Key Set nor");
    issuer.state.keys = [];
    expect(await problemOf(uriSource(client, issuer.jwksUri))).toBe("there is no key in it");
    expect(await problemOf(uriSource(client, "http://127.0.0.2:1/jwks"))).toContain("127.0.0.2 is no public address");
  });

  it.each<[string | undefined, number]>([
    [undefined, 10 * minuteMs],
    ["public, max-age=21600, must-revalidate", 360 * minuteMs],
    ['max-age="120"', 2 * minuteMs],
    ["max-age=0", minuteMs],
    ["no-store", minuteMs],
    ["private, no-cache", minuteMs],
    ["max-age=99999999999", 24 * 60 * minuteMs],
    ["s-maxage=5", 10 * minuteMs],
    ["max-age=soon", 10 * minuteMs],
  ])("that says %s is asked again after %i ms", (header, ms) => {
    expect(freshMsOf(header)).toBe(ms);
  });

  it.each<[string, string, number]>([
    ["max-age=21600", "3600", 300 * minuteMs],
    ["max-age=21600", "99999", minuteMs],
    ["max-age=21600", "-5", 360 * minuteMs],
    ["max-age=21600", "a while", 360 * minuteMs],
  ])("that says %s, and that a cache has had it for %s seconds, is asked again after %i ms", (header, age, ms) => {
    expect(freshMsOf(header, age)).toBe(ms);
  });

  it("is found in the issuer's OpenID document, which must be the issuer's own", async () => {
    await using issuer = await anIssuer(first);
    const source = discoverySource(client, outside, issuer.issuer);
    expect((await source.read()).keys).toMatchObject([{ kid: "first" }]);
    expect(issuer.received.map(({ path }) => path)).toEqual(["/.well-known/openid-configuration", "/jwks"]);
    issuer.state.configuration = { issuer: "https://another.test" };
    expect(await problemOf(source)).toContain("its issuer is another one");
    issuer.state.configuration = { jwks_uri: undefined };
    expect(await problemOf(source)).toContain("issuer or jwks_uri is missing");
  });

  it("may not be on a private host of the operator's that is another one than the issuer's", async () => {
    await using issuer = await anIssuer(first);
    await using backend = await anIssuer(second);
    const inside = createGuardedClient({ allowed: ["127.0.0.1", "127.0.0.2"], permitsLoopback: false });
    const source = discoverySource(inside, outside, issuer.issuer);
    issuer.state.configuration = { jwks_uri: backend.jwksUri.replace("127.0.0.1", "127.0.0.2") };
    expect(await problemOf(source)).toContain("127.0.0.2 is no public address");
    issuer.state.configuration = { jwks_uri: "/jwks" };
    expect(await problemOf(source)).toBe("it is no URL");
    await inside.close();
  });

  it("may not leave TLS, where the issuer has it", async () => {
    const configuration = JSON.stringify({ issuer: "https://issuer.test", jwks_uri: "http://issuer.test/jwks" });
    const answer = { kind: "answer", status: 200, headers: {}, latencyMs: 1, isPublic: true } as const;
    const call = async () => ({ ...answer, body: Buffer.from(configuration) });
    expect(await problemOf(discoverySource({ call }, outside, "https://issuer.test"))).toBe(
      "its jwks_uri is not https:",
    );
  });
});

describe("a file with keys", () => {
  async function write(path: string, atSeconds: number, ...keys: IssuerKey[]): Promise<void> {
    writeFileSync(path, JSON.stringify({ keys: await Promise.all(keys.map((key) => toJwk(key))) }));
    utimesSync(path, atSeconds, atSeconds);
  }

  it("is read again when it has changed, within 30 seconds", async () => {
    const path = join(directory, "jwks.json");
    await write(path, 1000, first);
    const { machine, find } = theKeys(fileSource(path));
    expect(await find("first")).toBe("first");
    await write(path, 2000, second);
    expect([await find("second"), await find("first")]).toEqual(["none", "first"]);
    machine.pass(30_000);
    expect([await find("first"), await find("second")]).toEqual(["none", "second"]);
  });

  it("that is gone or broken changes nothing for a day, and is told by its name", async () => {
    const path = join(directory, "gone.json");
    await write(path, 1000, first);
    const { machine, lines, find } = theKeys(fileSource(path));
    await find("first");
    rmSync(path);
    machine.pass(minuteMs);
    expect(await find("first")).toBe("first");
    expect(lines).toEqual([expect.stringContaining("it cannot be read (ENOENT)")]);
  });
});
