// Every door that takes messages, and every door that shows items, as one call each.
import pubsub from "@gomomento/generated-types/dist/cachepubsub.js";
import { TopicPublish } from "@gomomento/sdk";
import { wrapCredential } from "../../src/domain/auth/credential.ts";
import type { Place } from "./doors.ts";
import { aSession, frame, publishByHand, subscribeByHand } from "./grpc.ts";
import { keyCredential, localCredential, momentoClients } from "./momento-node.ts";
import { follow } from "./sse.ts";

const { _PublishRequest, _SubscriptionItem, _SubscriptionRequest, _TopicValue } = pubsub.cache_client.pubsub;

/** What a door showed of an item; `tokenId` is "" where it showed none. */
export interface Shown {
  readonly text: string;
  readonly tokenId: string;
}

const grpcWeb = (credential: string) => ({
  "content-type": "application/grpc-web+proto",
  ...(credential === "" ? {} : { authorization: credential }),
});
const bearer = (credential: string): Record<string, string> =>
  credential === "" ? {} : { authorization: `Bearer ${credential}` };

/** Publishes `text` to the topic `t` of the cache `c`; throws when the door refuses it. */
type Publish = (place: Place, credential: string, text: string) => Promise<void>;

function check(isTaken: boolean, what: unknown): void {
  if (!isTaken) throw new Error(`refused: ${what}`);
}

export const publishDoors: Readonly<Record<string, Publish>> = {
  async gRPC({ port }, credential, text) {
    using session = aSession(port);
    const end = await publishByHand(session, "c", "t", text, credential === "" ? {} : { authorization: credential });
    check(end.status === 0, end.message);
  },
  async "Momento's SDK"({ port }, credential, text) {
    const wrapped = wrapCredential(`127.0.0.1:${port}`, credential);
    using clients = momentoClients(credential === "" ? localCredential(port) : keyCredential(wrapped, port));
    const answer = await clients.topics.publish("c", "t", text);
    check(answer instanceof TopicPublish.Success, answer);
  },
  async "grpc-web"({ url }, credential, text) {
    const request = new _PublishRequest({ cache_name: "c", topic: "t", value: new _TopicValue({ text }) });
    const response = await fetch(`${url}/cache_client.pubsub.Pubsub/Publish`, {
      method: "POST",
      headers: grpcWeb(credential),
      body: new Uint8Array(frame(request.serializeBinary())),
    });
    const answer = await response.text();
    check(answer.includes("grpc-status:0"), answer);
  },
  async "Momento's HTTP API"({ url }, credential, text) {
    const headers = { "content-type": "text/plain", ...bearer(credential) };
    const response = await fetch(`${url}/topics/c/t`, { method: "POST", headers, body: text });
    check(response.ok, response.status);
  },
  async "/v1"({ url }, credential, text) {
    const headers = { "content-type": "application/json", ...bearer(credential) };
    const response = await fetch(`${url}/v1/topics/c/t`, { method: "POST", headers, body: JSON.stringify({ text }) });
    check(response.ok, response.status);
  },
};

/** The first `count` items of the topic `t` of the cache `c` in this page, seen without a credential. */
type Read = (place: Place, page: number, count: number) => Promise<readonly Shown[]>;

export const readDoors: Readonly<Record<string, Read>> = {
  async gRPC({ port }, page, count) {
    using session = aSession(port);
    const call = subscribeByHand(session, "c", "t", { resumeAt: 1, page });
    await call.until(() => call.items().length >= count);
    return call.items().map(({ item }) => ({ text: item.value.text, tokenId: item.publisher_id }));
  },
  async "grpc-web"({ url }, page, count) {
    const at = { resume_at_topic_sequence_number: 1, sequence_page: page };
    const request = new _SubscriptionRequest({ cache_name: "c", topic: "t", ...at });
    const abort = new AbortController();
    const response = await fetch(`${url}/cache_client.pubsub.Pubsub/Subscribe`, {
      method: "POST",
      headers: grpcWeb(""),
      body: new Uint8Array(frame(request.serializeBinary())),
      signal: abort.signal,
    });
    const shown: Shown[] = [];
    let rest = Buffer.alloc(0);
    for await (const chunk of response.body ?? []) {
      rest = Buffer.concat([rest, chunk]);
      for (
        ;
        rest.length >= 5 && rest.length >= 5 + rest.readUInt32BE(1);
        rest = rest.subarray(5 + rest.readUInt32BE(1))
      ) {
        const message = _SubscriptionItem.deserializeBinary(rest.subarray(5, 5 + rest.readUInt32BE(1)));
        if (message.has_item) shown.push({ text: message.item.value.text, tokenId: message.item.publisher_id });
      }
      if (shown.length >= count) break;
    }
    abort.abort();
    return shown;
  },
  async "Momento's HTTP API"({ url }, page) {
    const response = await fetch(`${url}/topics/c/t?sequence_number=1&sequence_page=${page}`);
    const { items } = (await response.json()) as {
      items: { item: { value: { text: string }; publisher_id?: string } }[];
    };
    return items.map(({ item }) => ({ text: item.value.text, tokenId: item.publisher_id ?? "" }));
  },
  async "the history of /v1"({ url }) {
    const response = await fetch(`${url}/v1/topics/c/t/items`);
    const { items } = (await response.json()) as { items: { text: string; tokenId?: string }[] };
    return items.map(({ text, tokenId = "" }) => ({ text, tokenId }));
  },
  async "server-sent events"({ url }, page, count) {
    const follower = await follow(`${url}/v1/topics/c/t?after=${page}-0`);
    const shown: Shown[] = [];
    while (shown.length < count) {
      const { text, tokenId = "" } = await follower.nextData<{ text: string; tokenId?: string }>();
      shown.push({ text, tokenId });
    }
    follower.close();
    return shown;
  },
};
