import { randomUUID } from "node:crypto";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { apiKeyRecordKind, isKeyId } from "./api-key.ts";
import { authorize } from "./authorize.ts";
import type { Principal } from "./principal.ts";
import { type RevocationDocument, RevocationLog, readEntry } from "./revocation-log.ts";
import { runInTurn } from "./run-in-turn.ts";

const recordKind = "revocation";

/** What is taken back: of what was issued so far, not of what is issued later. */
export type Revocation =
  /** One token, by its own id. */
  | { readonly what: "token"; readonly jti: string }
  /** All tokens that carry this token id. */
  | { readonly what: "token-id"; readonly tokenId: string }
  /** All tokens that were issued for this user. */
  | { readonly what: "user"; readonly userId: string }
  /** An API key and all tokens that it issued. The key is deleted. */
  | { readonly what: "key"; readonly keyId: string }
  /**
   * Tokens that were issued before `beforeMs` (wall time; a token's is known to the second); a time in the future means all of them.
   * With `keys` API keys that were made before it are deleted too, but for the caller's own.
   */
  | { readonly what: "before"; readonly beforeMs: number; readonly keys?: boolean };

/** An entry of the log. */
export interface StoredRevocation {
  /** Unique and growing; tokens carry the newest one that was known when they were issued. */
  readonly version: number;
  readonly revocation: Revocation;
  readonly atMs: number;
  /** Then the entry goes: no token that it could match is alive any more. */
  readonly expiresAtMs: number;
}

/** What tells whether a credential was taken back. */
export interface CredentialFacts
  extends Pick<
    Principal,
    "kind" | "environment" | "isOperator" | "keyId" | "jti" | "tokenId" | "userId" | "issuedAtMs"
  > {
  /** The newest revocation that was known when the token was issued; for an API key the id of its record. */
  readonly version: number;
}

/** The log of what was taken back, of all environments. Records are the truth; a node reads them at its start, on a hint, and each second. */
export interface Revocations {
  /** Reads the log. */
  start(): Promise<void>;
  /** The newest entry of the environment that is known here; 0: there is none. */
  version(environment: string): number;
  /** How many API keys of the environment were deleted as long ago as entries are kept. */
  deletedKeys(environment: string): number;
  /**
   * Durable and in effect on this node when it answers; on others within a second.
   * @throws TodokuError `permission_denied`; `invalid_argument`; `limit_exceeded`: the environment has `limits.revocation.perEnvironment` entries.
   */
  revoke(principal: Principal, revocation: Revocation): Promise<{ readonly version: number }>;
  /** Those of the principal's environment, the oldest first. @throws TodokuError `permission_denied`. */
  list(principal: Principal): Promise<readonly StoredRevocation[]>;
  /** In no time. True when an entry that is newer than the credential matches it. */
  isRevoked(facts: CredentialFacts): boolean;
  /** Calls `listener` after entries were added, here or on another node. */
  onRevoked(listener: () => void): void;
  /** Compares with the store: for hints of other nodes and the tick each second. */
  refresh(): Promise<void>;
  /** Removes entries whose time is over. */
  sweep(nowMs: number): Promise<void>;
}

