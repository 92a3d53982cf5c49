import { Buffer } from "node:buffer";
import { z } from "zod";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { checkPathName } from "../names.ts";
import type { StoredRecord } from "../records/store.ts";

/** The kind of the records that secrets are kept in. */
export const secretRecordKind = "secret";

const versionSchema = z.strictObject({
  version: z.int(),
  createdAtMs: z.number(),
  sealed: z.string(),
  form: z.enum(["plain", "list", "bytes"]).optional(),
  token: z.string().optional(),
});

/** What is stored of a secret. Strict: a later release may keep more restrictions here, and an older one must not pass over them. */
const documentSchema = z.strictObject({
  isShared: z.boolean(),
  /** The oldest first, at least one. */
  versions: z.array(versionSchema).min(1),
  // Of the API key in it, see key-rotation.ts.
  rotation: z
    .strictObject({
      oldKeyId: z.string(),
      newKeyId: z.string(),
      overlapMs: z.number(),
      /** The version that it becomes. */
      version: z.int(),
      sealed: z.string(),
    })
    .optional(),
  ending: z.strictObject({ keyId: z.string(), atMs: z.number() }).optional(),
});

/** What is stored of a secret, its values sealed. */
export type SecretDocument = z.infer<typeof documentSchema>;

/**
 * What a value is, where a protocol tells it apart: text that its maker calls no secret (it is sealed all the same), texts separated by commas, or
 * bytes, written as base64. Undefined: a text.
 */
export type SecretForm = "plain" | "list" | "bytes" | undefined;

/** What is known of a secret without its values. */
export interface SecretInfo {
  readonly name: string;
  /** Environments that read secrets from this one may read it. */
  readonly isShared: boolean;
  readonly currentVersion: number;
  /** Those that are kept, the oldest first. `createdAtMs`: wall time. */
  readonly versions: readonly { readonly version: number; readonly createdAtMs: number }[];
}

/** The same with all that doors have said of its versions. */
export interface SecretDetails extends SecretInfo {
  readonly versions: readonly SecretVersion[];
}

/** What is known of one version without its value. */
export interface SecretVersion {
  readonly version: number;
  readonly createdAtMs: number;
  readonly form: SecretForm;
  /** What its maker calls it. */
  readonly token: string | undefined;
}

/** One version of a secret. */
export interface SecretValue {
  readonly name: string;
  /** Where it was found. */
  readonly environment: string;
  readonly version: number;
  readonly value: string;
  readonly createdAtMs: number;
  readonly isShared: boolean;
}

/** @throws TodokuError `invalid_argument`. */
export function checkSecretName(name: string): void {
  checkPathName("secret", name);
}

/** @throws TodokuError `invalid_argument`: no text of 1..`limits.secret.valueMaxBytes` bytes. It is not repeated. */
export function checkSecretValue(value: string): void {
  const { valueMaxBytes } = limits.secret;
  if (!value.isWellFormed()) throw new TodokuError("invalid_argument", "the secret is not well-formed Unicode");
  const bytes = Buffer.byteLength(value);
  if (bytes >= 1 && bytes <= valueMaxBytes) return;
  throw new TodokuError("invalid_argument", `the secret has ${bytes} bytes; must be >= 1 and <= ${valueMaxBytes}`);
}

export function secretKeyOf(environment: string, name: string) {
  return { kind: secretRecordKind, environment, name };
}

/** What a version is sealed as; the number stands last, so no two secrets share one. */
export function sealedName(name: string, version: number): string {
  return `secret/${name}/${version}`;
}

/** @throws TodokuError `failed_precondition`: there is something in it that this release does not know. */
export function readSecret({ name, document }: StoredRecord): SecretDocument {
  const { data, error } = documentSchema.safeParse(document);
  if (data) return data;
  const message = `secret "${name}" was written by a later release, with what this one does not know`;
  throw new TodokuError("failed_precondition", message, { cause: error });
}

export function currentVersion({ versions }: SecretDocument): number {
  return versions.at(-1)?.version ?? 0;
}

/** With one more version; the oldest goes when there are too many. */
export function withVersion<Document extends Pick<SecretDocument, "versions">>(
  document: Document,
  version: SecretDocument["versions"][number],
): Document {
  return { ...document, versions: [...document.versions, version].slice(-limits.secret.versionsMax) };
}

export function toInfo(name: string, document: SecretDocument): SecretInfo {
  const versions = document.versions.map(({ version, createdAtMs }) => ({ version, createdAtMs }));
  return { name, isShared: document.isShared, currentVersion: currentVersion(document), versions };
}

export function toDetails(name: string, document: SecretDocument): SecretDetails {
  const versions = document.versions.map(({ version, createdAtMs, form, token }) => {
    return { version, createdAtMs, form, token };
  });
  return { ...toInfo(name, document), versions };
}

/** The error that every call about a missing secret gives. */
export function secretNotFound(name: string): TodokuError {
  return new TodokuError("not_found", `secret "${name}" does not exist`, { subject: "secret" });
}
