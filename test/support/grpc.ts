import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from "node:http2";
import pubsub from "@gomomento/generated-types/dist/cachepubsub.js";

const { cache_client } = pubsub;
const { _PublishRequest, _SubscriptionItem, _SubscriptionRequest, _TopicValue } = cache_client.pubsub;
type SubscriptionItem = InstanceType<typeof _SubscriptionItem>;

/** How a call ended. */
export interface CallEnd {
  readonly status: number;
  readonly message: string;
  readonly err: string | undefined;
}

/** One gRPC call by hand, for what the SDKs do not do: odd frames, explicit deadlines, resets. Messages are Momento's own classes. */
export class GrpcCall {
  readonly stream: ClientHttp2Stream;
  readonly messages: Buffer[] = [];
  readonly ended: Promise<CallEnd>;
  #rest = Buffer.alloc(0);
  #waiting: (() => void)[] = [];
  readonly #items: SubscriptionItem[] = [];
  #parsed = 0;

  constructor(
    session: ClientHttp2Session,
    path: string,
    message: Uint8Array | undefined,
    headers: OutgoingHttpHeaders = {},
  ) {
    this.stream = session.request({
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...headers,
    });
    let trailers: IncomingHttpHeaders = {};
    this.stream.on("response", (head) => {
      trailers = head;
    });
    this.stream.on("trailers", (tail) => {
      trailers = tail;
    });
    this.stream.on("data", (chunk: Buffer) => this.#push(chunk));
    this.ended = new Promise((resolve) => {
      this.stream.on("error", () => {});
      this.stream.on("close", () => {
        const message = decodeURIComponent(String(trailers["grpc-message"] ?? ""));
        resolve({ status: Number(trailers["grpc-status"] ?? -1), message, err: trailers.err as string | undefined });
        this.#wake();
      });
    });
    if (message) this.stream.end(frame(message));
  }

  /** Subscription items so far, heartbeats left out. */
  items(): SubscriptionItem[] {
    for (const bytes of this.messages.slice(this.#parsed)) {
      const item = _SubscriptionItem.deserializeBinary(bytes);
      if (!item.has_heartbeat) this.#items.push(item);
    }
    this.#parsed = this.messages.length;
    return this.#items;
  }

  /** Resolves when `isDone` says so, looked at after each message and at the end. */
  async until(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      if (this.stream.closed) throw new Error("the stream ended first");
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #push(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= 5 && this.#rest.length >= 5 + this.#rest.readUInt32BE(1)) {
      const end = 5 + this.#rest.readUInt32BE(1);
      this.messages.push(Buffer.from(this.#rest.subarray(5, end)));
      this.#rest = this.#rest.subarray(end);
    }
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** A message behind gRPC's five-byte prefix. */
export function frame(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** An HTTP/2 session without TLS; closed with the test. */
export function aSession(port: number, settings: Parameters<typeof connect>[1] = {}): ClientHttp2Session & Disposable {
  const session = connect(`http://127.0.0.1:${port}`, settings);
  session.on("error", () => {});
  return Object.assign(session, { [Symbol.dispose]: () => session.destroy() });
}

/** Follows a topic. */
export function subscribeByHand(
  session: ClientHttp2Session,
  cache: string,
  topic: string,
  options: { resumeAt?: number; page?: number; headers?: OutgoingHttpHeaders } = {},
): GrpcCall {
  const request = new _SubscriptionRequest({
    cache_name: cache,
    topic,
    resume_at_topic_sequence_number: options.resumeAt ?? 0,
    sequence_page: options.page ?? 0,
  });
  return new GrpcCall(session, "/cache_client.pubsub.Pubsub/Subscribe", request.serializeBinary(), options.headers);
}

/** Publishes a text; resolves with how the call ended. */
export function publishByHand(
  session: ClientHttp2Session,
  cache: string,
  topic: string,
  text: string,
  headers: OutgoingHttpHeaders = {},
): Promise<CallEnd> {
  const request = new _PublishRequest({ cache_name: cache, topic, value: new _TopicValue({ text }) });
  return new GrpcCall(session, "/cache_client.pubsub.Pubsub/Publish", request.serializeBinary(), headers).ended;
}
