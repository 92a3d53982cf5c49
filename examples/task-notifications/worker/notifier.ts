import { NoopMomentoLoggerFactory, TopicClient, TopicConfigurations, TopicPublish } from "@gomomento/sdk";
import type { Credential } from "../shared/credential.ts";
import { isTemporary, MomentoClient, momentoCredential } from "../shared/momento.ts";
import type { TaskNotification } from "../shared/task.ts";
import { Backoff } from "./backoff.ts";

/** A publish did not succeed. */
class PublishFailure extends Error {
  override readonly name = "PublishFailure";
  readonly isTemporary: boolean;

  constructor(message: string, options: { isTemporary: boolean }) {
    super(message);
    this.isTemporary = options.isTemporary;
  }
}

/** A notification before it is told. */
type TaskNews = Omit<TaskNotification, "type" | "at">;

/** How long a publish is tried while its message is held. Longer than gRPC's two minutes between tries to reach a server that was away. */
const patienceMs = 180_000;

/**
 * Tells users what became of their tasks, each on the user's own topic.
 *
 * At least once: after a crash between a publish and the delete of its message the same notification comes again. Whoever reads them
 * takes taskId and status together as their name and passes over what is known.
 */
export class Notifier {
  readonly #cacheName: string;
  readonly #topics: MomentoClient<TopicClient>;

  constructor(todokuUrl: string, credential: Credential<string>, cacheName: string) {
    this.#cacheName = cacheName;
    this.#topics = new MomentoClient(credential, (apiKey) => createTopicClient(todokuUrl, apiKey));
  }

  /** One try. @throws PublishFailure; CredentialRefused. */
  async tell(userId: string, notification: TaskNews): Promise<void> {
    const value: TaskNotification = { type: "task", ...notification, at: new Date().toISOString() };
    const answer = await this.#topics.use((client) => client.publish(this.#cacheName, userId, JSON.stringify(value)));
    if (answer instanceof TopicPublish.Error) {
      throw new PublishFailure(`not published: ${answer.toString()}`, { isTemporary: isTemporary(answer.errorCode()) });
    }
  }

  /** Tries again for three minutes while Todoku is away: the work is done, and its message is held meanwhile. @throws the same; the signal's reason. */
  async tellPatiently(userId: string, notification: TaskNews, signal: AbortSignal): Promise<void> {
    const endMs = performance.now() + patienceMs;
    const backoff = new Backoff();
    for (;;) {
      try {
        return await this.tell(userId, notification);
      } catch (error) {
        const isWorthIt = error instanceof PublishFailure && error.isTemporary && performance.now() < endMs;
        if (!isWorthIt) throw error;
        await backoff.pause(signal);
      }
    }
  }

  /** Todoku is back after it was away: connect anew instead of waiting for gRPC to try. */
  reconnect(): void {
    this.#topics.renew();
  }
}

function createTopicClient(todokuUrl: string, apiKey: string): TopicClient {
  return new TopicClient({
    // The SDK's own logger writes to stdout, and at its finer levels what it sends.
    configuration: TopicConfigurations.Default.latest(new NoopMomentoLoggerFactory()),
    credentialProvider: momentoCredential(todokuUrl, apiKey),
  });
}
