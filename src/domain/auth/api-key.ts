import { Buffer } from "node:buffer";
import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { StoredRecord } from "../records/store.ts";
import { checkGrants, type Grant, grantSchema } from "./grants.ts";

/** What every API key begins with; no token does. */
const prefix = "tdk_";
// `tdk_<environment>-<16 hex digits>_<43 characters of base64url>`: the environment, which may hold hyphens, is read from the left
// of two parts of fixed length.
const keyIdForm = /^[\w-]+-[0-9a-f]{16}$/;
const keyForm = /^tdk_(([\w-]+)-[0-9a-f]{16})_([\w-]{43})$/;

/** What is stored of a key. Strict: a later release may keep more restrictions here, and an older one must not pass over them. */
const documentSchema = z.strictObject({
  secretHash: z.string(),
  description: z.string(),
  isSuperUser: z.boolean(),
  grants: z.array(grantSchema),
  createdAtMs: z.number(),
});

/** What is known of an API key; its secret is known to nobody but its holder. */
export interface ApiKey {
  /** `<environment>-<16 hex digits>`. */
  readonly keyId: string;
  readonly description: string;
  readonly isSuperUser: boolean;
  /** Empty for a super user, who needs none. */
  readonly grants: readonly Grant[];
  readonly createdAtMs: number;
}

/** What an API key is to be: a super user, or the bearer of 1 to `limits.tokenMaxGrants` grants. */
export interface KeyRequest {
  /** At most `limits.apiKey.descriptionMaxLength` characters. */
  readonly description: string;
  readonly isSuperUser: boolean;
  /** Empty for a super user. */
  readonly grants: readonly Grant[];
}

/** Is this text meant to be an API key? */
export function isApiKey(credential: string): boolean {
  return credential.startsWith(prefix);
}

/** Is this text meant to be the id of one? */
export function isKeyId(text: string): boolean {
  return keyIdForm.test(text);
}

/** A new id and secret, with the hash to keep. */
export function newSecret(environment: string): { keyId: string; secret: string; secretHash: string } {
  const keyId = `${environment}-${randomBytes(8).toString("hex")}`;
  const random = randomBytes(32).toString("base64url");
  return { keyId, secret: `${prefix}${keyId}_${random}`, secretHash: sha256(random) };
}

/** What a whole key says of itself; only its hash tells whether that is true. @throws TodokuError `unauthenticated`. */
export function parseSecret(secret: string): { keyId: string; environment: string; secretHash: string } {
  const [, keyId, environment, random] = keyForm.exec(secret) ?? [];
  if (!keyId || !environment || !random) throw new TodokuError("unauthenticated", "this API key is not valid");
  return { keyId, environment, secretHash: sha256(random) };
}

/** @throws TodokuError `invalid_argument`: not what {@link KeyRequest} says. */
export function checkKeyRequest({ description, isSuperUser, grants }: KeyRequest): void {
  const { descriptionMaxLength, grantsMaxBytes } = limits.apiKey;
  if (description.length > descriptionMaxLength) {
    throw new TodokuError(
      "invalid_argument",
      `description has ${description.length} characters; must be <= ${descriptionMaxLength}`,
    );
  }
  if (isSuperUser) {
    if (grants.length > 0) throw new TodokuError("invalid_argument", "a super user needs no permissions");
    return;
  }
  checkGrants(grants);
  const bytes = Buffer.byteLength(JSON.stringify(grants));
  if (bytes > grantsMaxBytes) {
    throw new TodokuError("invalid_argument", `the permissions have ${bytes} bytes; must be <= ${grantsMaxBytes}`);
  }
}

/** @throws TodokuError with `code`: there is something in it that this release does not know. */
export function readDocument({ name, document }: StoredRecord, code: "unauthenticated" | "failed_precondition") {
  const { data, error } = documentSchema.safeParse(document);
  if (data) return data;
  const message = `API key "${name}" was made by a later release, with what this one does not know`;
  throw new TodokuError(code, message, { cause: error });
}

/** What may be shown of a stored key. @throws TodokuError `failed_precondition` as {@link readDocument}. */
export function toKey(record: StoredRecord): ApiKey {
  const { description, isSuperUser, grants, createdAtMs } = readDocument(record, "failed_precondition");
  return { keyId: record.name, description, isSuperUser, grants, createdAtMs };
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64url");
}
