import { Buffer } from "node:buffer";
import {
  type AccessKey,
  apiKeyRecordKind,
  type KeyDocument,
  newSecret,
  parseSecret,
  readDocument,
} from "../auth/api-key.ts";
import { authorize } from "../auth/authorize.ts";
import { toV2, unwrapCredential, wrapCredential } from "../auth/credential.ts";
import type { Keys } from "../auth/keys.ts";
import type { Principal } from "../auth/principal.ts";
import type { Sealer } from "../encryption/sealer.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { isConflict } from "../records/conflict.ts";
import type { RecordStore, StoredRecord } from "../records/store.ts";
import {
  checkSecretName,
  currentVersion,
  readSecret,
  type SecretDocument,
  sealedName,
  secretKeyOf,
  secretNotFound,
  secretRecordKind,
  withVersion,
} from "./secret.ts";

// Others who change the same secret at another node: whoever loses more often than this should hear of it.
const maxTries = 10;

type Rotation = NonNullable<SecretDocument["rotation"]>;

/** What a rotation has done. */
interface RotatedKey {
  readonly keyId: string;
  /** The version of the secret that holds it. */
  readonly secretVersion: number;
  readonly oldKeyId: string;
  /** Wall time. */
  readonly oldExpiresAtMs: number;
  /** When the old key had one. A rotation that a stop interrupted has lost it: the next one makes another. */
  readonly accessKey?: AccessKey;
}

/**
 * Replaces the API key that a secret holds. The rotation is written into the secret's own record first, with the new key in it (sealed),
 * then step by step: the key is made, becomes the next version, and the old one is told when to end. Each step may be repeated, by any
 * node: what a crash has left half done is finished by the next start or the next rotation, and no key is left over.
 */
export interface KeyRotation {
  /**
   * A key with the name, description, rights and lifetime of the old one, in the same form. Calls for the same secret that come meanwhile
   * get the same answer. @param overlapMs the old key goes on for so long: 0..`limits.secret.rotationOverlapMaxMs`.
   * @throws TodokuError `permission_denied`, `not_found`, `invalid_argument`, `limit_exceeded`; `failed_precondition`: the secret holds no
   * API key of its environment that is still there, or was changed meanwhile.
   */
  rotate(principal: Principal, secret: string, overlapMs: number): Promise<RotatedKey>;
  /** Finishes what a stop of the server has left half done. @throws TodokuError the first that went wrong; the others were tried. */
  resume(): Promise<void>;
}

/** What a key rotation is made of. */
export interface KeyRotationParts {
  readonly records: RecordStore;
  readonly sealer: Sealer;
  readonly keys: Pick<Keys, "create" | "delete" | "expireAt" | "inspect">;
  /** The clock that expiry is reckoned from. */
  readonly wallMs: () => number;
}

export function createKeyRotation(parts: KeyRotationParts): KeyRotation {
  return new KeyRotator(parts);
}

/** A secret as it was read. */
interface Stored {
  readonly record: StoredRecord;
  readonly document: SecretDocument;
}

class KeyRotator implements KeyRotation {
  readonly #parts: KeyRotationParts;
  /** Those under way here. */
  readonly #running = new Map<string, Promise<RotatedKey>>();

  constructor(parts: KeyRotationParts) {
    this.#parts = parts;
  }

  async rotate(principal: Principal, secret: string, overlapMs: number): Promise<RotatedKey> {
    authorize(principal, "key.rotate");
    checkSecretName(secret);
    const { rotationOverlapMaxMs } = limits.secret;
    if (!(overlapMs >= 0 && overlapMs <= rotationOverlapMaxMs)) {
      const text = `overlap ${overlapMs} ms must be >= 0 and <= ${rotationOverlapMaxMs} (7 days)`;
      throw new TodokuError("invalid_argument", text);
    }
    const path = `${principal.environment}/${secret}`;
    const running = this.#running.get(path);
    if (running) return running;
    const rotated = this.#rotate(principal, secret, overlapMs).finally(() => this.#running.delete(path));
    this.#running.set(path, rotated);
    return rotated;
  }

