import {
  CredentialProvider,
  NoopMomentoLoggerFactory,
  TopicClient,
  TopicConfigurations,
  TopicPublish,
} from "@gomomento/sdk-web";
import { ApiError } from "../../../../task-notifications/web/src/api/api-error.ts";
import type { ViewToken } from "../api.ts";

/**
 * Publishes JSON with the unmodified Momento SDK. When it resolves the message is on Todoku's disk; when it rejects it may be there all the
 * same, so what is published again has the same key.
 * @throws ApiError
 */
export async function publish(token: ViewToken, message: unknown): Promise<void> {
  const answer = await clientOf(token).publish(token.cacheName, token.publishTopic, JSON.stringify(message));
  if (answer instanceof TopicPublish.Error) throw new ApiError("unreachable", answer.errorCode());
}

let made: { readonly token: string; readonly client: TopicClient } | undefined;

/** A client belongs to its token. */
function clientOf({ endpoint, token }: ViewToken): TopicClient {
  if (made?.token !== token) {
    const endpointOverrides = { cacheEndpoint: endpoint, controlEndpoint: endpoint, tokenEndpoint: endpoint };
    const client = new TopicClient({
      // The SDK's own logger writes to the console, at its finer levels what passes.
      configuration: TopicConfigurations.Browser.latest(new NoopMomentoLoggerFactory()),
      credentialProvider: CredentialProvider.fromString({ apiKey: token, endpointOverrides }),
    });
    made = { token, client };
  }
  return made.client;
}
