import { Buffer } from "node:buffer";
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { z } from "zod";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { checkName } from "../names.ts";
import type { StoredRecord } from "../records/store.ts";
import { checkGrants, type Grant, grantSchema } from "./grants.ts";

/** The kind of the records that API keys are kept in. */
export const apiKeyRecordKind = "api-key";

/** What every API key begins with; no token does. */
const prefix = "tdk_";
/** What every refresh token begins with. */
const refreshPrefix = "tdr_";
// `tdk_<environment>-<16 hex digits>_<43 characters of base64url>`: the environment, which may hold hyphens, is read from the left
// of two parts of fixed length.
const keyIdForm = /^([\w-]+)-[0-9a-f]{16}$/;
const keyForm = /^tdk_(([\w-]+)-[0-9a-f]{16})_([\w-]{43})$/;

/** What is stored of a key. Strict: a later release may keep more restrictions here, and an older one must not pass over them. */
const documentSchema = z.strictObject({
  secretHash: z.string(),
  description: z.string(),
  isSuperUser: z.boolean(),
  grants: z.array(grantSchema),
  createdAtMs: z.number(),
  // Keys of earlier releases have none of these.
  name: z.string().exactOptional(),
  isOperator: z.boolean().default(false),
  validForMs: z.number().exactOptional(),
  expiresAtMs: z.number().exactOptional(),
  /** Somebody has ended it: a clock that is set back must not bring it back. */
  hasEnded: z.literal(true).exactOptional(),
  refreshHash: z.string().exactOptional(),
  replaces: z.string().exactOptional(),
  /** The secret access key, sealed as `sealedAccessName` says: signatures are checked with it, so a hash would not do. */
  accessSecret: z.string().exactOptional(),
});

/** What is stored of a key, its secrets as hashes. */
export type KeyDocument = z.infer<typeof documentSchema>;

/** What is known of an API key; its secret is known to nobody but its holder. */
export interface ApiKey {
  /** `<environment>-<16 hex digits>`. */
  readonly keyId: string;
  /** Chosen by whoever made it; one key of the environment has it at a time, but for the one that it replaces. */
  readonly name?: string;
  readonly description: string;
  readonly isSuperUser: boolean;
  /** It may also make and destroy environments. */
  readonly isOperator: boolean;
  /** Empty for a super user, who needs none. */
  readonly grants: readonly Grant[];
  readonly createdAtMs: number;
  /** Wall time; absent = it does not expire. */
  readonly expiresAtMs?: number;
  /** AWS clients may sign with it: its id is their access key id. */
  readonly hasAccessKey: boolean;
}

/** What an API key is to be: a super user, or the bearer of 1 to `limits.tokenMaxGrants` grants. */
export interface KeyRequest {
  /** Unique in its environment, as names of caches are written. */
  readonly name?: string;
  /** At most `limits.apiKey.descriptionMaxLength` characters; default "". */
  readonly description?: string;
  readonly isSuperUser: boolean;
  /** Only super users are. Default false. */
  readonly isOperator?: boolean;
  /** Empty for a super user. */
  readonly grants: readonly Grant[];
  /** `limits.apiKey.validForMs`, rounded up to whole seconds of wall time; undefined = it does not expire. */
  readonly validForMs?: number;
  /** The id of the key that it is to replace, whose name it may have. */
  readonly replaces?: string;
  /** Of its environment, drawn before by whoever must be able to repeat the making. Default: a new one. */
  readonly newSecret?: NewSecret;
  /** AWS clients may sign with it too. Default false. */
  readonly withAccessKey?: boolean;
  /** Of a handler, which may be one that may do nothing: `grants` may be empty. */
  readonly isOfHandler?: true;
}

/** What may be changed of a key; what is left out stays. A super user's grants are none. */
export interface KeyChanges {
  readonly description?: string;
  readonly isSuperUser?: boolean;
  readonly grants?: readonly Grant[];
}

/** An id and secret that no key has yet. */
export interface NewSecret {
  readonly keyId: string;
  readonly secret: string;
  readonly secretHash: string;
}

/** A key that was just made; its secrets are given out this once. */
export interface MadeKey {
  readonly key: ApiKey;
  /** The whole key; `wrapCredential` and `toV2` give its other forms. */
  readonly secret: string;
  /** For `renew`, when it was asked for. */
  readonly refreshToken?: string;
  /** When it was asked for. */
  readonly accessKey?: AccessKey;
}

/** An API key as AWS clients have it. */
export interface AccessKey {
  /** The id of the API key. */
  readonly accessKeyId: string;
  /** 43 characters of base64url. */
  readonly secretAccessKey: string;
}

/** Is this text meant to be an API key? */
export function isApiKey(credential: string): boolean {
  return credential.startsWith(prefix);
}

