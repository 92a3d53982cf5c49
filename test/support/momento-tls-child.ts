// A program as a user of Momento's SDK writes it: nothing but a key, no endpoint but what the key itself says (or, for a key of the second
// kind, MOMENTO_ENDPOINT, which the SDK reads by itself). Prints what happened as one line of JSON.
import {
  CredentialProvider,
  DisposableTokenScopes,
  ExpiresIn,
  GenerateDisposableToken,
  TopicPublish,
} from "@gomomento/sdk";
import { momentoClients, subscribe } from "./momento-node.ts";

const { MOMENTO_API_KEY = "", MOMENTO_ENDPOINT } = process.env;
const credential =
  MOMENTO_ENDPOINT === undefined
    ? CredentialProvider.fromString(MOMENTO_API_KEY)
    : CredentialProvider.fromApiKeyV2({ apiKey: MOMENTO_API_KEY, endpoint: MOMENTO_ENDPOINT });
using owner = momentoClients(credential);
const created = (await owner.cache.createCache("c")).toString();
const stored = (await owner.cache.set("c", "k", "v")).toString();
const received = await subscribe(owner.topics, "c", "t");

const scope = DisposableTokenScopes.topicPublishSubscribe("c", "t");
const token = await owner.auth.generateDisposableToken(scope, ExpiresIn.minutes(5), { tokenId: "guest" });
if (!(token instanceof GenerateDisposableToken.Success)) throw new Error(token.toString());
using guest = momentoClients(CredentialProvider.fromString({ authToken: token.authToken }));
for (const [who, clients] of Object.entries({ owner, guest })) {
  const published = await clients.topics.publish("c", "t", `from ${who}`);
  if (!(published instanceof TopicPublish.Success)) throw new Error(published.toString());
}
const items = await received.waitFor(2);
const texts = items.map((item) => `${item.tokenId() ?? ""}:${item.valueString()}`);
received.subscription.unsubscribe();
process.stdout.write(`${JSON.stringify({ created, stored, texts, endpoint: token.endpoint })}\n`, () => process.exit());
