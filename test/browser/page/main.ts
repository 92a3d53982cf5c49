/// <reference lib="dom" />
// The page of momento-web.test.ts and its likes: the unmodified web SDK, steered by the test through `window.page`.
import {
  AuthClient,
  CacheClient,
  Configurations,
  CredentialProvider,
  type DisposableTokenScope,
  ExpiresIn,
  GenerateDisposableToken,
  LeaderboardConfigurations,
  PreviewLeaderboardClient,
  TopicClient,
  TopicConfigurations,
} from "@gomomento/sdk-web";
import { converse, type Line } from "../../support/momento-conversation.ts";

/** With an address everything goes there; without one the token alone says where to. */
function credential(url: string | undefined, apiKey?: string): CredentialProvider {
  if (url === undefined) return CredentialProvider.fromString({ authToken: apiKey ?? "" });
  const endpointOverrides = { cacheEndpoint: url, controlEndpoint: url, tokenEndpoint: url };
  return apiKey === undefined
    ? CredentialProvider.forMomentoLocal({ endpointOverrides })
    : CredentialProvider.fromString({ apiKey, endpointOverrides });
}

const log: { items: string[]; numbers: number[]; discontinuities: number; errors: string[] } = {
  items: [],
  numbers: [],
  discontinuities: 0,
  errors: [],
};
/** What the test looks for: the kind of answer, or the text that the SDK's user would read. */
function tell(response: { type?: string; message?: () => string }): string {
  return response.message?.() ?? String(response.type);
}

let topics: TopicClient;
let cache: CacheClient;
let auth: AuthClient;
let boards: PreviewLeaderboardClient;

function show(text: string): void {
  const line = document.createElement("li");
  line.textContent = text.length > 80 ? `${text.slice(0, 77)}...` : text;
  document.querySelector("ul")?.append(line);
}

const page = {
  log,
  connect(url: string | undefined, apiKey?: string, timeoutMs?: number): void {
    const credentialProvider = credential(url, apiKey);
    const usual = Configurations.Laptop.latest();
    topics = new TopicClient({ configuration: TopicConfigurations.Default.latest(), credentialProvider });
    cache = new CacheClient({
      configuration: timeoutMs === undefined ? usual : usual.withClientTimeoutMillis(timeoutMs),
      credentialProvider,
      defaultTtlSeconds: 60,
    });
    auth = new AuthClient({ credentialProvider });
    boards = new PreviewLeaderboardClient({
      credentialProvider,
      configuration: LeaderboardConfigurations.Laptop.latest(),
    });
  },
  say: (line: Line) => converse(line, { cache, leaderboard: boards.leaderboard("c", "board") }),
  createCache: async (name: string) => tell(await cache.createCache(name)),
  set: async (name: string, key: string, value: string) => tell(await cache.set(name, key, value)),
  get: async (name: string, key: string) => tell(await cache.get(name, key)),
  publish: async (name: string, topic: string, text: string) => tell(await topics.publish(name, topic, text)),
  putWebhook: async (name: string, webhook: string, topicName: string, destination: string) =>
    tell(await topics.putWebhook(name, webhook, { topicName, destination })),
  async token(scope: DisposableTokenScope, seconds: number, tokenId: string): Promise<string> {
    const response = await auth.generateDisposableToken(scope, ExpiresIn.seconds(seconds), { tokenId });
    return response instanceof GenerateDisposableToken.Success ? response.authToken : tell(response);
  },
  async subscribe(name: string, topic: string): Promise<string> {
    const response = await topics.subscribe(name, topic, {
      onItem(item) {
        log.items.push(`${item.tokenId() ?? ""}:${item.value()}`);
        log.numbers.push(item.sequenceNumber());
        show(`${item.sequenceNumber()} ${item.value()}`);
      },
      onDiscontinuity: () => void log.discontinuities++,
      onError: (error) => void log.errors.push(error.errorCode()),
    });
    return tell(response);
  },
};

export type Page = typeof page;
Object.assign(window, { page });
