// What is open ends with its credential: a subscription and a waiting receive, of a key and of a token, over the whole domain.
import { afterEach, beforeEach, expect, it } from "vitest";
import { type AccessStore, anAccessStore } from "../../../test/support/access.ts";
import { aReceiver } from "../../../test/support/queues.ts";
import { silentLog } from "../../lib/log.ts";
import { TimerWheel } from "../../lib/timer-wheel.ts";
import { createCaches } from "../cache/caches.ts";
import { limits } from "../limits.ts";
import { createQueueMessages } from "../queues/messages.ts";
import { createQueues } from "../queues/queues.ts";
import { createTopics } from "../topics/topics.ts";
import type { Access } from "./access.ts";
import type { TokenGrant } from "./grants.ts";
import { openPrincipal } from "./open-access.ts";
import type { Principal } from "./principal.ts";

const grants: TokenGrant[] = [
  { resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { all: true } },
  { resource: "queue", role: "receive", queue: { name: "q" } },
];
const startMs = 1_800_000_000_000;

let elapsedMs: number;
let store: AccessStore;
let access: Access;
let open: (principal: Principal) => Promise<string[]>;
let wheel: TimerWheel;
beforeEach(async () => {
  elapsedMs = 0;
  const nowMs = () => startMs + elapsedMs;
  const clock = { monotonicMs: () => elapsedMs, steadyMs: nowMs, wallMs: nowMs };
  store = await anAccessStore(nowMs);
  access = await store.node();
  wheel = new TimerWheel(clock);
  const { engine } = store;
  const caches = createCaches(engine, { defaultDurability: "memory", wallMs: nowMs });
  await caches.start();
  await caches.create(openPrincipal, "c", "memory");
  const topics = createTopics({ engine, caches, clock, wheel, messageMaxBytes: limits.messageMaxBytes });
  const queues = createQueues(engine, nowMs);
  await queues.start();
  await queues.create(openPrincipal, "q", {});
  const messages = createQueueMessages({ engine, queues, clock, wheel, log: silentLog });
  /** Follows a topic and waits for a message; gives the errors that they ended with. */
  open = async (principal) => {
    const errors: string[] = [];
    await topics.subscribe(principal, "c", "t", undefined, {
      encoding: { items: () => new Uint8Array(), discontinuity: () => new Uint8Array() },
      write: () => true,
      close: (error) => errors.push(`subscription: ${error.message}`),
    });
    messages
      .receive(principal, "q", { maxMessages: 1, waitMs: limits.queue.waitMaxMs }, aReceiver())
      .catch((error: Error) => errors.push(`receive: ${error.message}`));
    await engine.queues.giveBack({ environment: "dev", queue: "", queueId: 0 }, []); // what was asked before is answered
    await new Promise(setImmediate);
    return errors;
  };
});
afterEach(() => store[Symbol.asyncDispose]());

/** A second of the server's life. */
async function tick(): Promise<void> {
  elapsedMs += 1000;
  wheel.runOnce();
  await access.sweep(startMs + elapsedMs);
  await new Promise(setImmediate);
}

const aKey = () => access.keys.create(openPrincipal, { isSuperUser: false, grants, validForMs: 3000 });
const both = (message: string) => [`receive: ${message}`, `subscription: ${message}`];

it("a key that expires ends its subscriptions and waiting receives within a second", async () => {
  const errors = await open(await access.keys.verify((await aKey()).secret));
  await tick();
  await tick();
  expect(errors).toEqual([]);
  await tick();
  await tick();
  expect(errors.sort()).toEqual(both("this API key has expired"));
});

it("a key that is told to end earlier ends them then, though they were opened before", async () => {
  const { key, secret } = await aKey();
  const errors = await open(await access.keys.verify(secret));
  await access.keys.expireAt(openPrincipal, key.keyId, startMs + 1000);
  await tick();
  expect(errors.sort()).toEqual(both("this API key has expired"));
});

it("a key that is deleted, and a token that is revoked, end them at once", async () => {
  const { key, secret } = await aKey();
  const { token, jti } = await access.tokens.issue(openPrincipal, { grants, tokenId: "", validForMs: 60_000 });
  const [ofKey, ofToken] = [
    await open(await access.keys.verify(secret)),
    await open(await access.tokens.verify(token)),
  ];
  await access.keys.delete(openPrincipal, key.keyId);
  await access.revocations.revoke(openPrincipal, { what: "token", jti });
  await new Promise(setImmediate);
  expect(ofKey.sort()).toEqual(both("this API key was deleted"));
  expect(ofToken.sort()).toEqual(both("this token was revoked"));
});

it("a token that expires ends its subscription then, and receives nothing any more", async () => {
  const { token } = await access.tokens.issue(openPrincipal, { grants, tokenId: "", validForMs: 2000 });
  const errors = await open(await access.tokens.verify(token));
  await tick();
  expect(errors).toEqual([]);
  for (let n = 0; n < 20; n++) await tick();
  expect(errors.sort()).toEqual(both("this token has expired"));
});
