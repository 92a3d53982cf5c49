import { Buffer } from "node:buffer";
import type { Sealer } from "../encryption/sealer.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { StoredRecord } from "../records/store.ts";
import {
  type AccessKey,
  type ApiKey,
  apiKeyRecordKind,
  checkKeyRequest,
  environmentOf,
  isHashOf,
  isKeyId,
  isSameHash,
  type KeyChanges,
  type KeyDocument,
  type KeyRequest,
  type MadeKey,
  newRefreshToken,
  newSecret,
  newSecretAccessKey,
  parseSecret,
  readDocument,
  sealedAccessName,
  toKey,
} from "./api-key.ts";
import { authorize } from "./authorize.ts";
import type { Principal } from "./principal.ts";
import type { Revocations } from "./revocations.ts";
import { UsedKeys } from "./used-keys.ts";
import type { KnownEnvironments, Verdict, Withdrawals } from "./withdrawal.ts";

const recordKind = apiKeyRecordKind;
// Expired records are no danger, only litter: to look through all of them each second would be waste.
const sweepEveryMs = 60_000;
const keptHours = limits.revocation.keptMs / 3_600_000;

/** Makes, lists, ends and verifies the API keys of all environments. */
export interface Keys {
  /**
   * Super users make all keys of their environment but operators'; operators make any, in other environments too.
   * @throws TodokuError `permission_denied`, `invalid_argument`, `limit_exceeded`; `already_exists`: another key has the name; `not_found`: the environment.
   */
  create(
    principal: Principal,
    request: KeyRequest & { readonly withRefreshToken?: boolean },
    environment?: string,
  ): Promise<MadeKey>;
  /** Those of the principal's environment, the oldest first; an expired one for another day. @throws TodokuError `permission_denied`; `failed_precondition`: one is of a later release. */
  list(principal: Principal): Promise<readonly ApiKey[]>;
  /**
   * Ends new calls and open streams of the key and of the tokens that it issued: on this node at once, on others within a second.
   * @throws TodokuError `permission_denied`, `invalid_argument`, `not_found`.
   */
  delete(principal: Principal, keyId: string): Promise<void>;
  /**
   * Gives the key other rights, from the next call on; its open streams end with `unavailable`, and its clients come back with the new
   * ones. Tokens that it issued live on until they expire.
   * @throws TodokuError `permission_denied`, `invalid_argument`, `not_found`; `unavailable`: it was changed at the same time.
   */
  update(principal: Principal, keyId: string, changes: KeyChanges): Promise<ApiKey>;
  /**
   * Lets the key end at `atMs` (wall time), which may be past; it cannot be renewed then. Its tokens live on until they expire.
   * @throws TodokuError `permission_denied`, `not_found`; `invalid_argument`: it would end later than it does.
   */
  expireAt(principal: Principal, keyId: string, atMs: number): Promise<ApiKey>;
  /**
   * A new key with the same rights and the lifetime that the old one had from its making on, beside the old one, with a new refresh token.
   * @throws TodokuError `unauthenticated`: the key is not valid, or the refresh token not its own or used already; `limit_exceeded`;
   * `unavailable`: the key was changed at the same time.
   */
  renew(secret: string, refreshToken: string): Promise<MadeKey>;
  /** The same principal for each call with the same key. @throws TodokuError `unauthenticated`. */
  verify(secret: string): Promise<Principal>;
  /**
   * The principal of the access key, and its secret to remember, when `isSigned` says of the secret that the request was signed with it.
   * @throws TodokuError `unauthenticated`; its subject is `access_key`: there is none, or `signature`: it was signed with another secret.
   */
  verifySigned(accessKeyId: string, isSigned: IsSigned): Promise<SignedBy>;
  /** What a genuine key is, though it may have ended. @throws TodokuError `unauthenticated`. */
  inspect(
    secret: string,
  ): Promise<{ readonly key: ApiKey; readonly environment: string; readonly verdict: Verdict | undefined }>;
  /** Compares with the store: for hints of other nodes and the tick each second. */
  refresh(): Promise<void>;
  /** Ends streams of keys that have expired; deletes the records of those that were revoked or expired a day ago. */
  sweep(nowMs: number): Promise<void>;
}

/** Was the request signed with this secret access key? Takes the same time whatever the answer is. */
export type IsSigned = (secretAccessKey: string) => boolean;

