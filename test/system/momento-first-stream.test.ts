// Real seconds: the Node SDK puts a deadline of 5 s on a subscription's first stream (Momento reference 4).
import { TopicClient, TopicConfigurations, TopicPublish } from "@gomomento/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { aSession, publishByHand, subscribeByHand } from "../support/grpc.ts";
import { localCredential, momentoClients, subscribe } from "../support/momento-node.ts";
import { aServer } from "../support/server.ts";

let server: Awaited<ReturnType<typeof aServer>>;
let clients: ReturnType<typeof momentoClients>;

beforeAll(async () => {
  server = await aServer();
  clients = momentoClients(localCredential(server.port));
  await clients.cache.createCache("c");
});

afterAll(async () => {
  clients[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

/** Publishes every 10 ms from 4 s to 7 s after now; returns the texts, in order. */
async function publishAroundTheCut(topic: string): Promise<string[]> {
  const startMs = performance.now();
  const texts: string[] = [];
  const answers: Promise<TopicPublish.Response>[] = [];
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const sinceMs = performance.now() - startMs;
      if (sinceMs < 4000) return;
      if (sinceMs > 7000) {
        clearInterval(timer);
        resolve();
        return;
      }
      const text = `m${texts.length + 1}`;
      texts.push(text);
      answers.push(clients.topics.publish("c", topic, text));
    }, 10);
  });
  for (const answer of await Promise.all(answers)) expect(answer).toBeInstanceOf(TopicPublish.Success);
  return texts;
}

it.concurrent("loses nothing, doubles nothing and calls nothing but onItem when we end the first stream in good time", async () => {
  const received = await subscribe(clients.topics, "c", "cut");
  const texts = await publishAroundTheCut("cut");
  await received.waitFor(texts.length);
  expect(received.items.map((item) => item.sequenceNumber())).toEqual(texts.map((_, i) => i + 1));
  expect(received).toMatchObject({ discontinuities: [], errors: [], connectionsLost: 0 });
  received.subscription.unsubscribe();
});

it.concurrent("loses and doubles nothing when the client's own deadline never comes", async () => {
  const configuration = TopicConfigurations.Default.latest().withClientTimeoutMillis(60_000);
  const patient = new TopicClient({ configuration, credentialProvider: localCredential(server.port) });
  const received = await subscribe(patient, "c", "patient");
  const texts = await publishAroundTheCut("patient");
  await received.waitFor(texts.length);
  expect(received.items.map((item) => item.sequenceNumber())).toEqual(texts.map((_, i) => i + 1));
  expect(received).toMatchObject({ discontinuities: [], errors: [], connectionsLost: 0 });
  received.subscription.unsubscribe();
});

it.concurrent("loses and doubles nothing when the client's deadline does cut the stream", async () => {
  await using late = await aServer({}, { endsStreamsBeforeDeadline: false });
  const own = momentoClients(localCredential(late.port));
  await own.cache.createCache("c");
  const received = await subscribe(own.topics, "c", "late");
  const startMs = performance.now();
  let published = 0;
  while (performance.now() - startMs < 7000) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    if (performance.now() - startMs < 4000) continue;
    await own.topics.publish("c", "late", `m${++published}`);
  }
  await received.waitFor(published);
  expect(received.items.map((item) => item.sequenceNumber())).toEqual(
    Array.from({ length: published }, (_, i) => i + 1),
  );
  // That the SDK says "connection lost" is its own doing; with the early end it has no reason to.
  expect(received).toMatchObject({ discontinuities: [], errors: [], connectionsLost: 1 });
  received.subscription.unsubscribe();
  own[Symbol.dispose]();
});

it("replays what came between the early end and the return of a client that has received nothing", async () => {
  using session = aSession(server.port);
  const first = subscribeByHand(session, "c", "gap", { headers: { "grpc-timeout": "600m" } });
  await first.until(() => first.messages.length > 0);
  expect((await first.ended).status).toBe(0); // half of its deadline
  await publishByHand(session, "c", "gap", "between");
  const second = subscribeByHand(session, "c", "gap");
  await second.until(() => second.items().length > 0);
  expect(second.items()[0]?.item.value.text).toBe("between");
  // The resume place is used up, and another connection never had one.
  const third = subscribeByHand(session, "c", "gap");
  await third.until(() => third.messages.length > 0);
  await publishByHand(session, "c", "gap", "later");
  await third.until(() => third.items().length > 0);
  expect(third.items()[0]?.item.value.text).toBe("later");
});
