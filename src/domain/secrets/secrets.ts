import { Buffer } from "node:buffer";
import { authorize, isAllowed } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import type { Sealer } from "../encryption/sealer.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { isConflict } from "../records/conflict.ts";
import type { RecordStore, StoredRecord } from "../records/store.ts";
import {
  checkSecretName,
  checkSecretValue,
  currentVersion,
  readSecret,
  type SecretDetails,
  type SecretDocument,
  type SecretForm,
  type SecretInfo,
  type SecretValue,
  sealedName,
  secretKeyOf,
  secretNotFound,
  secretRecordKind,
  toDetails,
  toInfo,
  withVersion,
} from "./secret.ts";

// Others who change the same secret at another node: whoever loses more often than this should hear of it.
const maxTries = 5;

/** How a version is put. */
interface PutOptions {
  /** Default: as it was; at first false. */
  readonly isShared?: boolean | undefined;
  /** True: refused with `already_exists` when the environment has one of this name; false: with `not_found` when it has none. */
  readonly isNew?: boolean | undefined;
  readonly form?: SecretForm;
  /** What its maker calls it: the same put again changes nothing, another value under it is refused with `already_exists` (subject "version"). */
  readonly token?: string | undefined;
}

/** What applications must know and nobody else may: texts under a name, in versions, sealed in the store. */
export interface Secrets {
  /**
   * A new version; the last `limits.secret.versionsMax` stay.
   * @throws TodokuError `permission_denied`, `invalid_argument`, `limit_exceeded`, `already_exists`.
   */
  put(principal: Principal, name: string, value: string, options?: PutOptions): Promise<SecretInfo>;
  /**
   * The current version, or the one asked for: of the principal's own environment, else of the first of those it reads secrets from
   * that shares one of this name. @throws TodokuError `permission_denied`, `not_found`.
   */
  get(principal: Principal, name: string, version?: number): Promise<SecretValue>;
  /** What is known of the secret that `get` finds. @throws TodokuError `permission_denied`, `not_found`. */
  find(principal: Principal, name: string): Promise<SecretDetails>;
  /** All that `get` finds, shared ones too, by name. @throws TodokuError `permission_denied`: it may read none at all. */
  findAll(principal: Principal): Promise<readonly SecretDetails[]>;
  /** Those of the principal's own environment that it may see, by name. @throws TodokuError `permission_denied`. */
  list(principal: Principal): Promise<readonly SecretInfo[]>;
  /** With all its versions. @throws TodokuError `permission_denied`, `not_found`. */
  delete(principal: Principal, name: string): Promise<void>;
}

/** What secrets are made of. */
export interface SecretParts {
  readonly records: RecordStore;
  readonly sealer: Sealer;
  /** Says which environments one reads shared secrets from. */
  readonly environments: { known(name: string): { readonly secretsFrom: readonly string[] } | undefined };
  /** The clock that creation times are read from. */
  readonly wallMs: () => number;
}

export function createSecrets(parts: SecretParts): Secrets {
  return new SecretService(parts);
}

class SecretService implements Secrets {
  readonly #parts: SecretParts;
  /** One secret is written after the other: each counts those before it. */
  #lastChange: Promise<unknown> = Promise.resolve();

  constructor(parts: SecretParts) {
    this.#parts = parts;
  }

  async put(principal: Principal, name: string, value: string, options: PutOptions = {}): Promise<SecretInfo> {
    authorize(principal, "secret.write", "", name);
    checkSecretName(name);
    checkSecretValue(value);
    const change = this.#lastChange.then(() => this.#putNext(principal.environment, name, value, options));
    this.#lastChange = change.catch(() => {}); // whoever asked for the change is told
    return change;
  }

  async #putNext(environment: string, name: string, value: string, options: PutOptions): Promise<SecretInfo> {
    const { records, sealer, wallMs } = this.#parts;
    const { isShared, isNew, form, token } = options;
    const key = secretKeyOf(environment, name);
    for (let tries = 1; ; tries++) {
      const record = await records.read(key);
      const was = record && readSecret(record);
      if (was && (await this.#isThere(environment, name, was, value, options))) return toInfo(name, was);
      if (was && isNew === true) throw new TodokuError("already_exists", `secret "${name}" exists already`);
      if (!was && isNew === false) throw secretNotFound(name);
      const version = (was ? currentVersion(was) : 0) + 1;
      const sealed = await sealer.seal(environment, sealedName(name, version), Buffer.from(value));
      const base = { ...(was ?? { versions: [] }), isShared: isShared ?? was?.isShared ?? false };
      const said = { ...(form === undefined ? {} : { form }), ...(token === undefined ? {} : { token }) };
      const document: SecretDocument = withVersion(base, { version, createdAtMs: wallMs(), sealed, ...said });
      await this.#checkRoom(environment, name, document);
      try {
        if (record) await records.replace(key, { ...document }, record.version);
        else await records.create(key, { ...document });
        return toInfo(name, document);
      } catch (error) {
        if (!isConflict(error) || tries === maxTries) throw error;
      }
    }
  }

  /** Whether this very version was put before. @throws TodokuError `already_exists`: another one was, under the same token. */
  async #isThere(
    environment: string,
    name: string,
    document: SecretDocument,
    value: string,
    { form, token }: PutOptions,
  ): Promise<boolean> {
    const same = token === undefined ? undefined : document.versions.find((version) => version.token === token);
    if (!same) return false;
    const plain = await this.#parts.sealer.open(environment, sealedName(name, same.version), same.sealed);
    if (same.form === form && Buffer.from(plain).equals(Buffer.from(value))) return true;
    throw new TodokuError("already_exists", `secret "${name}" has another version of the same id`, {
      subject: "version",
    });
  }

