// Every way in that takes a credential, as one call each: what answers says whether the credential was taken.
import auth from "@gomomento/generated-types/dist/auth.js";
import cacheClient from "@gomomento/generated-types/dist/cacheclient.js";
import pubsub from "@gomomento/generated-types/dist/cachepubsub.js";
import token from "@gomomento/generated-types/dist/token.js";
import { aSession, frame, GrpcCall } from "./grpc.ts";

const { _SubscriptionRequest, _PublishRequest, _TopicValue } = pubsub.cache_client.pubsub;
const { _GetRequest } = cacheClient.cache_client;

/** Where a server is. */
export interface Place {
  readonly url: string;
  readonly port: number;
}

/** `refused`: the credential was not taken (401, UNAUTHENTICATED); else what came of the call. */
export type Outcome = "refused" | "taken" | string;

type Door = (place: Place, credential: string) => Promise<Outcome>;

const json = { "content-type": "application/json" };
const bearer = (credential: string) => ({ authorization: `Bearer ${credential}` });

async function fetched(url: string, init: RequestInit = {}): Promise<Outcome> {
  const abort = new AbortController();
  const response = await fetch(url, { ...init, signal: abort.signal });
  // Of a stream the head is enough.
  if (response.headers.get("content-type") !== "text/event-stream") await response.arrayBuffer();
  abort.abort();
  return response.status === 401 ? "refused" : "taken";
}

async function called(place: Place, path: string, message: Uint8Array, credential?: string): Promise<Outcome> {
  using session = aSession(place.port);
  const call = new GrpcCall(session, path, message, {
    cache: "c",
    ...(credential === undefined ? {} : { authorization: credential }),
  });
  // A subscription that is taken goes on: its first message tells.
  const isTaken = call.until(() => call.messages.length > 0).then(() => 0);
  const status = await Promise.race([
    call.ended.then((end) => end.status),
    isTaken.catch(() => call.ended.then((end) => end.status)),
  ]);
  return status === 16 ? "refused" : "taken";
}

async function calledFromPage(place: Place, path: string, message: Uint8Array, credential: string): Promise<Outcome> {
  const headers = { "content-type": "application/grpc-web+proto", authorization: credential, cache: "c" };
  const response = await fetch(place.url + path, { method: "POST", headers, body: new Uint8Array(frame(message)) });
  return /grpc-status:16\r/.test(await response.text()) ? "refused" : "taken";
}

const get = new _GetRequest({ cache_key: Buffer.from("k") }).serializeBinary();
const publish = new _PublishRequest({ cache_name: "c", topic: "t", value: new _TopicValue({ text: "x" }) });
const subscription = new _SubscriptionRequest({ cache_name: "c", topic: "t" }).serializeBinary();
const never = new auth.auth._GenerateApiTokenRequest.Never();

/** All doors, each with a call that any good credential is taken for, though it may not be permitted. */
const doors: Readonly<Record<string, Door>> = {
  "gRPC Get": (place, credential) => called(place, "/cache_client.Scs/Get", get, credential),
  "gRPC Publish": (place, credential) =>
    called(place, "/cache_client.pubsub.Pubsub/Publish", publish.serializeBinary(), credential),
  "gRPC Subscribe": (place, credential) =>
    called(place, "/cache_client.pubsub.Pubsub/Subscribe", subscription, credential),
  "gRPC GenerateDisposableToken": (place, credential) => {
    const request = new token.token._GenerateDisposableTokenRequest({ auth_token: credential });
    request.expires = new token.token._GenerateDisposableTokenRequest.Expires({ valid_for_seconds: 60 });
    return called(place, "/token.Token/GenerateDisposableToken", request.serializeBinary());
  },
  "gRPC GenerateApiToken": (place, credential) => {
    const request = new auth.auth._GenerateApiTokenRequest({ auth_token: credential, never });
    return called(place, "/auth.Auth/GenerateApiToken", request.serializeBinary());
  },
  "grpc-web Get": (place, credential) => calledFromPage(place, "/cache_client.Scs/Get", get, credential),
  "grpc-web Subscribe, of a cache that is not there": (place, credential) => {
    const request = new _SubscriptionRequest({ cache_name: "nowhere", topic: "t" }).serializeBinary();
    return calledFromPage(place, "/cache_client.pubsub.Pubsub/Subscribe", request, credential);
  },
  JSON: ({ url }, credential) => fetched(`${url}/v1/caches`, { headers: bearer(credential) }),
  "JSON with a body": ({ url }, credential) =>
    fetched(`${url}/v1/topics/c/t`, {
      method: "POST",
      headers: { ...json, ...bearer(credential) },
      body: JSON.stringify({ text: "x" }),
    }),
  "a ticket for it": ({ url }, credential) =>
    fetched(`${url}/v1/tickets`, {
      method: "POST",
      headers: { ...json, ...bearer(credential) },
      body: JSON.stringify({ method: "GET", path: "/v1/caches" }),
    }),
  "a receive that waits": ({ url }, credential) =>
    fetched(`${url}/v1/queues/nowhere/receive`, {
      method: "POST",
      headers: { ...json, ...bearer(credential) },
      body: JSON.stringify({ waitSeconds: 20 }),
    }),
  "server-sent events": ({ url }, credential) =>
    fetched(`${url}/v1/topics/c/t`, { headers: { ...bearer(credential), accept: "text/event-stream" } }),
  metrics: ({ url }, credential) => fetched(`${url}/metrics`, { headers: bearer(credential) }),
  "Momento's HTTP API": ({ url }, credential) =>
    fetched(`${url}/cache/c?key=k`, { headers: { authorization: credential } }),
  "Momento's HTTP API, in the address": ({ url }, credential) =>
    fetched(`${url}/cache/c?key=k&token=${encodeURIComponent(credential)}`),
  "Momento's long poll": ({ url }, credential) =>
    fetched(`${url}/topics/nowhere/t?token=${encodeURIComponent(credential)}`),
};

/** Tries all doors at once; the names of those whose outcome it was not. */
export async function doorsNot(outcome: Outcome, place: Place, credential: string): Promise<string[]> {
  const tried = Object.entries(doors).map(async ([name, door]) => ({ name, found: await door(place, credential) }));
  return (await Promise.all(tried)).filter(({ found }) => found !== outcome).map(({ name }) => name);
}
