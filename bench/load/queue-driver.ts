/** Speaks to a queue named `bench`, ten messages at a time; each producer and consumer has a connection of its own. */
export interface QueueDriver {
  /** Resolves with what sends a batch and resolves when the server has promised to keep it. */
  producer(): Promise<() => Promise<void>>;
  /** Takes and removes messages for ever; `removed` hears how many at a time. */
  consumer(removed: (count: number) => void): Promise<void>;
}

/** Messages in one call. */
export const batchSize = 10;
/** The body of each. */
export const bodyText = "a".repeat(128);
export const queueName = "bench";
