import { isDeepStrictEqual } from "node:util";
import { parseSecret } from "../../domain/auth/api-key.ts";
import { unwrapCredential } from "../../domain/auth/credential.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { Client } from "../commands/client.ts";
import type { ResourceFile } from "./resource-file.ts";
import { readSecret } from "./secret-store.ts";
import { type CurrentWebhook, missingCaches, withSecrets } from "./webhooks.ts";

/** A key as the server lists it. */
export interface CurrentKey {
  readonly keyId: string;
  readonly name?: string;
  readonly description: string;
  readonly superUser: boolean;
  readonly operator?: boolean;
  readonly grants: readonly unknown[];
  readonly expiresAtMs: number | null;
}

/** What an environment has. */
export interface Current {
  readonly environment: string;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly caches: readonly { readonly name: string; readonly durability: "disk" | "memory" }[];
  readonly queues: readonly CurrentQueue[];
  readonly webhooks: readonly CurrentWebhook[];
  /** Those that webhooks of a file without `caches` name, and that are not there. */
  readonly missingCaches: readonly string[];
  readonly keys: readonly CurrentKey[];
  /** Of each secret that is asked for: the id of the API key that it holds; undefined when it holds none, or is missing. */
  readonly keyIdInSecret: ReadonlyMap<string, string | undefined>;
}

/** A queue as the server lists it. */
export interface CurrentQueue {
  readonly name: string;
  readonly visibilitySeconds: number;
  readonly delaySeconds: number;
  readonly retentionSeconds: number;
  readonly waitSeconds: number;
  readonly messageMaxBytes: number;
  readonly deadLetter?: { readonly queue: string; readonly maxReceives: number };
  readonly deadLetterSources?: readonly string[];
  readonly tags?: Readonly<Record<string, string>>;
}

/** Reads it; only what `file` speaks of, so that a credential needs rights for no more. @throws CallFailure. */
export async function readCurrent(client: Client, file: ResourceFile): Promise<Current> {
  const environment = (await client.call("GET", "/v1/environment")) as Pick<Current, "settings"> & { name: string };
  const list = async <T>(part: "caches" | "queues" | "webhooks" | "keys"): Promise<readonly T[]> =>
    file[part] === undefined
      ? []
      : (((await client.call("GET", `/v1/${part}`)) as Record<string, readonly T[]>)[part] ?? []);
  const secrets = (file.keys ?? []).flatMap(({ secret }) => (secret === undefined ? [] : [secret]));
  const keyIdInSecret = new Map<string, string | undefined>();
  for (const secret of secrets) keyIdInSecret.set(secret, await keyIdIn(client, secret));
  return {
    environment: environment.name,
    settings: environment.settings,
    caches: await list("caches"),
    queues: await list("queues"),
    webhooks: await withSecrets(client, file, await list<CurrentWebhook>("webhooks")),
    missingCaches: await missingCaches(client, file),
    keys: newestOfEachName((await list<CurrentKey>("keys")).filter(isAlive)),
    keyIdInSecret,
  };
}

/** The server lists keys that have ended for another day. */
function isAlive({ expiresAtMs }: CurrentKey): boolean {
  return expiresAtMs === null || expiresAtMs > Date.now();
}

/** A key that was rotated goes on beside its successor, which has its name, for the overlap; the oldest come first. */
function newestOfEachName(keys: readonly CurrentKey[]): readonly CurrentKey[] {
  return keys.filter(({ name }, at) => name === undefined || !keys.slice(at + 1).some((later) => later.name === name));
}

/** The id of the key that a secret holds, in any of its forms. */
async function keyIdIn(client: Client, secret: string): Promise<string | undefined> {
  const value = await readSecret(client, secret);
  try {
    return value === undefined ? undefined : parseSecret(unwrapCredential(value.trim())).keyId;
  } catch (error) {
    if (error instanceof TodokuError) return undefined; // it is no key
    throw error;
  }
}

/** Grants are a set: their order says nothing. */
export function isSameGrants(a: readonly unknown[], b: readonly unknown[]): boolean {
  const sorted = (grants: readonly unknown[]) => grants.map(canonical).sort();
  return isDeepStrictEqual(sorted(a), sorted(b));
}

/** JSON with sorted field names, so that equal values have equal texts; lists of grants within a grant are sets too. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).sort().join()}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([name, entry]) => `${JSON.stringify(name)}:${canonical(entry)}`).join()}}`;
}
