import { describe, expect, it } from "vitest";
import type { Grant } from "../../domain/auth/grants.ts";
import { type CredentialJson, describeTime, explainCredential } from "./credential-sentences.ts";

const nowMs = Date.UTC(2026, 10, 22, 12);
const token: CredentialJson = {
  ...{ kind: "token", status: "valid", environment: "dev", keyId: "dev-0123456789abcdef", tokenId: "alice-phone" },
  ...{ userId: "alice", jti: "0b6c", issuedAtMs: nowMs - 12 * 60_000, expiresAtMs: nowMs + 48 * 60_000 },
  ...{ superUser: false, operator: false, grants: [] },
};

function explain(changes: Partial<CredentialJson>): string {
  return explainCredential({ ...token, ...changes }, nowMs).join("\n");
}

describe("explainCredential", () => {
  it("says of a token who issued it, for whom, until when, what it may do and what it may not", () => {
    const grants: Grant[] = [
      { resource: "topic", role: "subscribe", cache: { name: "demo" }, topic: { prefix: "user:1" } },
      { resource: "queue", role: "send", queue: { name: "orders" } },
    ];
    expect(explain({ grants })).toBe(`This is the token 0b6c of the environment "dev". It is valid.
It was issued by the API key dev-0123456789abcdef at 2026-11-22T11:48:00.000Z (12 minutes ago), for the user "alice".
It has the token id "alice-phone": what it publishes carries it.
It ends at 2026-11-22T12:48:00.000Z (in 48 minutes).

It may
  - subscribe to every topic whose name begins with "user:1" of the cache "demo"
  - send messages to the queue "orders"
It may not
  - publish to topics
  - read items of caches
  - write items of caches
  - receive messages from queues
  - use routes of the gateway
  - watch the presence of users
  - read secrets
  - write secrets
  - see webhooks
  - make and change webhooks
  - send notifications
  - see connections
  - send to single connections
  - end connections
  - issue tokens
  - make or delete caches, queues and API keys, or revoke anything
  - do any of it where no grant above says so`);
  });

  it("says when a token was issued without a key, for nobody, and has no token id", () => {
    const { keyId: _key, userId: _user, ...anonymous } = token;
    const text = explainCredential({ ...anonymous, tokenId: "" }, nowMs).join("\n");
    expect(text).toContain("It was issued without an API key (dev mode) at ");
    expect(text).toContain("for no named user.\nIt has no token id.\n");
  });

  it.each([
    ["valid", "It is valid."],
    ["expired", "It has EXPIRED: it is refused."],
    ["revoked", "It was REVOKED: it is refused."],
    ["unknown", "Its environment is NOT HERE: it is refused."],
  ] as const)("says of one that is %s: %s", (status, text) => {
    expect(explain({ status })).toContain(`of the environment "dev". ${text}\n`);
  });

  it("says in the past tense when it has ended, and that a key need not end", () => {
    expect(explain({ status: "expired", expiresAtMs: nowMs })).toContain("It ended at 2026-11-22T12:00:00.000Z");
    expect(explain({ kind: "key", expiresAtMs: null })).toContain("\nIt does not expire.\n");
  });

  it("names an API key by its id, and by its own name where it has one", () => {
    expect(explain({ kind: "key" })).toContain("This is the API key dev-0123456789abcdef of the");
    expect(explain({ kind: "key", name: "worker" })).toContain("the API key dev-0123456789abcdef (worker) of the");
  });

  it("tells a super user from an operator", () => {
    const key = { kind: "key", superUser: true } as const;
    expect(explain(key)).toContain("It may not make, list or destroy environments.");
    expect(explain({ ...key, operator: true })).toContain("and make and destroy environments.");
    expect(explain({ ...key, operator: true })).not.toContain("may not");
  });

  it("lists under a grant to issue tokens what those may do", () => {
    const inner: Grant = { resource: "topic", role: "publish-subscribe", cache: { all: true }, topic: { all: true } };
    expect(explain({ kind: "key", grants: [{ resource: "token", role: "issue", grants: [inner] }] })).toContain(`It may
  - issue tokens that may
    - publish to, and subscribe to, all topics of all caches
It may not
  - publish to topics
`);
  });

  it.each<[Grant, string]>([
    [
      { resource: "cache", role: "read-write", cache: { name: "c" }, key: { all: true } },
      'read, write and delete all items and leaderboards of the cache "c", and flush it',
    ],
    [
      { resource: "cache", role: "read", cache: { name: "c" }, key: { name: "YWI" } },
      'read the item "ab" of the cache "c"',
    ],
    [
      { resource: "cache", role: "write", cache: { prefix: "c" }, key: { prefix: "_w" } },
      'write and delete every item whose key begins with "base64url _w" of every cache whose name begins with "c"',
    ],
    [{ resource: "queue", role: "send-receive", queue: { all: true } }, "send messages to, and receive them from, all"],
    [{ resource: "secret", role: "read", secret: { prefix: "mail-" } }, 'read every secret whose name begins with "ma'],
  ])("puts %j into words", (grant, words) => {
    expect(explain({ grants: [grant] })).toContain(`\n  - ${words}`);
  });

  it("keeps names of others on one line and without control characters", () => {
    const text = explain({ userId: "a\nIt is valid.\u001b[2J", environment: "e\u202e" });
    expect(text).toContain('for the user "a\\nIt is valid.\\u001b[2J".');
    expect(text).toContain('environment "e\\u202e"');
  });
});

describe("describeTime", () => {
  it.each([
    [1500, "in 1 second"],
    [119_000, "in 119 seconds"],
    [120_000, "in 2 minutes"],
    [-7_300_000, "2 hours ago"],
    [47 * 3_600_000, "in 47 hours"],
    [30 * 86_400_000, "in 30 days"],
  ])("says of what is %d ms away: %s", (distanceMs, words) => {
    expect(describeTime(nowMs + distanceMs, nowMs)).toBe(`${new Date(nowMs + distanceMs).toISOString()} (${words})`);
  });
});
