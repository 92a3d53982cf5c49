import { NoopMomentoLoggerFactory, TopicClient, TopicConfigurations, TopicPublish } from "@gomomento/sdk";
import type { Credential } from "../../task-notifications/shared/credential.ts";
import { MomentoClient, momentoCredential } from "../../task-notifications/shared/momento.ts";
import { names } from "../shared/names.ts";
import type { Teller } from "./ports.ts";

/** Publishes to the pages, through the unmodified SDK. */
export class Publisher implements Teller {
  readonly #topics: MomentoClient<TopicClient>;

  constructor(todokuUrl: string, credential: Credential<string>) {
    this.#topics = new MomentoClient(credential, (apiKey) => createTopicClient(todokuUrl, apiKey));
  }

  /** One try, as JSON. @throws Error; CredentialRefused. */
  async tell(topic: string, message: unknown): Promise<void> {
    const answer = await this.#topics.use((client) => client.publish(names.cache, topic, JSON.stringify(message)));
    if (!(answer instanceof TopicPublish.Error)) return;
    // gRPC waits up to two minutes before it tries a server again that was away for long; a new client tries at once.
    this.#topics.renew();
    throw new Error(`not published: ${answer.toString()}`);
  }
}

function createTopicClient(todokuUrl: string, apiKey: string): TopicClient {
  return new TopicClient({
    // The SDK's own logger writes to stdout, and at its finer levels what it sends.
    configuration: TopicConfigurations.Default.latest(new NoopMomentoLoggerFactory()),
    credentialProvider: momentoCredential(todokuUrl, apiKey),
  });
}