/** @param wallMs the clock that the times of entries are read from. */
export function createRevocations(
  { records, bus }: Pick<Engine, "records" | "bus">,
  wallMs: () => number,
): Revocations {
  let logs = new Map<string, RevocationLog>();
  const listeners: (() => void)[] = [];

  // What is known comes from whole lists only, one after the other: whoever knows an entry knows all older ones, so that a token
  // which carries its version cannot have been issued in spite of one of them.
  const refresh = runInTurn(async () => {
    const read = new Map<string, RevocationLog>();
    let hasNew = false;
    const stored = [...(await records.list(recordKind))].sort((a, b) => a.id - b.id);
    for (const record of stored) {
      const log = read.get(record.environment) ?? new RevocationLog();
      read.set(record.environment, log);
      const known = logs.get(record.environment)?.get(record.id);
      log.add(known ?? readEntry(record));
      hasNew ||= !known;
    }
    logs = read;
    if (hasNew) for (const listener of listeners) listener();
  });

  async function checkMayRevoke({ environment, isOperator }: Principal, revocation: Revocation): Promise<void> {
    check(revocation);
    const { perEnvironment } = limits.revocation;
    if (revocation.what === "key") {
      const key = { kind: apiKeyRecordKind, environment, name: revocation.keyId };
      if (!isOperator && (await records.read(key))?.document.isOperator === true) {
        throw new TodokuError(
          "permission_denied",
          `API key "${revocation.keyId}" is an operator's: only operators may revoke it`,
        );
      }
    } else if (countOthers(logs.get(environment)) >= perEnvironment) {
      throw new TodokuError(
        "limit_exceeded",
        `environment "${environment}" has ${perEnvironment} revocations, the most it may have: rotate its signing key with no overlap, which voids all tokens`,
      );
    }
  }

  bus.listen((hint) => {
    if (hint.kind !== "record-changed" || hint.recordKind !== recordKind) return;
    refresh().catch(() => {}); // as if the hint were lost: the tick of each second comes anyway
  });

  return {
    start: refresh,
    refresh,
    version: (environment) => logs.get(environment)?.version ?? 0,
    deletedKeys: (environment) => logs.get(environment)?.deletedKeys ?? 0,
    isRevoked: (facts) => logs.get(facts.environment)?.matches(facts) === true,
    onRevoked: (listener) => void listeners.push(listener),

    async revoke(principal, revocation) {
      authorize(principal, "token.revoke");
      await checkMayRevoke(principal, revocation);
      const { environment } = principal;
      const name = randomUUID();
      const { id } = await records.create(
        { kind: recordKind, environment, name },
        toDocument(principal, revocation, wallMs()),
      );
      bus.send({ kind: "record-changed", recordKind, environment, name });
      await refresh();
      return { version: id };
    },

    async list(principal) {
      authorize(principal, "token.revoke");
      const entries = logs.get(principal.environment)?.entries ?? [];
      return entries.map(({ id, document: { atMs, expiresAtMs, ...document } }) => {
        return { version: id, revocation: toRevocation(document), atMs, expiresAtMs };
      });
    },

    async sweep(nowMs) {
      let isChanged = false;
      for (const [environment, { entries }] of logs) {
        for (const { name } of entries.filter(({ document }) => document.expiresAtMs <= nowMs)) {
          await records.remove({ kind: recordKind, environment, name });
          isChanged = true;
        }
      }
      if (isChanged) await refresh();
    },
  };
}

/** Those of deleted keys have a bound of their own, which is the makers' of keys: a key must always be possible to delete. */
function countOthers(log: RevocationLog | undefined): number {
  return log ? log.entries.length - log.deletedKeys : 0;
}

function toDocument({ keyId, isOperator }: Principal, revocation: Revocation, atMs: number): RevocationDocument {
  const times = { atMs, expiresAtMs: atMs + limits.revocation.keptMs };
  if (revocation.what !== "before") return { ...revocation, ...times };
  return { ...revocation, ...(keyId !== undefined && { exceptKeyId: keyId }), byOperator: isOperator, ...times };
}

function toRevocation(document: Revocation): Revocation {
  if (document.what !== "before") return document;
  const { what, beforeMs, keys } = document;
  return { what, beforeMs, ...(keys && { keys }) };
}

/** The value is never repeated: it may be a whole credential, pasted by mistake. */
function check(revocation: Revocation): void {
  if (revocation.what === "token") checkLength("the jti", revocation.jti, limits.tokenIdMaxLength);
  if (revocation.what === "token-id") checkLength("tokenId", revocation.tokenId, limits.tokenIdMaxLength);
  if (revocation.what === "user") checkLength("userId", revocation.userId, limits.userIdMaxLength);
  if (revocation.what === "key" && !isKeyId(revocation.keyId)) {
    throw new TodokuError("invalid_argument", "this is no id of an API key");
  }
  if (revocation.what === "before" && !(Number.isSafeInteger(revocation.beforeMs) && revocation.beforeMs >= 0)) {
    throw new TodokuError("invalid_argument", `issuedBeforeMs ${revocation.beforeMs} must be a whole number >= 0`);
  }
}

function checkLength(what: string, value: string, maxLength: number): void {
  if (value.length >= 1 && value.length <= maxLength) return;
  throw new TodokuError("invalid_argument", `${what} has ${value.length} characters; must be >= 1 and <= ${maxLength}`);
}
