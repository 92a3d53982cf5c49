import type { TokenGrant } from "./grants.ts";

/** What the operator's backend is told of somebody who wants to connect. */
export interface ConnectRequest {
  readonly environment: string;
  /** What was brought as credential; "" for none. */
  readonly credential: string;
  /** Lower-case names; the hook passes on those of its allow-list. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Of the address, without what holds a credential. */
  readonly query: Readonly<Record<string, string>>;
  /** Of the endpoint, without the query. */
  readonly path: string;
  /** The client's. */
  readonly address: string;
}

/** Whom the backend lets in. */
export interface ConnectAnswer {
  /** One that `problemOfUserId` has nothing against. */
  readonly userId: string;
  /** Absent: what a user may do by default. */
  readonly grants?: readonly TokenGrant[] | undefined;
  /** Wall time; absent: the connection does not expire. */
  readonly expiresAtMs?: number | undefined;
}

/** Asks the operator's backend who a connection is, in the place of a credential that this server could check. */
export interface ConnectHook {
  /**
   * Asks once, and never again: what came of it is the client's to hear.
   * @throws TodokuError `unauthenticated`: it said 401; `permission_denied`: it said 403; `unavailable`: it is slow, away, or said something else, or
   * too many questions are open.
   */
  authorize(request: ConnectRequest): Promise<ConnectAnswer>;
}
