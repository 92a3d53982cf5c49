import type { ApiKey } from "./api-key.ts";
import type { Principal } from "./principal.ts";
import type { Verdict } from "./withdrawal.ts";

/** What is told of a genuine credential: what it may do, and until when. */
export interface Inspection
  extends Pick<
    Principal,
    | "kind"
    | "environment"
    | "keyId"
    | "tokenId"
    | "userId"
    | "jti"
    | "issuedAtMs"
    | "isSuperUser"
    | "isOperator"
    | "grants"
  > {
  /** `unknown`: its environment is not here. */
  readonly status: "valid" | "expired" | "revoked" | "unknown";
  /** Of an API key that has one. */
  readonly name?: string;
  /** Absent: it does not expire. */
  readonly expiresAtMs?: number;
}

/** Of a token, or of who needs no key. */
export function inspectionOfPrincipal(principal: Principal, verdict: Verdict | undefined, nowMs: number): Inspection {
  const { expiresAtMs, withdrawal: _, ...rest } = principal;
  return { ...rest, status: statusOf(verdict, expiresAtMs, nowMs), ...(expiresAtMs !== undefined && { expiresAtMs }) };
}

interface KnownKey {
  readonly key: ApiKey;
  readonly environment: string;
  readonly verdict: Verdict | undefined;
}

export function inspectionOfKey({ key, environment, verdict }: KnownKey, nowMs: number): Inspection {
  const { createdAtMs, description: _, hasAccessKey: __, ...rest } = key;
  const status = statusOf(verdict, key.expiresAtMs, nowMs);
  return { kind: "key", status, environment, ...rest, tokenId: "", issuedAtMs: createdAtMs };
}

function statusOf(verdict: Verdict | undefined, expiresAtMs: number | undefined, nowMs: number): Inspection["status"] {
  if (verdict) return verdict === "gone" ? "unknown" : "revoked";
  return expiresAtMs !== undefined && expiresAtMs <= nowMs ? "expired" : "valid";
}
