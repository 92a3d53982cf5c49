import { TodokuError } from "../errors.ts";
import type { Grant } from "./grants.ts";
import type { Withdrawal } from "./withdrawal.ts";

/** Who is calling, as `authenticate` found out. Every environment-bound decision takes the environment from here, never from a request. */
export interface Principal {
  /**
   * `open`: the empty credential of dev mode. `key`: an API key. `token`: a disposable token. `user`: somebody whom an identity provider, or the
   * operator's own backend, has signed in. `server`: the server itself, in its own work.
   */
  readonly kind: "open" | "key" | "token" | "user" | "server";
  readonly environment: string;
  /** True: every action in its environment. */
  readonly isSuperUser: boolean;
  /** True: it may also make, list and destroy environments, and make keys for them. Only super users are. */
  readonly isOperator: boolean;
  /** What it may do when it is no super user. */
  readonly grants: readonly Grant[];
  /** Chosen by whoever made the token; of a user its id; "" when there is none. Published items carry it. */
  readonly tokenId: string;
  /** The API key it is, or the one that issued the token; undefined for others. */
  readonly keyId?: string;
  /** The token's own id. */
  readonly jti?: string;
  /** Who has signed in, or whom the token was issued for when its issuer said so; all tokens of a user can be revoked together. */
  readonly userId?: string;
  /** Wall time at which the key was made or the token issued. */
  readonly issuedAtMs?: number;
  /** Wall time; undefined = does not expire. */
  readonly expiresAtMs: number | undefined;
  /** Done when the credential is taken back before it expires, or its environment goes; without it, it cannot be. */
  readonly withdrawal?: Withdrawal;
}

/** The server itself in `environment`. */
export function serverPrincipal(environment: string): Principal {
  return {
    ...{ kind: "server", environment, isSuperUser: true, isOperator: false, grants: [], tokenId: "" },
    expiresAtMs: undefined,
  };
}

/** What a caller is told whose credential has expired. */
export function expiredError({ kind }: Principal): TodokuError {
  return new TodokuError("unauthenticated", `this ${kind === "key" ? "API key" : "token"} has expired`);
}

/** What the transport knows of a caller: enough to decide whether the empty credential of dev mode may be used. */
export interface Caller {
  /** Of the client: the other end of the socket, or whom proxies that are trusted speak for. IPv4 is always in its own form. "": it has gone. */
  readonly address: string;
  /** Stands for the call itself, for its line in the log. */
  readonly call?: object;
  /** The other end of the socket is this machine. */
  readonly isLoopbackPeer: boolean;
  /** `Host` or `:authority`. */
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** What `X-Forwarded-For`, `X-Real-IP` and `Forwarded` say, by commas: a proxy on this machine adds one when it speaks for somebody else. */
  readonly forwardedFor?: string | undefined;
  /** `Sec-Fetch-Site`: browsers send it, pages cannot change it. */
  readonly secFetchSite: string | undefined;
}