/** Who has signed, and with what. */
export interface SignedBy {
  readonly principal: Principal;
  readonly secretAccessKey: string;
}

/** What keys are made of. */
export interface KeyParts extends Pick<Engine, "records" | "bus"> {
  readonly revocations: Pick<Revocations, "revoke" | "deletedKeys">;
  readonly withdrawals: Withdrawals;
  /** For secret access keys. */
  readonly sealer: Pick<Sealer, "seal" | "open">;
  /** Without it every environment is taken to be there. */
  readonly environments?: KnownEnvironments | undefined;
  /** The clock that creation times and expiry are read from. */
  readonly wallMs: () => number;
}

export function createKeys(parts: KeyParts): Keys {
  return new KeyService(parts);
}

/** A stored key. */
interface Stored {
  readonly record: StoredRecord;
  readonly document: KeyDocument;
}

class KeyService implements Keys {
  readonly #parts: KeyParts;
  readonly #used: UsedKeys;
  /** One key is made after the other: each counts those before it. */
  #lastCreation: Promise<unknown> = Promise.resolve();
  #sweptAtMs = Number.NEGATIVE_INFINITY;

  constructor(parts: KeyParts) {
    this.#parts = parts;
    this.#used = new UsedKeys(parts.withdrawals);
    parts.bus.listen((hint) => {
      if (hint.kind !== "record-changed" || hint.recordKind !== recordKind) return;
      this.refresh().catch(() => {}); // as if the hint were lost: the tick of each second comes anyway
    });
  }

  async create(
    principal: Principal,
    request: KeyRequest & { readonly withRefreshToken?: boolean },
    environment = principal.environment,
  ): Promise<MadeKey> {
    authorize(principal, "key.create");
    if (environment !== principal.environment) authorize(principal, "environment.update");
    if (request.isOperator && !principal.isOperator) {
      throw new TodokuError("permission_denied", "this credential may not make the key of an operator");
    }
    checkKeyRequest(request);
    return this.#store(environment, request);
  }

