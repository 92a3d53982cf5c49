/** What a queue is called, in every engine: its incarnation. Purging makes a new one. */
export interface QueueKey {
  readonly environment: string;
  readonly queue: string;
  /** Unique, never used again. */
  readonly queueId: number;
}

/** How a queue treats its messages. Bounds and defaults: `limits.queue`. */
export interface QueueSettings {
  /** How long a received message stays hidden from others when the receive does not say. */
  readonly visibilityMs: number;
  /** How long a sent message waits before it can be received when the send does not say. */
  readonly delayMs: number;
  /** A message that is older goes; counted, and told in the log. */
  readonly retentionMs: number;
  /** Where a message goes instead of being received once more after `maxReceives` receives; a queue of the same environment. */
  readonly deadLetter: { readonly queue: string; readonly maxReceives: number } | undefined;
}

/** A queue of an environment. */
export interface Queue extends QueueKey, QueueSettings {
  readonly createdAtMs: number;
  /** Of its record: grows with each change of the settings. */
  readonly version: number;
}
