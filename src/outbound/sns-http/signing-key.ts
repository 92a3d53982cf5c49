import { Buffer } from "node:buffer";
import { createPrivateKey, generateKeyPair, hash, type KeyObject, sign } from "node:crypto";
import { promisify } from "node:util";
import { z } from "zod";
import type { Sealer } from "../../domain/encryption/sealer.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { RecordStore, StoredRecord } from "../../domain/records/store.ts";
import { selfSigned } from "./certificate.ts";

const recordKind = "sns-signing-key";
const recordName = "current";
const sealedName = "sns-signing-key/current";
const modulusBits = 2048; // what SNS itself has
/** Nobody renews it, and receivers of SNS look at the signature only. */
const certificateMs = 30 * 365 * 24 * 3600 * 1000;
/** 128 bits of the certificate's hash. */
const fingerprintLength = 32;

const documentSchema = z.object({
  sealed: z.string(),
  certificate: z.string(),
  fingerprint: z.string(),
  createdAtMs: z.number(),
});

/** What an environment signs its messages of SNS with. */
interface SigningKey {
  /** Where its certificate is served. */
  readonly certificatePath: string;
  /** RSASSA-PKCS1-v1_5 with SHA-256, as base64. */
  sign(text: string): Promise<string>;
}

/** The keys of environments: each is made when it is first needed, and sealed. */
export interface SigningKeys {
  /** @throws TodokuError `unavailable`, `internal`, `failed_precondition`: see Sealer. */
  of(environment: string): Promise<SigningKey>;
  /** As PEM; undefined: there is none at this path. It is public. */
  certificate(path: string): Promise<string | undefined>;
}

export interface SigningKeysOptions {
  readonly records: Pick<RecordStore, "create" | "read" | "list">;
  readonly sealer: Pick<Sealer, "seal" | "open">;
  readonly wallMs: () => number;
}

const makePair = promisify(generateKeyPair);
/** A signature takes a millisecond: not of the thread that serves everybody. */
const signAside = promisify(
  (text: Buffer, key: KeyObject, done: (error: Error | null, signature: Buffer) => void) =>
    void sign("RSA-SHA256", text, key, done),
);

export function createSigningKeys({ records, sealer, wallMs }: SigningKeysOptions): SigningKeys {
  const keys = new Map<string, { readonly id: number; readonly key: Promise<SigningKey> }>();
  const making = new Map<string, Promise<StoredRecord>>();

  async function of(environment: string): Promise<SigningKey> {
    const record = (await records.read(keyOf(environment))) ?? (await ensure(environment));
    const known = keys.get(environment);
    // An environment of that name may be another one by now.
    if (known?.id === record.id) return known.key;
    const key = open(record);
    keys.set(environment, { id: record.id, key });
    key.catch(() => keys.delete(environment)); // whoever asked is told; the next one tries again
    return key;
  }

  function ensure(environment: string): Promise<StoredRecord> {
    let made = making.get(environment);
    if (!made) {
      made = make(environment).finally(() => making.delete(environment));
      making.set(environment, made);
    }
    return made;
  }

  async function make(environment: string): Promise<StoredRecord> {
    const pair = await makePair("rsa", { modulusLength: modulusBits });
    const nowMs = wallMs();
    const validity = { notBeforeMs: nowMs - 24 * 3600 * 1000, notAfterMs: nowMs + certificateMs };
    const certificate = selfSigned(pair, { commonName: "Todoku SNS", ...validity });
    const der = pair.privateKey.export({ type: "pkcs8", format: "der" });
    const sealed = await sealer.seal(environment, sealedName, der);
    const fingerprint = hash("sha256", certificate).slice(0, fingerprintLength);
    const document = { sealed, certificate, fingerprint, createdAtMs: nowMs };
    try {
      return await records.create(keyOf(environment), document);
    } catch (error) {
      const other = error instanceof TodokuError && error.code === "already_exists";
      const record = other ? await records.read(keyOf(environment)) : undefined; // another node was faster
      if (record) return record;
      throw error;
    }
  }

  async function open({ environment, document }: StoredRecord): Promise<SigningKey> {
    const { sealed, fingerprint } = documentSchema.parse(document);
    const der = await sealer.open(environment, sealedName, sealed);
    const key = createPrivateKey({ key: Buffer.from(der), type: "pkcs8", format: "der" });
    return {
      certificatePath: pathOf(fingerprint),
      sign: async (text) => (await signAside(Buffer.from(text), key)).toString("base64"),
    };
  }

  return {
    of,
    async certificate(path) {
      const stored = (await records.list(recordKind)).map(({ document }) => documentSchema.parse(document));
      return stored.find(({ fingerprint }) => pathOf(fingerprint) === path)?.certificate;
    },
  };
}

function keyOf(environment: string) {
  return { kind: recordKind, environment, name: recordName };
}

function pathOf(fingerprint: string): string {
  return `/SimpleNotificationService-${fingerprint}.pem`;
}