  async #rotate(principal: Principal, name: string, overlapMs: number): Promise<RotatedKey> {
    const { environment } = principal;
    for (let tries = 1; tries <= maxTries; tries++) {
      const stored = await this.#read(environment, name);
      if (!stored) throw secretNotFound(name);
      const { rotation: pending, ending } = stored.document;
      // Of a run that has not ended, here or at another node: to finish it is what was asked for.
      if (pending && isCurrent(stored.document, pending)) return this.#finish(environment, name, pending);
      if (pending || ending) await this.#settle(environment, name);
      else {
        const begun = await this.#begin(principal, name, stored, overlapMs);
        if (begun) return this.#finish(environment, name, begun);
      }
    }
    throw changedMeanwhile(name);
  }

  /** From here on it will be done, whatever happens; undefined: somebody else has changed the secret. */
  async #begin(principal: Principal, name: string, stored: Stored, overlapMs: number): Promise<Rotation | undefined> {
    const { environment } = principal;
    const { sealer } = this.#parts;
    const current = stored.document.versions.at(-1);
    if (!current) throw secretNotFound(name);
    const plain = await sealer.open(environment, sealedName(name, current.version), current.sealed);
    const text = Buffer.from(plain).toString("utf8").trim();
    const old = await this.#parts.keys.inspect(unwrapCredential(text)).catch((error: unknown) => {
      if (error instanceof TodokuError && error.code === "unauthenticated") return undefined;
      throw error;
    });
    if (!old || old.environment !== environment || old.verdict) throw holdsNoKey(environment, name);
    if (old.key.isOperator && !principal.isOperator) {
      throw new TodokuError("permission_denied", "this credential may not make the key of an operator");
    }
    const { keyId: newKeyId, secret } = newSecret(environment);
    const version = current.version + 1;
    const sealed = await sealer.seal(environment, sealedName(name, version), Buffer.from(inFormOf(text, secret)));
    const rotation = { oldKeyId: old.key.keyId, newKeyId, overlapMs, version, sealed };
    return (await this.#replace(stored, { ...stored.document, rotation })) ? rotation : undefined;
  }

  async #finish(
    environment: string,
    name: string,
    { oldKeyId, newKeyId, version, sealed }: Rotation,
  ): Promise<RotatedKey> {
    const accessKey = await this.#settle(environment, name);
    const stored = await this.#read(environment, name);
    if (!stored?.document.versions.some((one) => one.sealed === sealed)) throw changedMeanwhile(name);
    const old = await this.#key(environment, oldKeyId);
    const oldExpiresAtMs = old?.expiresAtMs ?? this.#parts.wallMs(); // somebody has deleted it
    const isOfNew = accessKey?.accessKeyId === newKeyId;
    return { keyId: newKeyId, secretVersion: version, oldKeyId, oldExpiresAtMs, ...(isOfNew && { accessKey }) };
  }

  async resume(): Promise<void> {
    const stored = await this.#parts.records.list(secretRecordKind);
    const half = stored.filter(({ document }) => document.rotation !== undefined || document.ending !== undefined);
    const ended = await Promise.allSettled(half.map(({ environment, name }) => this.#settle(environment, name)));
    for (const outcome of ended) if (outcome.status === "rejected") throw outcome.reason;
  }

  /** Takes one step after the other until there is none left. Answers with the access key that was made on the way. */
  async #settle(environment: string, name: string): Promise<AccessKey | undefined> {
    let made: AccessKey | undefined;
    for (let tries = 1; tries <= maxTries; tries++) {
      const stored = await this.#read(environment, name);
      if (!stored) return made;
      const { rotation, ending, ...rest } = stored.document;
      if (ending) {
        if (await this.#expire(environment, ending))
          await this.#replace(stored, { ...rest, ...(rotation && { rotation }) });
      } else if (!rotation) return made;
      else if (isCurrent(stored.document, rotation)) {
        made = (await this.#promote(environment, name, stored, rotation)) ?? made;
      } else {
        await this.#drop(environment, rotation.newKeyId);
        await this.#replace(stored, rest);
      }
    }
    throw changedMeanwhile(name);
  }

  /** Makes the new key, which may be there already, and puts it into the secret. */
  async #promote(
    environment: string,
    name: string,
    stored: Stored,
    rotation: Rotation,
  ): Promise<AccessKey | undefined> {
    let accessKey: AccessKey | undefined;
    const { rotation: _, ...rest } = stored.document;
    const { oldKeyId, newKeyId, overlapMs, version, sealed } = rotation;
    const nowMs = this.#parts.wallMs();
    if (!(await this.#key(environment, newKeyId))) {
      const old = await this.#key(environment, oldKeyId);
      if (!old) {
        await this.#replace(stored, rest);
        throw holdsNoKey(environment, name);
      }
      const text = await this.#parts.sealer.open(environment, sealedName(name, version), sealed);
      const secret = unwrapCredential(Buffer.from(text).toString("utf8"));
      accessKey = await this.#make(environment, old, oldKeyId, secret);
    }
    const document = withVersion(rest, { version, createdAtMs: nowMs, sealed });
    await this.#replace(stored, { ...document, ending: { keyId: oldKeyId, atMs: Math.ceil(nowMs + overlapMs) } });
    return accessKey;
  }

  /** Undefined also when another node has made it just now. */
  async #make(environment: string, old: KeyDocument, oldKeyId: string, secret: string): Promise<AccessKey | undefined> {
    const { name, description, isSuperUser, isOperator, grants, validForMs, accessSecret } = old;
    const { keyId, secretHash } = parseSecret(secret);
    const request = {
      ...{ description, isSuperUser, isOperator, grants, replaces: oldKeyId },
      ...(name !== undefined && { name }),
      ...(validForMs !== undefined && { validForMs }),
      newSecret: { keyId, secret, secretHash },
      withAccessKey: accessSecret !== undefined,
    };
    try {
      return (await this.#parts.keys.create(itself(environment), request)).accessKey;
    } catch (error) {
      if (!(await this.#key(environment, keyId))) throw error;
      return undefined;
    }
  }

  /** False: somebody else has changed the key just now. */
  async #expire(environment: string, { keyId, atMs }: NonNullable<SecretDocument["ending"]>): Promise<boolean> {
    const key = await this.#key(environment, keyId);
    if (!key || (key.expiresAtMs !== undefined && key.expiresAtMs <= atMs)) return true;
    try {
      await this.#parts.keys.expireAt(itself(environment), keyId, atMs);
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }

  /** Of a rotation that somebody has overtaken with a new version of the secret. */
  async #drop(environment: string, keyId: string): Promise<void> {
    if (await this.#key(environment, keyId)) await this.#parts.keys.delete(itself(environment), keyId);
  }

  async #key(environment: string, keyId: string): Promise<KeyDocument | undefined> {
    const record = await this.#parts.records.read({ kind: apiKeyRecordKind, environment, name: keyId });
    return record && readDocument(record, "failed_precondition");
  }

  async #read(environment: string, name: string): Promise<Stored | undefined> {
    const record = await this.#parts.records.read(secretKeyOf(environment, name));
    return record && { record, document: readSecret(record) };
  }

  /** False: somebody else has changed the secret since it was read. */
  async #replace({ record }: Stored, document: SecretDocument): Promise<boolean> {
    try {
      await this.#parts.records.replace(record, { ...document }, record.version);
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }
}

/** False: the secret got another version since it was begun. */
function isCurrent(document: SecretDocument, rotation: Rotation): boolean {
  return rotation.version === currentVersion(document) + 1;
}

/** Who may do what a rotation does was decided when it began; it may be finished at a start, when nobody calls. */
function itself(environment: string): Principal {
  const rights = { isSuperUser: true, isOperator: true, grants: [], tokenId: "", expiresAtMs: undefined };
  return { kind: "open", environment, ...rights };
}

/** The new key, bare or in Momento's v1 or v2 form, as the old text is. */
function inFormOf(old: string, secret: string): string {
  if (unwrapCredential(old) === old) return secret;
  if (old.includes(".")) return toV2(secret);
  return wrapCredential(JSON.parse(Buffer.from(old, "base64").toString("utf8")).endpoint, secret);
}

function holdsNoKey(environment: string, name: string): TodokuError {
  const text = `secret "${name}" holds no API key of environment "${environment}" that is still there: put one into it first`;
  return new TodokuError("failed_precondition", text);
}

function changedMeanwhile(name: string): TodokuError {
  return new TodokuError("failed_precondition", `secret "${name}" was changed meanwhile: rotate again`);
}