/** Is this text meant to be the id of one? */
export function isKeyId(text: string): boolean {
  return keyIdForm.test(text);
}

/** The environment that the id of a key names; undefined: it is none. */
export function environmentOf(keyId: string): string | undefined {
  return keyIdForm.exec(keyId)?.[1];
}

/** A new id and secret, with the hash to keep. */
export function newSecret(environment: string): NewSecret {
  const keyId = `${environment}-${randomBytes(8).toString("hex")}`;
  const random = randomBytes(32).toString("base64url");
  return { keyId, secret: `${prefix}${keyId}_${random}`, secretHash: sha256(random) };
}

/** 256 bits, for {@link AccessKey}. */
export function newSecretAccessKey(): string {
  return randomBytes(32).toString("base64url");
}

/** What the secret access key of a key is sealed as. */
export function sealedAccessName(keyId: string): string {
  return `access-key/${keyId}`;
}

/** A new refresh token, with the hash to keep. */
export function newRefreshToken(): { refreshToken: string; refreshHash: string } {
  const refreshToken = `${refreshPrefix}${randomBytes(32).toString("base64url")}`;
  return { refreshToken, refreshHash: sha256(refreshToken) };
}

/** Compared in constant time. */
export function isHashOf(text: string, hash: string): boolean {
  return isSameHash(sha256(text), hash);
}

/** The same for what is hashed already. */
export function isSameHash(hash: string, other: string): boolean {
  return timingSafeEqual(Buffer.from(hash), Buffer.from(other));
}

/** What a whole key says of itself; only its hash tells whether that is true. @throws TodokuError `unauthenticated`. */
export function parseSecret(secret: string): { keyId: string; environment: string; secretHash: string } {
  const [, keyId, environment, random] = keyForm.exec(secret) ?? [];
  if (!keyId || !environment || !random) throw new TodokuError("unauthenticated", "this API key is not valid");
  return { keyId, environment, secretHash: sha256(random) };
}

/** Names of the keys that the server makes for handlers and, when they are left over, ends: nobody else gives keys such names. */
export const handlerKeyName = /^handler\/[A-Za-z0-9_-]+\/[0-9a-f]{16}$/;

/** @throws TodokuError `invalid_argument`: not what {@link KeyRequest} says. */
export function checkKeyRequest({
  name,
  description = "",
  isSuperUser,
  isOperator,
  grants,
  validForMs,
  isOfHandler,
}: KeyRequest): void {
  const { descriptionMaxLength, grantsMaxBytes } = limits.apiKey;
  if (name !== undefined) checkName("API key", name);
  if (!isOfHandler && handlerKeyName.test(name ?? "")) {
    const text = `the API key name "${name}" has the form of those of handlers, which end with the server: choose another`;
    throw new TodokuError("invalid_argument", text);
  }
  if (description.length > descriptionMaxLength) {
    throw new TodokuError(
      "invalid_argument",
      `description has ${description.length} characters; must be <= ${descriptionMaxLength}`,
    );
  }
  if (validForMs !== undefined) checkLifetime(validForMs);
  if (isSuperUser) {
    if (grants.length > 0) throw new TodokuError("invalid_argument", "a super user needs no permissions");
    return;
  }
  if (isOperator) throw new TodokuError("invalid_argument", "an operator must be a super user");
  if (!isOfHandler || grants.length > 0) checkGrants(grants);
  const bytes = Buffer.byteLength(JSON.stringify(grants));
  if (bytes > grantsMaxBytes) {
    throw new TodokuError("invalid_argument", `the permissions have ${bytes} bytes; must be <= ${grantsMaxBytes}`);
  }
}

function checkLifetime(validForMs: number): void {
  const { min, max } = limits.apiKey.validForMs;
  if (validForMs >= min && validForMs <= max) return;
  throw new TodokuError("invalid_argument", `API key lifetime ${validForMs} ms must be >= ${min} and <= ${max}`);
}

/** @throws TodokuError with `code`: there is something in it that this release does not know. */
export function readDocument(
  { name, document }: StoredRecord,
  code: "unauthenticated" | "failed_precondition",
): KeyDocument {
  const { data, error } = documentSchema.safeParse(document);
  if (data) return data;
  const message = `API key "${name}" was made by a later release, with what this one does not know`;
  throw new TodokuError(code, message, { cause: error });
}

/** What may be shown of a stored key. */
export function toKey(keyId: string, document: KeyDocument): ApiKey {
  const { name, description, isSuperUser, isOperator, grants, createdAtMs, expiresAtMs, accessSecret } = document;
  return {
    ...{ keyId, description, isSuperUser, isOperator, grants, createdAtMs, hasAccessKey: accessSecret !== undefined },
    ...(name !== undefined && { name }),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