  /** @throws TodokuError `not_found`: the environment is not there. */
  #bornMs(environment: string): number | undefined {
    const { environments } = this.#parts;
    const known = environments?.known(environment);
    if (known || !environments) return known?.createdAtMs;
    throw new TodokuError("not_found", `environment "${environment}" does not exist`, { subject: "environment" });
  }

  async #store(environment: string, request: KeyRequest & { readonly withRefreshToken?: boolean }): Promise<MadeKey> {
    const bornMs = this.#bornMs(environment);
    const creation = this.#lastCreation.then(() => this.#storeNext(environment, bornMs, request));
    this.#lastCreation = creation.catch(() => {});
    return creation;
  }

  async #storeNext(
    environment: string,
    bornMs: number | undefined,
    request: KeyRequest & { readonly withRefreshToken?: boolean },
  ): Promise<MadeKey> {
    await this.#makeRoom(environment);
    const { keyId, secret, secretHash } = request.newSecret ?? newSecret(environment);
    const refresh = request.withRefreshToken ? newRefreshToken() : undefined;
    const accessKey = request.withAccessKey && { accessKeyId: keyId, secretAccessKey: newSecretAccessKey() };
    const { name, description = "", isSuperUser, isOperator = false, grants, validForMs, replaces } = request;
    if (name !== undefined) await this.#checkNameIsFree(environment, name, replaces);
    const nowMs = this.#parts.wallMs();
    const document: KeyDocument = {
      ...{ secretHash, description, isSuperUser, isOperator, grants: [...grants], createdAtMs: nowMs },
      ...(name !== undefined && { name }),
      ...(validForMs !== undefined && { validForMs, expiresAtMs: Math.ceil((nowMs + validForMs) / 1000) * 1000 }),
      ...(refresh && { refreshHash: refresh.refreshHash }),
      ...(replaces !== undefined && { replaces }),
      ...(accessKey && { accessSecret: await this.#seal(environment, accessKey) }),
    };
    const key = { kind: recordKind, environment, name: keyId };
    // Whoever may do this in an environment that is gone must not get a key of the one that was made with its name.
    if (this.#bornMs(environment) !== bornMs) {
      throw new TodokuError("not_found", `environment "${environment}" was destroyed`, { subject: "environment" });
    }
    const { id } = await this.#parts.records.create(key, document);
    try {
      // Another node may have made one of this name meanwhile: the older one stays.
      if (name !== undefined) await this.#checkNameIsFree(environment, name, replaces, id);
    } catch (error) {
      await this.#parts.records.remove(key);
      throw error;
    }
    return {
      ...{ key: toKey(keyId, document), secret },
      ...(refresh && { refreshToken: refresh.refreshToken }),
      ...(accessKey && { accessKey }),
    };
  }

  #seal(environment: string, { accessKeyId, secretAccessKey }: AccessKey): Promise<string> {
    return this.#parts.sealer.seal(environment, sealedAccessName(accessKeyId), Buffer.from(secretAccessKey));
  }

  /** Of the expired ones that are still kept, the first one goes when there are too many. @throws TodokuError `limit_exceeded`. */
  async #makeRoom(environment: string): Promise<void> {
    const { perEnvironment, deletedMax } = limits.apiKey;
    if (this.#parts.revocations.deletedKeys(environment) >= deletedMax) {
      const text = `${deletedMax} API keys were deleted in environment "${environment}" within ${keptHours} h, the most that are remembered`;
      throw new TodokuError("limit_exceeded", `${text}: let keys expire instead (validForSeconds)`);
    }
    const stored = await this.#parts.records.list(recordKind, environment);
    if (stored.length < perEnvironment) return;
    const [first] = stored.filter((record) => this.#hasEnded(record)).sort((a, b) => a.id - b.id);
    if (!first) {
      throw new TodokuError(
        "limit_exceeded",
        `environment "${environment}" has ${perEnvironment} API keys, the most it may have`,
      );
    }
    await this.#parts.records.remove(first);
  }

  /** Looks at the record as it is: one of a later release counts too. */
  #hasEnded({ name: keyId, environment, id, document }: StoredRecord, nowMs = this.#parts.wallMs()): boolean {
    const { expiresAtMs, createdAtMs, isOperator } = document as Partial<KeyDocument>;
    if (expiresAtMs !== undefined && expiresAtMs <= nowMs) return true;
    const facts = { kind: "key", environment, keyId, tokenId: "", version: id, issuedAtMs: createdAtMs ?? 0 } as const;
    return this.#parts.withdrawals.judge({ ...facts, isOperator: isOperator === true }) === "revoked";
  }

  /** @throws TodokuError `already_exists`: a key that is older than `id` has the name, and is not replaced by another one. */
  async #checkNameIsFree(
    environment: string,
    name: string,
    replaces: string | undefined,
    id = Number.POSITIVE_INFINITY,
  ) {
    const stored = await this.#parts.records.list(recordKind, environment);
    const replaced = new Set([replaces, ...stored.map(({ document }) => document.replaces)]);
    const holder = stored.find((record) => {
      return record.id < id && record.document.name === name && !replaced.has(record.name) && !this.#hasEnded(record);
    });
    if (!holder) return;
    throw new TodokuError("already_exists", `API key "${holder.name}" has the name "${name}" already`, {
      subject: "key",
    });
  }

  async list(principal: Principal): Promise<readonly ApiKey[]> {
    authorize(principal, "key.list");
    const stored = [...(await this.#parts.records.list(recordKind, principal.environment))].sort((a, b) => a.id - b.id);
    return stored.flatMap((record) => {
      const key = toKey(record.name, readDocument(record, "failed_precondition"));
      // A revoked one is as good as deleted.
      return this.#judge(record, key) === "revoked" ? [] : [key];
    });
  }

  #judge({ environment, id }: StoredRecord, { keyId, isOperator, createdAtMs }: ApiKey): Verdict | undefined {
    const facts = { kind: "key", environment, keyId, isOperator, tokenId: "", version: id } as const;
    return this.#parts.withdrawals.judge({ ...facts, issuedAtMs: createdAtMs });
  }

  async delete(principal: Principal, keyId: string): Promise<void> {
    authorize(principal, "key.delete");
    const { name, environment } = await this.#find(principal, keyId);
    // First: when the server stops in between, the key is void all the same, and its record goes with the next sweep.
    await this.#parts.revocations.revoke(principal, { what: "key", keyId });
    const removed = await this.#parts.records.remove({ kind: recordKind, environment, name });
    this.#used.withdraw(keyId, "this API key was deleted");
    this.#tell(environment, keyId);
    if (!removed) throw notFound(keyId);
  }

  /** @throws TodokuError `invalid_argument`, `not_found`, `permission_denied`. */
  async #find({ environment, isOperator }: Principal, keyId: string): Promise<StoredRecord> {
    // Not quoted: it may be a whole key, pasted by mistake.
    if (!isKeyId(keyId)) throw new TodokuError("invalid_argument", "this is no id of an API key");
    const record = await this.#parts.records.read({ kind: recordKind, environment, name: keyId });
    if (!record) throw notFound(keyId);
    if (record.document.isOperator !== true || isOperator) return record;
    throw new TodokuError("permission_denied", `API key "${keyId}" is an operator's: only operators may end it`);
  }

  #tell(environment: string, name: string): void {
    this.#parts.bus.send({ kind: "record-changed", recordKind, environment, name });
  }

  async expireAt(principal: Principal, keyId: string, atMs: number): Promise<ApiKey> {
    authorize(principal, "key.delete");
    const record = await this.#find(principal, keyId);
    const document = readDocument(record, "failed_precondition");
    const latestMs = document.expiresAtMs ?? Number.MAX_SAFE_INTEGER;
    if (!(atMs >= 0 && atMs <= latestMs)) {
      throw new TodokuError(
        "invalid_argument",
        `API key "${keyId}" cannot end at ${atMs}: must be >= 0 and <= ${latestMs}`,
      );
    }
    // Without its refresh token: whoever holds it must not get out of this end.
    const { refreshHash: _, ...rest } = document;
    const hasEnded = atMs <= this.#parts.wallMs();
    const changed = { ...rest, expiresAtMs: Math.floor(atMs), ...(hasEnded && { hasEnded }) };
    await this.#parts.records.replace(record, changed, record.version);
    this.#used.follow(keyId, changed);
    this.#used.expire(this.#parts.wallMs());
    this.#tell(record.environment, keyId);
    return toKey(keyId, changed);
  }

  async update(principal: Principal, keyId: string, changes: KeyChanges): Promise<ApiKey> {
    authorize(principal, "key.create");
    authorize(principal, "key.delete");
    const record = await this.#find(principal, keyId);
    const document = readDocument(record, "failed_precondition");
    const { description = document.description, isSuperUser = document.isSuperUser } = changes;
    const grants = changes.grants ?? (isSuperUser ? [] : document.grants);
    checkKeyRequest({ description, isSuperUser, isOperator: document.isOperator, grants });
    const changed = { ...document, description, isSuperUser, grants: [...grants] };
    await this.#parts.records.replace(record, changed, record.version).catch((error: unknown) => {
      if (!(error instanceof TodokuError) || error.code !== "failed_precondition") throw error;
      throw changedMeanwhile(keyId);
    });
    this.#used.follow(keyId, changed);
    this.#tell(record.environment, keyId);
    return toKey(keyId, changed);
  }

  async renew(secret: string, refreshToken: string): Promise<MadeKey> {
    const { record, document } = await this.#read(secret);
    this.#admit(record, document);
    const { refreshHash, ...rest } = document;
    if (refreshHash === undefined || !isHashOf(refreshToken, refreshHash)) throw refreshRefused();
    // First: of two who bring it at once, one gets a key.
    await this.#parts.records.replace(record, rest, record.version).catch(async (error: unknown) => {
      if (error instanceof TodokuError && error.code === "unavailable") throw error;
      const now = await this.#parts.records.read(record);
      throw now?.document.refreshHash === refreshHash ? changedMeanwhile(record.name) : refreshRefused();
    });
    const withAccessKey = rest.accessSecret !== undefined;
    return this.#store(record.environment, { ...rest, replaces: record.name, withRefreshToken: true, withAccessKey });
  }

  async verify(secret: string): Promise<Principal> {
    const { record, document } = await this.#read(secret);
    return this.#admit(record, document);
  }

  async verifySigned(accessKeyId: string, isSigned: IsSigned): Promise<SignedBy> {
    const sealed = await this.#signer(accessKeyId);
    const { environment } = sealed.record;
    const name = sealedAccessName(accessKeyId);
    const plain = await this.#parts.sealer.open(environment, name, sealed.document.accessSecret);
    const secretAccessKey = Buffer.from(plain).toString("utf8");
    // First: whoever does not have the secret learns nothing of the key.
    if (!isSigned(secretAccessKey)) throw signatureRefused();
    // As it is now: while it was opened the key may have been given other rights, or an end.
    const { record, document } = await this.#signer(accessKeyId);
    return { principal: this.#admit(record, document), secretAccessKey };
  }

  async inspect(secret: string): ReturnType<Keys["inspect"]> {
    const { record, document } = await this.#read(secret);
    const key = toKey(record.name, document);
    const wasEnded = document.hasEnded && (key.expiresAtMs ?? 0) > this.#parts.wallMs();
    return { key, environment: record.environment, verdict: wasEnded ? "revoked" : this.#judge(record, key) };
  }

  /** @throws TodokuError `unauthenticated`: there is no such access key. */
  async #signer(keyId: string): Promise<Stored & { readonly document: { readonly accessSecret: string } }> {
    const environment = environmentOf(keyId);
    const name = { kind: recordKind, environment: environment ?? "", name: keyId };
    const record = environment === undefined ? undefined : await this.#parts.records.read(name);
    const document = record && readDocument(record, "unauthenticated");
    const accessSecret = document?.accessSecret;
    if (record && document && accessSecret !== undefined) return { record, document: { ...document, accessSecret } };
    throw refused("access_key", "this access key is not known here");
  }

  /** @throws TodokuError `unauthenticated`: it is not genuine. */
  async #read(secret: string): Promise<Stored> {
    const { keyId, environment, secretHash } = parseSecret(secret);
    const record = await this.#parts.records.read({ kind: recordKind, environment, name: keyId });
    const document = record && readDocument(record, "unauthenticated");
    if (document && isSameHash(secretHash, document.secretHash)) return { record, document };
    throw new TodokuError("unauthenticated", "this API key is not known here");
  }

  /** @throws TodokuError `unauthenticated`: it has ended. */
  #admit({ name: keyId, environment, id }: StoredRecord, document: KeyDocument): Principal {
    const { expiresAtMs = Number.POSITIVE_INFINITY, hasEnded } = document;
    if (!hasEnded && expiresAtMs > this.#parts.wallMs())
      return this.#used.principalOf({ keyId, environment, id, document });
    throw new TodokuError("unauthenticated", "this API key has expired");
  }

  async refresh(): Promise<void> {
    const { keyIds } = this.#used; // before the list: a key that is used from here on may be newer than it
    const stored = new Map((await this.#parts.records.list(recordKind)).map((record) => [record.name, record]));
    for (const keyId of keyIds) {
      const record = stored.get(keyId);
      if (!record) this.#used.withdraw(keyId, "this API key was deleted");
      else if (record.document.hasEnded) this.#used.withdraw(keyId, "this API key has expired");
      else this.#used.follow(keyId, record.document as KeyDocument);
    }
    this.#used.expire(this.#parts.wallMs());
  }

  async sweep(nowMs: number): Promise<void> {
    this.#used.expire(nowMs);
    if (Math.abs(nowMs - this.#sweptAtMs) < sweepEveryMs) return;
    const { keptAfterExpiryMs } = limits.apiKey;
    for (const record of await this.#parts.records.list(recordKind)) {
      if (this.#hasEnded(record, nowMs - keptAfterExpiryMs)) await this.#parts.records.remove(record);
    }
    this.#sweptAtMs = nowMs;
  }
}

function notFound(keyId: string): TodokuError {
  return new TodokuError("not_found", `API key "${keyId}" does not exist`, { subject: "key" });
}

function refused(subject: "access_key" | "signature", message: string): TodokuError {
  return new TodokuError("unauthenticated", message, { subject });
}

/** The signature was made with another secret, or of another request. */
export function signatureRefused(): TodokuError {
  return refused(
    "signature",
    "the signature does not match: check the secret access key, and that nothing on the way changes the request",
  );
}

function refreshRefused(): TodokuError {
  return new TodokuError("unauthenticated", "this refresh token is not of this API key, or has been used");
}

function changedMeanwhile(keyId: string): TodokuError {
  return new TodokuError("unavailable", `API key "${keyId}" was changed at the same time; try again`);
}
