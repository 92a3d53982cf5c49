/** The right to listen to one topic for a while. */
export interface LiveToken {
  /** Todoku's address, as a browser reaches it. */
  readonly endpoint: string;
  readonly token: string;
  readonly cacheName: string;
  readonly topic: string;
  readonly expiresAtMs: number;
}
