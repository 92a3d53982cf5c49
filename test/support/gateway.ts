import { once } from "node:events";
import { type ClientOptions, WebSocket } from "ws";

/** A frame as its JSON. */
export type Frame = Readonly<Record<string, unknown>>;

/** How a handshake was refused. */
export interface Refused {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Frame;
}

/** One `ws` client: what comes is kept until it is asked for. */
export class GatewayClient {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  /** Code and reason. */
  readonly closed: Promise<readonly [number, string]>;
  /** How many of them `next` has given. */
  #given = 0;
  #onFrame: () => void = () => {};

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("error", () => {}); // `close` follows
    this.closed = new Promise((resolve) => {
      socket.once("close", (code: number, reason: Buffer) => resolve([code, reason.toString()]));
    });
    socket.on("message", (data: Buffer) => {
      this.frames.push(JSON.parse(data.toString()) as Frame);
      this.#onFrame();
    });
    socket.once("close", () => this.#onFrame());
  }

  /** A text is sent as it is, anything else as JSON. */
  send(...frames: readonly unknown[]): void {
    for (const frame of frames) this.socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** Sends it, and gives the first frame that comes from then on. */
  async ask(frame: unknown): Promise<Frame> {
    const seen = this.frames.length;
    this.send(frame);
    this.#given = seen + 1;
    return this.until(() => this.frames[seen]);
  }

  /** The first frame that neither this nor `ask` has given. */
  next(): Promise<Frame> {
    const index = this.#given++;
    return this.until(() => this.frames[index]);
  }

  async nextOnes(count: number): Promise<readonly Frame[]> {
    const frames: Frame[] = [];
    while (frames.length < count) frames.push(await this.next());
    return frames;
  }

  /** Those that nobody has been given, once the server has answered what was sent before. */
  async rest(): Promise<readonly Frame[]> {
    const from = this.#given;
    this.send({ action: "ping", id: "rest" });
    const isLast = (frame: Frame, index: number) => index >= from && frame.id === "rest";
    const end = await this.until(() => (this.frames.some(isLast) ? this.frames.findIndex(isLast) : undefined));
    this.#given = end + 1;
    return this.frames.slice(from, end);
  }

  /** The first of all frames of this type. */
  ofType(type: string): Promise<Frame> {
    return this.until(() => this.frames.find((frame) => frame.type === type));
  }

  /** Resolves with what `look` finds, at the latest when the socket closes. */
  async until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.socket.readyState === WebSocket.CLOSED) {
        throw new Error(`the socket has closed; frames: ${JSON.stringify(this.frames)}`);
      }
      await new Promise<void>((resolve) => {
        this.#onFrame = resolve;
      });
    }
  }

  async close(code = 1000): Promise<void> {
    this.socket.close(code);
    await this.closed;
  }
}

/** Where the gateway of a server is: `ws://...`. */
export function socketUrl({ url }: { readonly url: string }, path = "/push"): string {
  return `${url.replace(/^http/, "ws")}${path}`;
}

/** Connects; rejects with what `refusalOf` would give when it is refused. */
export async function connect(
  url: string,
  options: ClientOptions = {},
  protocols: string[] = [],
): Promise<GatewayClient> {
  const socket = new WebSocket(url, protocols, options);
  const client = new GatewayClient(socket);
  const refused = new Promise<never>((_, reject) => {
    socket.once("unexpected-response", (_request, response) => reject(new Error(`refused: ${response.statusCode}`)));
  });
  await Promise.race([once(socket, "open"), refused]);
  return client;
}

/** Connects where that is refused. */
export async function refusal(url: string, options: ClientOptions = {}, protocols: string[] = []): Promise<Refused> {
  const socket = new WebSocket(url, protocols, options);
  socket.on("error", () => {});
  const [, response] = await Promise.race([
    once(socket, "unexpected-response"),
    once(socket, "open").then(() => {
      throw new Error("the handshake was not refused");
    }),
  ]);
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  socket.terminate();
  return { status: response.statusCode, headers: response.headers, body: JSON.parse(Buffer.concat(chunks).toString()) };
}
