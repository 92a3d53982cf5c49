import { Buffer } from "node:buffer";
import { timingSafeEqual } from "node:crypto";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import {
  type ApiKey,
  checkKeyRequest,
  isKeyId,
  type KeyRequest,
  newSecret,
  parseSecret,
  readDocument,
  toKey,
} from "./api-key.ts";
import { authorize } from "./authorize.ts";
import type { Principal } from "./principal.ts";
import { Withdrawal } from "./withdrawal.ts";

const recordKind = "api-key";

/** Makes, lists, deletes and verifies the API keys of all environments. They do not expire. */
export interface Keys {
  /** `secret` is the whole key, given out this once. @throws TodokuError `permission_denied`, `invalid_argument`, `limit_exceeded`. */
  create(principal: Principal, request: KeyRequest): Promise<{ readonly key: ApiKey; readonly secret: string }>;
  /** Those of the principal's environment, the oldest first. @throws TodokuError `permission_denied`; `failed_precondition`: one is of a later release. */
  list(principal: Principal): Promise<readonly ApiKey[]>;
  /** Ends new calls and open streams of the key: on this node at once, on others within a second. @throws TodokuError `permission_denied`, `invalid_argument`, `not_found`. */
  delete(principal: Principal, keyId: string): Promise<void>;
  /** The same principal for each call with the same key. @throws TodokuError `unauthenticated`. */
  verify(secret: string): Promise<Principal>;
  /** Compares with the store: for hints of other nodes and the tick each second. */
  refresh(): Promise<void>;
}

/** @param wallMs the clock that creation times are read from. */
export function createKeys({ records, bus }: Pick<Engine, "records" | "bus">, wallMs: () => number): Keys {
  /** The keys that were used on this node and exist, by id. */
  const used = new Map<string, { readonly principal: Principal; readonly withdrawal: Withdrawal }>();

  /** One key is made after the other: each counts those before it. */
  let lastCreation: Promise<unknown> = Promise.resolve();

  function withdraw(keyId: string): void {
    used.get(keyId)?.withdrawal.withdraw("this API key was deleted");
    used.delete(keyId);
  }

  async function refresh(): Promise<void> {
    const keyIds = [...used.keys()]; // before the list: a key that is used from here on may be newer than it
    const stored = new Set((await records.list(recordKind)).map((record) => record.name));
    for (const keyId of keyIds) if (!stored.has(keyId)) withdraw(keyId);
  }

  async function store(environment: string, { description, isSuperUser, grants }: KeyRequest) {
    if ((await records.list(recordKind, environment)).length >= limits.apiKey.perEnvironment) {
      throw new TodokuError(
        "limit_exceeded",
        `environment "${environment}" has ${limits.apiKey.perEnvironment} API keys, the most it may have`,
      );
    }
    const { keyId, secret, secretHash } = newSecret(environment);
    const document = { secretHash, description, isSuperUser, grants, createdAtMs: wallMs() };
    const record = await records.create({ kind: recordKind, environment, name: keyId }, document);
    return { key: toKey(record), secret };
  }

  bus.listen((hint) => {
    if (hint.kind !== "record-changed" || hint.recordKind !== recordKind) return;
    refresh().catch(() => {}); // as if the hint were lost: the tick of each second comes anyway
  });

  return {
    refresh,
    async create(principal, request) {
      authorize(principal, "key.create");
      checkKeyRequest(request);
      const creation = lastCreation.then(() => store(principal.environment, request));
      lastCreation = creation.catch(() => {});
      return creation;
    },

    async list(principal) {
      authorize(principal, "key.list");
      const stored = await records.list(recordKind, principal.environment);
      return [...stored].sort((a, b) => a.id - b.id).map(toKey);
    },

    async delete(principal, keyId) {
      authorize(principal, "key.delete");
      const { environment } = principal;
      // Not quoted: it may be a whole key, pasted by mistake.
      if (!isKeyId(keyId)) throw new TodokuError("invalid_argument", "this is no id of an API key");
      const removed = await records.remove({ kind: recordKind, environment, name: keyId });
      if (!removed) throw new TodokuError("not_found", `API key "${keyId}" does not exist`, { subject: "key" });
      withdraw(keyId);
      bus.send({ kind: "record-changed", recordKind, environment, name: keyId });
    },

    async verify(secret) {
      const { keyId, environment, secretHash } = parseSecret(secret);
      const record = await records.read({ kind: recordKind, environment, name: keyId });
      const document = record && readDocument(record, "unauthenticated");
      if (!document || !timingSafeEqual(Buffer.from(secretHash), Buffer.from(document.secretHash))) {
        throw new TodokuError("unauthenticated", "this API key is not known here");
      }
      const known = used.get(keyId);
      if (known) return known.principal;
      const withdrawal = new Withdrawal();
      const { isSuperUser, grants } = document;
      const principal: Principal = {
        kind: "key",
        environment,
        isSuperUser,
        isOperator: false,
        grants,
        tokenId: "",
        expiresAtMs: undefined,
        withdrawal,
      };
      used.set(keyId, { principal, withdrawal });
      return principal;
    },
  };
}
