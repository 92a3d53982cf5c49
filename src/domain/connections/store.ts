/** ONLINE: the user has a connection, or had one a moment ago. */
export type PresenceStatus = "ONLINE" | "OFFLINE";

/** What is to be announced of a user. */
export interface Announcement {
  readonly environment: string;
  readonly userId: string;
  readonly status: PresenceStatus;
  /** Wall time. */
  readonly atMs: number;
}

/** What was announced last of a user. */
export interface Announced extends Announcement {
  /** Counts the user's announcements: grows with each, by one or more. */
  readonly seq: number;
  /** Those who want to hear of it have heard. */
  readonly isTold: boolean;
}

/** Names an announcement. */
export type AnnouncedKey = Pick<Announced, "environment" | "userId" | "seq">;

/** What an engine must do to remember who was announced as what. The laws are in store.contract.ts. */
export interface PresenceStore {
  /**
   * Durable, all or none, none of them told yet; each takes the place of the user's last one. Answers their `seq`: the greater of the last one and
   * one, and the whole seconds of `atMs`: it never goes back, not even after the user was swept or an older backup was put back. 0: the
   * environment is being destroyed, and nothing was kept. No user may be there twice. @throws TodokuError `unavailable`.
   */
  announce(batch: readonly Announcement[]): Promise<readonly number[]>;
  /** They have been told; what was announced since is not touched. @throws TodokuError `unavailable`. */
  told(batch: readonly AnnouncedKey[]): Promise<void>;
  /**
   * Those who are ONLINE or not told yet, in the order of their keys, at most `limit`; the last one is `after` of the next page, and an empty page
   * is the end. @throws TodokuError `unavailable`.
   */
  read(after: Pick<Announced, "environment" | "userId"> | undefined, limit: number): Promise<readonly Announced[]>;
  /** One bounded step of forgetting who is OFFLINE, told, and that since more than `limits.connection.offlineKeptMs` before `nowMs` (wall time); true while there is more. */
  sweep(nowMs: number): Promise<boolean>;
}
