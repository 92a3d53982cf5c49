import {
  AuthClient,
  CacheClient,
  Configurations,
  CredentialProvider,
  TopicClient,
  TopicConfigurations,
  type TopicDiscontinuity,
  type TopicItem,
  TopicSubscribe,
} from "@gomomento/sdk";

/** Style (a) of the reference: `forMomentoLocal`, no credential. */
export function localCredential(port: number): CredentialProvider {
  return CredentialProvider.forMomentoLocal({ hostname: "127.0.0.1", port });
}

/** Style (b): a key or token, with endpoints of our own and no TLS. */
export function keyCredential(apiKey: string, port: number): CredentialProvider {
  const endpoint = `127.0.0.1:${port}`;
  return CredentialProvider.fromString({
    apiKey,
    endpointOverrides: {
      cacheEndpoint: endpoint,
      controlEndpoint: endpoint,
      tokenEndpoint: endpoint,
      secureConnection: false,
    },
  });
}

/** The unmodified Node SDK. Only its cache client can be closed; unsubscribe what was subscribed. */
export function momentoClients(credentialProvider: CredentialProvider) {
  const topics = new TopicClient({ configuration: TopicConfigurations.Default.latest(), credentialProvider });
  const cache = new CacheClient({
    configuration: Configurations.Laptop.latest(),
    credentialProvider,
    defaultTtlSeconds: 60,
  });
  const auth = new AuthClient({ credentialProvider });
  return {
    topics,
    cache,
    auth,
    [Symbol.dispose]() {
      cache.close();
    },
  };
}

/** What a subscription of the SDK called back, in order. */
export interface Received {
  readonly items: TopicItem[];
  readonly discontinuities: TopicDiscontinuity[];
  readonly errors: TopicSubscribe.Error[];
  connectionsLost: number;
  readonly subscription: TopicSubscribe.Subscription;
  /** Resolves when `count` items have come; rejects after `timeoutMs`. */
  waitFor(count: number, timeoutMs?: number): Promise<TopicItem[]>;
}

/** Subscribes and collects. Throws what the SDK says when it does not succeed. */
export async function subscribe(client: TopicClient, cache: string, topic: string): Promise<Received> {
  const waiting = new Set<() => void>();
  const received = {
    items: [] as TopicItem[],
    discontinuities: [] as TopicDiscontinuity[],
    errors: [] as TopicSubscribe.Error[],
    connectionsLost: 0,
  };
  const wake = () => {
    for (const look of waiting) look();
  };
  const response = await client.subscribe(cache, topic, {
    onItem: (item) => {
      received.items.push(item);
      wake();
    },
    onDiscontinuity: (discontinuity) => void received.discontinuities.push(discontinuity),
    onError: (error) => {
      received.errors.push(error);
      wake();
    },
    onConnectionLost: () => void received.connectionsLost++,
  });
  if (!(response instanceof TopicSubscribe.Subscription)) throw new Error(response.toString());
  const state = Object.assign(received, { subscription: response });
  return Object.assign(state, {
    waitFor: (count: number, timeoutMs = 10_000) =>
      new Promise<TopicItem[]>((resolve, reject) => {
        const look = () => {
          if (received.items.length < count) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve(received.items);
        };
        const timer = setTimeout(() => {
          waiting.delete(look);
          const { items, connectionsLost, errors } = received;
          const ended = errors.length === 0 ? "" : `, and the subscription ended: ${errors.join("; ")}`;
          const lost = `the line was lost ${connectionsLost} times`;
          reject(new Error(`${items.length} of ${count} items came in ${timeoutMs} ms; ${lost}${ended}`));
        }, timeoutMs);
        waiting.add(look);
        look();
      }),
  });
}
