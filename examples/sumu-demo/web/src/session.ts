import { askWhoIsThere } from "./actions/ask-who-is-there.ts";
import type { Frame } from "./live/frame.ts";
import { LiveConnection } from "./live/live-connection.ts";
import type { LiveEvent, LiveState } from "./live/live-event.ts";
import { type ReceivedMessage, withMessage } from "./people/messages.ts";
import { nobody, type People, withConnectedUsers, withPresence } from "./people/people.ts";

export interface SessionOptions {
  readonly gatewayUrl: string;
  token(isRefused: boolean): Promise<string | undefined>;
  /** What the user may want to hear of; each frame once. */
  onEvent(event: LiveEvent, people: People): void;
}

export interface SessionState {
  readonly live: LiveState;
  readonly people: People;
  /** Newest first. */
  readonly messages: readonly ReceivedMessage[];
}

/** Frames that came lately, of which one may come twice: Todoku delivers at least once. */
const seenMax = 200;

/** What a signed-in user's page knows: the connection, and who is there. */
export class Session {
  readonly live: LiveConnection;
  readonly #onEvent: SessionOptions["onEvent"];
  readonly #listeners = new Set<() => void>();
  readonly #seen = new Set<string>();
  #state: SessionState = { live: "disconnected", people: nobody, messages: [] };
  #isOffline = false;

  constructor({ gatewayUrl, token, onEvent }: SessionOptions) {
    this.#onEvent = onEvent;
    this.live = new LiveConnection({ url: gatewayUrl, token, onEvent: (event, state) => this.#handle(event, state) });
  }

  get state(): SessionState {
    return this.#state;
  }

  /** Calls back after each change. Answers the function that ends it. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Connects. Answers the function that ends it. */
  start(): () => void {
    const online = () => (this.#isOffline ? this.live.connect() : this.live.retryNow());
    window.addEventListener("online", online);
    this.live.connect();
    return () => {
      window.removeEventListener("online", online);
      this.live.disconnect();
    };
  }

  #handle(event: LiveEvent, live: LiveState): void {
    this.#isOffline = event.type === "gave-up" && event.why === "offline";
    if (event.type === "frame" && this.#isRepeat(event.frame)) return;
    let { people, messages } = this.#state;
    if (event.type === "frame") {
      people = peopleAfter(people, event.frame);
      messages = withMessage(messages, event.frame, people);
    }
    const isNews = people !== this.#state.people || event.type !== "frame" || event.frame.type !== "presence";
    this.#state = { live, people, messages };
    for (const listener of this.#listeners) listener();
    // Lost before its answer: the next connection asks again.
    if (event.type === "connected") askWhoIsThere(this.live).catch(() => {});
    if (isNews) this.#onEvent(event, people);
  }

  #isRepeat({ type, id }: Frame): boolean {
    // Pongs and acknowledgements carry the ids of our own requests.
    if (typeof id !== "string" || type === "pong" || type === "ack") return false;
    if (this.#seen.has(id)) return true;
    this.#seen.add(id);
    for (const oldest of this.#seen) {
      if (this.#seen.size <= seenMax) break;
      this.#seen.delete(oldest);
    }
    return false;
  }
}

function peopleAfter(people: People, { type, message }: Frame): People {
  if (type === "connected_users") return withConnectedUsers(people, message);
  return type === "presence" ? withPresence(people, message) : people;
}
