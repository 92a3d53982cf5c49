/** What the receiver keeps: see `Caches`. Each call throws when it did not succeed, and is then tried again with the whole delivery. */
export interface Kept {
  get(key: string): Promise<string | undefined>;
  set(key: string, value: string): Promise<void>;
  /** The newest first. */
  list(name: string): Promise<readonly string[]>;
  push(name: string, value: string, maxLength: number): Promise<void>;
  nameOf(userId: string): Promise<string | undefined>;
}

/** Tells the pages that follow a topic. Throws when it did not succeed. */
export interface Teller {
  tell(topic: string, message: unknown): Promise<void>;
}

/** A message of a user, checked. */
export interface UserMessage<Content> {
  /** Names the message: the same for each delivery of it. */
  readonly id: string;
  /** By the token id, whatever the message says. */
  readonly userId: string;
  readonly content: Content;
  /** When it was published. */
  readonly atMs: number;
  /** Among the messages of its topic. */
  readonly sequence: number;
}
