import {
  AuthClient,
  CredentialProvider,
  DisposableTokenScopes,
  ExpiresIn,
  GenerateDisposableTokenResponse,
  TopicClient,
  TopicPublishResponse,
} from "@gomomento/sdk";

const cacheName = process.env.MOMENTO_CACHE_NAME;

/** One client per API key: a process lives longer than a key that is rotated. */
function clientOf(create) {
  let current;
  return (apiKey) => {
    if (current?.apiKey !== apiKey) {
      current?.client.close?.();
      current = { apiKey, client: create(credentialOf(apiKey)) };
    }
    return current.client;
  };
}

/** The key says where the server is. One without TLS has to be named beside it: its handlers find it in TODOKU_URL. */
function credentialOf(apiKey) {
  const { protocol, host } = new URL(process.env.TODOKU_URL ?? "https://elsewhere");
  if (protocol === "https:") return CredentialProvider.fromString(apiKey);
  const endpoints = { cacheEndpoint: host, controlEndpoint: host, tokenEndpoint: host };
  return CredentialProvider.fromString({ apiKey, endpointOverrides: { ...endpoints, secureConnection: false } });
}

const authClientOf = clientOf((credentialProvider) => new AuthClient({ credentialProvider }));
const topicClientOf = clientOf((credentialProvider) => new TopicClient({ credentialProvider }));

/** A token that may follow one topic: the user's own. */
export async function generateToken(apiKey, userId) {
  const scope = DisposableTokenScopes.topicSubscribeOnly(cacheName, userId);
  const result = await authClientOf(apiKey).generateDisposableToken(scope, ExpiresIn.minutes(30));
  if (result.type !== GenerateDisposableTokenResponse.Success) throw result;
  return { endpoint: result.endpoint, token: result.authToken, cacheName, expiresAt: result.expiresAt };
}

export async function publish(apiKey, userId, message) {
  const result = await topicClientOf(apiKey).publish(cacheName, userId, message);
  if (result.type !== TopicPublishResponse.Success) throw result;
}
