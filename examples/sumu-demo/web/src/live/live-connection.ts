import { mayComeBack, waitMs } from "./coming-back.ts";
import { type Frame, parseFrame } from "./frame.ts";
import type { LiveEvent, LiveOptions, LiveState } from "./live-event.ts";
import { Requests } from "./requests.ts";

/** Well below the minutes after which proxies cut what is silent. */
const pingEveryMs = 3 * 60_000;
const answerMs = 10_000;
const offlineTriesMax = 5;

/** One WebSocket to Todoku that comes back by itself. */
export class LiveConnection {
  readonly #options: LiveOptions;
  readonly #requests = new Requests();
  #state: LiveState = "disconnected";
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #isRefused = false;
  /** Counts attempts, so that one that was given up meanwhile is noticed. */
  #attempt = 0;
  /** What the server has said about coming back. */
  #advice: Frame = {};

  constructor(options: LiveOptions) {
    this.#options = options;
  }

  get state(): LiveState {
    return this.#state;
  }

  connect(): void {
    if (this.#state !== "disconnected") return;
    this.#state = "connecting";
    this.#failures = 0;
    this.#options.onEvent({ type: "connecting" }, this.#state);
    void this.#open();
  }

  disconnect(): void {
    if (this.#state !== "disconnected") this.#end("disconnected", { type: "disconnected" });
  }

  /** What waits for its next attempt makes it now: the network is back. */
  retryNow(): void {
    if (this.#state === "connecting" && this.#socket === undefined) void this.#open();
  }

  /** The answer to a frame. @throws Error: not connected, refused, or lost before the answer. */
  async request(frame: Frame): Promise<Frame> {
    if (this.#state !== "connected") throw new Error("not connected");
    return this.#ask(frame);
  }

  #ask(frame: Frame): Promise<Frame> {
    return this.#requests.ask(frame, (text) => this.#socket?.send(text), answerMs);
  }

  async #open(): Promise<void> {
    clearTimeout(this.#timer);
    const attempt = ++this.#attempt;
    const token = await this.#options.token(this.#isRefused).catch(() => null);
    if (attempt !== this.#attempt) return;
    if (typeof token === "string") this.#use(token);
    else if (token === undefined) this.#end("disconnected", { type: "gave-up", why: "signed-out", reason: "" });
    else this.#retry();
  }

  #use(token: string): void {
    // In the protocols, the only header that a page can set: addresses are written into logs.
    const socket = new WebSocket(this.#options.url, ["todoku.v1", `bearer.${token}`]);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lose(), answerMs);
    // A refusal too is a socket that opens, so that its code can be read: we are in when the first answer comes.
    socket.onopen = () => void this.#ask({ action: "ping" }).catch(() => {});
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => this.#lose(code, reason);
  }

  #receive(data: unknown): void {
    const frame = parseFrame(data);
    if (!frame) return;
    this.#requests.settle(frame);
    if (frame.type === "disconnect") this.#advice = frame;
    if (frame.type === "auth.expiring") void this.#refresh();
    // What was kept for a user who was away comes before the pong.
    const wasIn = this.#state === "connected";
    if (!wasIn && typeof frame.type === "string" && frame.type !== "disconnect") this.#isIn();
    if (wasIn || frame.type !== "pong") this.#options.onEvent({ type: "frame", frame }, this.#state);
  }

  #isIn(): void {
    this.#failures = 0;
    this.#isRefused = false;
    this.#state = "connected";
    this.#keepAlive();
    this.#options.onEvent({ type: "connected" }, this.#state);
  }

  /** Also finds out that nobody is at the other end any more. */
  #keepAlive(): void {
    clearTimeout(this.#timer);
    const attempt = this.#attempt;
    this.#timer = setTimeout(async () => {
      const isAlive = await this.#ask({ action: "ping" }).then(Boolean, () => false);
      if (attempt !== this.#attempt) return;
      if (isAlive) this.#keepAlive();
      else this.#lose();
    }, pingEveryMs);
  }

  /** Without it the server closes with 4401 when the token expires, and we come back with a new one. */
  async #refresh(): Promise<void> {
    const token = await this.#options.token(true).catch(() => undefined);
    if (token !== undefined) await this.request({ action: "auth.refresh", token }).catch(() => {});
  }

  #lose(code = 1006, reason = ""): void {
    this.#isRefused = code === 4401;
    if (mayComeBack(code, this.#advice)) this.#retry();
    else this.#end("disconnected", { type: "gave-up", why: code === 4403 ? "refused" : "thrown-out", reason });
  }

  #retry(): void {
    if (++this.#failures > offlineTriesMax && !navigator.onLine) {
      this.#end("disconnected", { type: "gave-up", why: "offline", reason: "" });
    } else {
      const inMs = waitMs(this.#failures, this.#advice);
      this.#end("connecting", { type: "reconnecting", inMs });
      this.#timer = setTimeout(() => void this.#open(), inMs);
    }
  }

  /** Takes the socket out of use. */
  #end(state: LiveState, event: LiveEvent): void {
    clearTimeout(this.#timer);
    this.#attempt++;
    this.#advice = {};
    const socket = this.#socket;
    this.#socket = undefined;
    // Its farewell can take long when nobody is at the other end, and it is none of ours any more.
    if (socket) Object.assign(socket, { onopen: null, onmessage: null, onclose: null });
    socket?.close(1000);
    this.#state = state;
    this.#requests.rejectAll(new Error("the connection was lost before the answer"));
    this.#options.onEvent(event, state);
  }
}
