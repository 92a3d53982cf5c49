const {
  AuthClient,
  CredentialProvider,
  DisposableTokenScopes,
  ExpiresIn,
  GenerateDisposableTokenResponse,
  TopicClient,
  TopicPublishResponse,
} = require("@gomomento/sdk");

const cacheName = process.env.MOMENTO_CACHE_NAME;

/** One client per API key: a process lives longer than a key that is rotated. */
function clientOf(create) {
  let current;
  return (apiKey) => {
    if (current?.apiKey !== apiKey) {
      current?.client.close?.();
      current = { apiKey, client: create(CredentialProvider.fromString(apiKey)) };
    }
    return current.client;
  };
}

const authClientOf = clientOf((credentialProvider) => new AuthClient({ credentialProvider }));
const topicClientOf = clientOf((credentialProvider) => new TopicClient({ credentialProvider }));

/** A token that may follow one topic: the user's own. */
async function generateToken(apiKey, userId) {
  const scope = DisposableTokenScopes.topicSubscribeOnly(cacheName, userId);
  const result = await authClientOf(apiKey).generateDisposableToken(scope, ExpiresIn.minutes(30));
  if (result.type !== GenerateDisposableTokenResponse.Success) throw result;
  return { endpoint: result.endpoint, token: result.authToken, cacheName, expiresAt: result.expiresAt };
}

async function publish(apiKey, userId, message) {
  const result = await topicClientOf(apiKey).publish(cacheName, userId, message);
  if (result.type !== TopicPublishResponse.Success) throw result;
}

module.exports = { generateToken, publish };
