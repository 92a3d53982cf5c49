import type { Grant } from "../../domain/auth/grants.ts";
import { describeGrant, missingFrom } from "./grant-sentences.ts";
import { printable } from "./io.ts";

/** The answer of `POST /v1/tokens/inspect`. */
export interface CredentialJson {
  readonly kind: "open" | "key" | "token" | "user";
  readonly status: "valid" | "expired" | "revoked" | "unknown";
  readonly environment: string;
  readonly keyId?: string;
  readonly name?: string;
  readonly tokenId: string;
  readonly userId?: string;
  readonly jti?: string;
  readonly issuedAtMs?: number;
  readonly expiresAtMs: number | null;
  readonly superUser: boolean;
  readonly operator: boolean;
  readonly grants: readonly Grant[];
}

/** What a person wants to know of a credential, in lines. */
export function explainCredential(credential: CredentialJson, nowMs: number): readonly string[] {
  return [
    `This is ${titleOf(credential)} of the environment "${printable(credential.environment)}". ${standing[credential.status]}`,
    ...originOf(credential, nowMs),
    endOf(credential, nowMs),
    "",
    ...rightsOf(credential),
  ];
}

const standing: Readonly<Record<CredentialJson["status"], string>> = {
  valid: "It is valid.",
  expired: "It has EXPIRED: it is refused.",
  revoked: "It was REVOKED: it is refused.",
  unknown: "Its environment is NOT HERE: it is refused.",
};

function titleOf({ kind, keyId, name, jti, userId }: CredentialJson): string {
  if (kind === "user") return `the sign-in of the user "${printable(userId ?? "")}"`;
  if (kind === "token") return `the token ${printable(jti ?? "without an id")}`;
  if (keyId === undefined) return "the key of this run (--dev-key)";
  return `the API key ${printable(keyId)}${name === undefined ? "" : ` (${printable(name)})`}`;
}

function originOf({ kind, keyId, userId, tokenId, issuedAtMs }: CredentialJson, nowMs: number): string[] {
  const at = issuedAtMs === undefined ? "" : ` at ${describeTime(issuedAtMs, nowMs)}`;
  if (kind === "user") return [`It was issued by an identity provider${at}. What it publishes carries the user's id.`];
  if (kind !== "token") return at === "" ? [] : [`It was made${at}.`];
  const issuer = keyId === undefined ? "without an API key (dev mode)" : `by the API key ${printable(keyId)}`;
  return [
    `It was issued ${issuer}${at}, for ${userId === undefined ? "no named user" : `the user "${printable(userId)}"`}.`,
    tokenId === ""
      ? "It has no token id."
      : `It has the token id "${printable(tokenId)}": what it publishes carries it.`,
  ];
}

function endOf({ expiresAtMs }: CredentialJson, nowMs: number): string {
  if (expiresAtMs === null) return "It does not expire.";
  return `It ${expiresAtMs > nowMs ? "ends" : "ended"} at ${describeTime(expiresAtMs, nowMs)}.`;
}

function rightsOf({ superUser, operator, grants }: CredentialJson): string[] {
  if (operator) return ["It may do everything in its environment, and make and destroy environments."];
  if (superUser) {
    return ["It may do everything in its environment.", "It may not make, list or destroy environments."];
  }
  return [
    "It may",
    ...grants.flatMap(describeGrant).map((line) => line.replace(/^ */, "  $&- ")),
    "It may not",
    ...missingFrom(grants).map((words) => `  - ${words}`),
    "  - do any of it where no grant above says so",
  ];
}

const steps: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
];
const relative = new Intl.RelativeTimeFormat("en");

/** Absolute and relative: in the largest unit of which there are two, else in seconds. */
export function describeTime(ms: number, nowMs: number): string {
  const distanceMs = ms - nowMs;
  const [unit, unitMs] = steps.find(([, size]) => Math.abs(distanceMs) >= 2 * size) ?? (["second", 1000] as const);
  return `${new Date(ms).toISOString()} (${relative.format(Math.trunc(distanceMs / unitMs), unit)})`;
}
