import { z } from "zod";
import type { StoredRecord } from "../records/store.ts";
import type { CredentialFacts, Revocation } from "./revocations.ts";

const times = { atMs: z.number(), expiresAtMs: z.number() };
const documentSchema = z.discriminatedUnion("what", [
  z.strictObject({ what: z.literal("token"), jti: z.string(), ...times }),
  z.strictObject({ what: z.literal("token-id"), tokenId: z.string(), ...times }),
  z.strictObject({ what: z.literal("user"), userId: z.string(), ...times }),
  z.strictObject({ what: z.literal("key"), keyId: z.string(), ...times }),
  z.strictObject({
    ...{ what: z.literal("before"), beforeMs: z.number(), keys: z.boolean().exactOptional() },
    /** The key of whoever said so; it stays. */
    exceptKeyId: z.string().exactOptional(),
    /** An operator said so: keys of operators go too. */
    byOperator: z.boolean().exactOptional(),
    ...times,
  }),
]);

/** What is stored of a revocation. */
export type RevocationDocument = z.infer<typeof documentSchema>;

/** A stored revocation; its id is its version. */
export interface Entry {
  readonly id: number;
  readonly name: string;
  readonly document: RevocationDocument;
}

/** One of a later release, with what this one does not know, counts as "everything that was issued before it": rather too much than too little. */
export function readEntry({ id, name, document }: StoredRecord): Entry {
  const { data } = documentSchema.safeParse(document);
  const { atMs, expiresAtMs } = document as unknown as RevocationDocument;
  const everything = { what: "before", beforeMs: Number.MAX_SAFE_INTEGER, atMs, expiresAtMs } as const;
  return { id, name, document: data ?? everything };
}

/** The revocations of one environment, looked up by what they match. */
export class RevocationLog {
  readonly #entries = new Map<number, Entry>();
  /** What is matched by a value alone, and the newest entry for it. A map each: all open streams are looked up after each revocation. */
  readonly #newest = {
    token: new Map<string, number>(),
    "token-id": new Map<string, number>(),
    user: new Map<string, number>(),
    key: new Map<string, number>(),
  };
  readonly #before: { readonly id: number; readonly document: RevocationDocument & { what: "before" } }[] = [];
  /** The newest id; 0: there is none. */
  version = 0;

  /** The oldest first. */
  get entries(): readonly Entry[] {
    return [...this.#entries.values()];
  }

  /** How many API keys were deleted. */
  get deletedKeys(): number {
    return this.#newest.key.size;
  }

  get(id: number): Entry | undefined {
    return this.#entries.get(id);
  }

  /** Entries come in the order of their ids. */
  add(entry: Entry): void {
    const { id, document } = entry;
    this.#entries.set(id, entry);
    this.version = Math.max(this.version, id);
    if (document.what === "before") {
      this.#before.push({ id, document });
      return;
    }
    // By id: the newest comes last.
    this.#newest[document.what].set(textOf(document), id);
  }

  /** Is there a newer entry that matches? */
  matches(facts: CredentialFacts): boolean {
    const { jti, tokenId, userId, keyId, version, issuedAtMs = 0 } = facts;
    if (isNewer(this.#newest.key, keyId, version)) return true;
    if (facts.kind === "key") {
      return this.#before.some(({ id, document }) => {
        const { keys, exceptKeyId, byOperator } = document;
        if (id <= version || !keys || !isBefore(issuedAtMs, document)) return false;
        return exceptKeyId !== keyId && (byOperator === true || !facts.isOperator);
      });
    }
    if (facts.kind === "user") return this.#matchesUser(facts);
    const { token, "token-id": ids, user } = this.#newest;
    if (isNewer(token, jti, version) || isNewer(ids, tokenId, version) || isNewer(user, userId, version)) return true;
    return this.#before.some(({ id, document }) => id > version && isBefore(issuedAtMs, document));
  }

  /** Whom others have signed in: times are all that can be compared. An entry takes back nothing that was issued after it was made. */
  #matchesUser({ jti, tokenId, userId, issuedAtMs = 0 }: CredentialFacts): boolean {
    const { token, "token-id": ids, user } = this.#newest;
    const isOlder = (newest: ReadonlyMap<string, number>, value: string | undefined) => {
      const id = value === undefined ? undefined : newest.get(value);
      return id !== undefined && issuedAtMs <= (this.#entries.get(id)?.document.atMs ?? 0);
    };
    if (isOlder(token, jti) || isOlder(ids, tokenId) || isOlder(user, userId)) return true;
    return this.#before.some(({ document }) => issuedAtMs < document.beforeMs && issuedAtMs <= document.atMs);
  }
}

/** The clocks of nodes differ by less, and a node hears of a revocation within a second. */
const aheadMs = 60_000;

/** What is older than the entry and has a later time was issued while the clock was ahead: when that was nobody knows, so it goes. */
function isBefore(issuedAtMs: number, { beforeMs, atMs }: RevocationDocument & { what: "before" }): boolean {
  return issuedAtMs < beforeMs || issuedAtMs > atMs + aheadMs;
}

function isNewer(newest: ReadonlyMap<string, number>, value: string | undefined, version: number): boolean {
  return newest.size > 0 && value !== undefined && (newest.get(value) ?? 0) > version;
}

function textOf(revocation: Exclude<Revocation, { what: "before" }>): string {
  switch (revocation.what) {
    case "token":
      return revocation.jti;
    case "token-id":
      return revocation.tokenId;
    case "user":
      return revocation.userId;
    case "key":
      return revocation.keyId;
  }
}
