import type { QueueKey } from "./queues/queue.ts";
import type { Position } from "./topics/position.ts";
import type { TopicKey } from "./topics/store.ts";

/** What nodes tell each other. A hint may be lost, doubled or late: the truth is always in a store. */
export type Hint =
  | { readonly kind: "topic-moved"; readonly key: TopicKey; readonly head: Position }
  /** Something in the queue became ready. */
  | { readonly kind: "queue-ready"; readonly key: QueueKey }
  | {
      readonly kind: "record-changed";
      readonly recordKind: string;
      readonly environment: string;
      readonly name: string;
    };

/** Hints between the nodes that share a store. One's own hints do not come back. */
export interface Bus {
  send(hint: Hint): void;
  /** Returns the function that stops listening. */
  listen(onHint: (hint: Hint) => void): () => void;
}

/** For a store with one node: nobody else is listening. */
export const silentBus: Bus = { send() {}, listen: () => () => {} };
