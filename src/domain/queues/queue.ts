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
  /** How long a receive waits for a first message when it does not say. */
  readonly waitMs: number;
  /** Bytes of a body with the names, types and values of its attributes; what the server itself sends may have `limits.queue.messageMaxBytes.max`. */
  readonly messageMaxBytes: number;
  /** The queues that may name this one as their dead-letter queue; undefined: all. */
  readonly deadLetterSources: readonly string[] | undefined;
  /** Of its owner; they mean nothing to the server. */
  readonly tags: Readonly<Record<string, string>>;
}

/** A queue of an environment. */
export interface Queue extends QueueKey, QueueSettings {
  readonly createdAtMs: number;
  /** When its settings were last changed. */
  readonly modifiedAtMs: number;
  /** Of its record: grows with each change of the settings. */
  readonly version: number;
}
