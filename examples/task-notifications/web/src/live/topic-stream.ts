import {
  CredentialProvider,
  NoopMomentoLoggerFactory,
  TopicClient,
  TopicConfigurations,
  type TopicItem,
  TopicSubscribe,
} from "@gomomento/sdk-web";
import type { TopicMessage } from "./history.ts";
import type { LiveToken } from "./live-token.ts";
import type { Position } from "./position.ts";

/** One subscription of the unmodified Momento SDK, made with one token. */
export interface TopicStream {
  /** Where the topic stood when the stream began: what is up to here will not come by this stream. */
  readonly head: Position;
  readonly isOpen: boolean;
  /** Resolves when it is over, for whatever reason. */
  readonly ended: Promise<void>;
  /** Passes on what has come so far, and from then on what comes: without a gap, for a stream that skips something ends instead. */
  follow(listener: (message: TopicMessage) => void): void;
  /** Ends it when nothing was heard for too long. Timers are late after a laptop slept. */
  check(): void;
  close(): void;
}

/**
 * Resolves when the stream is open and its `head` is known. Todoku sends a heartbeat each second; a stream that was silent for `silenceMs`
 * is over. (The SDK itself would go on trying twice a second for ever, and tell nobody.)
 * @throws Error, also when `signal` aborts first.
 */
export async function openTopicStream(token: LiveToken, silenceMs: number, signal: AbortSignal): Promise<TopicStream> {
  const stream = new SdkStream(silenceMs);
  const abort = () => stream.close();
  signal.addEventListener("abort", abort);
  try {
    await Promise.race([stream.open(token), stream.ended]);
    await Promise.race([stream.headKnown, stream.ended]);
    signal.throwIfAborted();
    if (!stream.isOpen) throw new Error("the stream ended at its beginning");
    return stream;
  } catch (error) {
    stream.close();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

class SdkStream implements TopicStream {
  readonly ended: Promise<void>;
  readonly headKnown: Promise<void>;
  /** Page 0 until it is known; a topic's pages count from 1. */
  head: Position = { page: 0, sequence: 0 };
  isOpen = true;
  readonly #silenceMs: number;
  readonly #watch: ReturnType<typeof setInterval>;
  #end: () => void;
  #learnHead: () => void;
  #subscription: TopicSubscribe.Subscription | undefined;
  #listener: ((message: TopicMessage) => void) | undefined;
  #waiting: TopicMessage[] = [];
  /** By the wall clock: it goes on while a laptop sleeps. */
  #heardAtMs = Date.now();

  constructor(silenceMs: number) {
    const ended = Promise.withResolvers<void>();
    const headKnown = Promise.withResolvers<void>();
    this.ended = ended.promise;
    this.headKnown = headKnown.promise;
    this.#end = ended.resolve;
    this.#learnHead = headKnown.resolve;
    this.#silenceMs = silenceMs;
    this.#watch = setInterval(() => this.check(), silenceMs / 4);
  }

  async open(token: LiveToken): Promise<void> {
    const response = await createTopicClient(token).subscribe(token.cacheName, token.topic, {
      onItem: (item) => this.#take(item),
      onDiscontinuity: (event) => this.#move({ page: event.newSequencePage(), sequence: event.newSequenceNumber() }),
      onHeartbeat: () => this.#hear(),
      onError: (_error, subscription) => {
        // An empty item is an error for the SDK, but it goes on behind it.
        if (!subscription.isSubscribed) this.close();
      },
    });
    if (!(response instanceof TopicSubscribe.Subscription)) throw new Error(response.errorCode());
    this.#subscription = response;
    if (!this.isOpen) response.unsubscribe();
  }

  follow(listener: (message: TopicMessage) => void): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#listener = listener;
    for (const message of waiting) listener(message);
  }

  check(): void {
    if (Date.now() - this.#heardAtMs > this.#silenceMs) this.close();
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    clearInterval(this.#watch);
    this.#subscription?.unsubscribe();
    this.#end();
  }

  #take(item: TopicItem): void {
    this.#hear();
    if (!this.isOpen) return;
    const value = item.value();
    // Items carry their number only, but one stream stays in one page.
    const position = { page: this.head.page, sequence: item.sequenceNumber() };
    const message = { position, text: typeof value === "string" ? value : undefined };
    if (this.#listener) this.#listener(message);
    else this.#waiting.push(message);
  }

  /**
   * Todoku begins every subscription of this SDK with a discontinuity that skips nothing: it says where the topic stands. A later one means
   * that the topic counts anew, or that what comes next is not what was asked for: whoever reads the history knows better what is left.
   */
  #move(position: Position): void {
    this.#hear();
    if (this.head.page === 0) {
      this.head = position;
      this.#learnHead();
    } else {
      this.close();
    }
  }

  #hear(): void {
    this.#heardAtMs = Date.now();
  }
}

function createTopicClient({ endpoint, token }: LiveToken): TopicClient {
  const endpointOverrides = { cacheEndpoint: endpoint, controlEndpoint: endpoint, tokenEndpoint: endpoint };
  return new TopicClient({
    // The SDK's own logger writes to the console, at its finer levels what passes.
    configuration: TopicConfigurations.Browser.latest(new NoopMomentoLoggerFactory()),
    credentialProvider: CredentialProvider.fromString({ apiKey: token, endpointOverrides }),
  });
}