  /** @throws TodokuError `limit_exceeded`. */
  async #checkRoom(environment: string, name: string, document: SecretDocument): Promise<void> {
    const { perEnvironment, environmentMaxBytes } = limits.secret;
    const others = (await this.#parts.records.list(secretRecordKind, environment)).filter((one) => one.name !== name);
    if (others.length >= perEnvironment) {
      const text = `environment "${environment}" has ${perEnvironment} secrets, the most it may have`;
      throw new TodokuError("limit_exceeded", text);
    }
    const bytes = others.map(readSecret).reduce((sum, one) => sum + sizeOf(one), sizeOf(document));
    if (bytes <= environmentMaxBytes) return;
    throw new TodokuError(
      "limit_exceeded",
      `the secrets of environment "${environment}" would have ${bytes} bytes; must be <= ${environmentMaxBytes}`,
    );
  }

  async get(principal: Principal, name: string, version?: number): Promise<SecretValue> {
    authorize(principal, "secret.read", "", name);
    checkSecretName(name);
    const record = await this.#find(principal.environment, name);
    const document = readSecret(record);
    const found =
      version === undefined ? document.versions.at(-1) : document.versions.find((one) => one.version === version);
    if (!found) {
      const [oldest] = document.versions;
      throw new TodokuError(
        "not_found",
        `secret "${name}" has no version ${version}; kept are ${oldest?.version} to ${currentVersion(document)}`,
        { subject: "secret" },
      );
    }
    const { environment } = record;
    const plain = await this.#parts.sealer.open(environment, sealedName(name, found.version), found.sealed);
    const { createdAtMs } = found;
    const value = Buffer.from(plain).toString("utf8");
    return { name, environment, version: found.version, value, createdAtMs, isShared: document.isShared };
  }

  /** @throws TodokuError `not_found`, which does not tell whether one is there that is not shared. */
  async #find(environment: string, name: string): Promise<StoredRecord> {
    const { records, environments } = this.#parts;
    const own = await records.read(secretKeyOf(environment, name));
    if (own) return own;
    for (const source of environments.known(environment)?.secretsFrom ?? []) {
      const record = environments.known(source) && (await records.read(secretKeyOf(source, name)));
      if (record && readSecret(record).isShared) return record;
    }
    throw secretNotFound(name);
  }

  async find(principal: Principal, name: string): Promise<SecretDetails> {
    authorize(principal, "secret.read", "", name);
    checkSecretName(name);
    return toDetails(name, readSecret(await this.#find(principal.environment, name)));
  }

  async findAll(principal: Principal): Promise<readonly SecretDetails[]> {
    checkMayAny(principal, "secret.read");
    const { records, environments } = this.#parts;
    const { environment } = principal;
    const found = new Map<string, SecretDetails>();
    const sources = (environments.known(environment)?.secretsFrom ?? []).filter((one) => environments.known(one));
    for (const owner of [environment, ...sources]) {
      for (const record of await records.list(secretRecordKind, owner)) {
        const { name } = record;
        if (found.has(name) || !isAllowed(principal, "secret.read", "", name)) continue;
        const document = readSecret(record);
        if (owner === environment || document.isShared) found.set(name, toDetails(name, document));
      }
    }
    return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async list(principal: Principal): Promise<readonly SecretInfo[]> {
    checkMayAny(principal, "secret.list");
    const stored = await this.#parts.records.list(secretRecordKind, principal.environment);
    return stored
      .filter(({ name }) => isAllowed(principal, "secret.list", "", name))
      .map((record) => toInfo(record.name, readSecret(record)));
  }

  async delete(principal: Principal, name: string): Promise<void> {
    authorize(principal, "secret.delete", "", name);
    const removed = await this.#parts.records.remove(secretKeyOf(principal.environment, name));
    if (!removed) throw secretNotFound(name);
  }
}

/** @throws TodokuError `permission_denied`: it has nothing to do with secrets. */
function checkMayAny(principal: Principal, action: "secret.read" | "secret.list"): void {
  if (principal.isSuperUser || principal.grants.some((grant) => grant.resource === "secret")) return;
  authorize(principal, action);
}

function sizeOf({ versions }: SecretDocument): number {
  return versions.reduce((sum, { sealed }) => sum + sealed.length, 0);
}
