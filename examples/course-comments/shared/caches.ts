import {
  CacheClient,
  CacheGet,
  CacheListFetch,
  CacheListPushFront,
  CacheSet,
  CollectionTtl,
  Configurations,
  NoopMomentoLoggerFactory,
} from "@gomomento/sdk";
import type { Credential } from "../../task-notifications/shared/credential.ts";
import { errorCode, MomentoClient, momentoCredential } from "../../task-notifications/shared/momento.ts";
import { nameOf, names } from "./names.ts";

/** The cache did not do what it was asked for. */
class CacheFailure extends Error {
  override readonly name = "CacheFailure";
}

/** A day, the longest that Todoku and Momento keep an item. A list lives for a day after its last change. */
const ttlSeconds = 86_400;
/** Todoku waits 5 s for the receiver's answer; a call that takes so long is tried again with the whole delivery. */
const timeoutMs = 1500;

/** What API and receiver keep in the cache, through the unmodified SDK. Each call throws CacheFailure when it did not succeed. */
export class Caches {
  readonly #client: MomentoClient<CacheClient>;
  #latest: CacheClient | undefined;

  constructor(todokuUrl: string, credential: Credential<string>) {
    this.#client = new MomentoClient(credential, (apiKey) => {
      this.#latest?.close();
      this.#latest = createCacheClient(todokuUrl, apiKey);
      return this.#latest;
    });
  }

  /** Undefined when there is nothing, or it is too old. */
  async get(key: string): Promise<string | undefined> {
    const answer = await this.#use((client) => client.get(names.cache, key));
    return answer instanceof CacheGet.Hit ? answer.valueString() : undefined;
  }

  async set(key: string, value: string): Promise<void> {
    const answer = await this.#use((client) => client.set(names.cache, key, value));
    if (!(answer instanceof CacheSet.Success)) throw new CacheFailure(answer.toString());
  }

  /** The newest first. */
  async list(name: string): Promise<readonly string[]> {
    const answer = await this.#use((client) => client.listFetch(names.cache, name));
    return answer instanceof CacheListFetch.Hit ? answer.valueListString() : [];
  }

  /** Past `maxLength` the oldest ones go. */
  async push(name: string, value: string, maxLength: number): Promise<void> {
    const ttl = CollectionTtl.of(ttlSeconds).withRefreshTtlOnUpdates();
    const options = { truncateBackToSize: maxLength, ttl };
    const answer = await this.#use((client) => client.listPushFront(names.cache, name, value, options));
    if (!(answer instanceof CacheListPushFront.Success)) throw new CacheFailure(answer.toString());
  }

  /** What a user is called; undefined a day after the user was last here. */
  nameOf(userId: string): Promise<string | undefined> {
    return this.get(nameOf(userId));
  }

  close(): void {
    this.#latest?.close();
  }

  async #use<Answer extends object>(call: (client: CacheClient) => Promise<Answer>): Promise<Answer> {
    const answer = await this.#client.use(call);
    if (errorCode(answer) === undefined) return answer;
    // gRPC waits up to two minutes before it tries a server again that was away for long; a new client tries at once.
    this.#client.renew();
    throw new CacheFailure(String(answer));
  }
}

function createCacheClient(todokuUrl: string, apiKey: string): CacheClient {
  return new CacheClient({
    // The SDK's own logger writes to stdout, and at its finer levels what it sends.
    configuration: Configurations.Laptop.latest(new NoopMomentoLoggerFactory()).withClientTimeoutMillis(timeoutMs),
    credentialProvider: momentoCredential(todokuUrl, apiKey),
    defaultTtlSeconds: ttlSeconds,
  });
}
