import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { CredentialRefused, fixedCredential } from "./key-file.ts";
import type { ResourceNames } from "./names.ts";
import { keyFileIn } from "./settings.ts";
import { anyAnswer, Todoku, TodokuFailure } from "./todoku.ts";

/** What the set-up works with. */
export interface SetUpOptions {
  /** With the rights of a super user. */
  readonly todoku: Todoku;
  readonly todokuUrl: string;
  readonly names: ResourceNames;
  /** Gets the key files; made with mode 0700. */
  readonly stateDir: string;
  /** New keys even if the old ones are good; those are deleted once the new ones are in their files. */
  readonly isRotation?: boolean;
}

type KeyName = "api" | "worker";

const keySchema = z.object({ keyId: z.string(), grants: z.array(z.unknown()).optional() });
const madeKeySchema = z.object({ keyId: z.string(), apiKey: z.string() });

/** Makes what is missing, and says in lines what it found and did. @throws TodokuFailure; CredentialRefused; what files throw. */
export async function setUp(options: SetUpOptions): Promise<string[]> {
  const { todoku, names, stateDir } = options;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const queue = { name: names.taskQueue, visibilitySeconds: 30 };
  const deadLetter = { queue: names.deadLetterQueue, maxReceives: 5 };
  // What died is kept as long as Todoku keeps anything: somebody has to look at it.
  const deadLetterQueue = { name: names.deadLetterQueue, retentionSeconds: 14 * 24 * 3600 };
  return [
    await ensure(todoku, "/v1/caches", { name: names.cache, durability: "disk" }),
    await ensure(todoku, "/v1/queues", deadLetterQueue),
    await ensure(todoku, "/v1/queues", { ...queue, deadLetter }),
    await ensureKey(options, "api", apiGrants(names)),
    await ensureKey(options, "worker", workerGrants(names)),
  ];
}

/** The API can put tasks into the queue and issue tokens to listen; it can neither read the queue nor publish. */
function apiGrants({ cache, taskQueue }: ResourceNames): object[] {
  const listen = { resource: "topic", role: "subscribe", cache: { name: cache }, topic: { all: true } };
  return [
    { resource: "token", role: "issue", grants: [listen] },
    { resource: "queue", role: "send", queue: { name: taskQueue } },
  ];
}

/** The worker can take tasks and publish; it can neither listen nor issue tokens. */
function workerGrants({ cache, taskQueue, deadLetterQueue }: ResourceNames): object[] {
  return [
    { resource: "topic", role: "publish", cache: { name: cache }, topic: { all: true } },
    { resource: "queue", role: "receive", queue: { name: taskQueue } },
    { resource: "queue", role: "receive", queue: { name: deadLetterQueue } },
  ];
}

/** 409 with that name: it is there, perhaps with settings that somebody chose; they stay. */
async function ensure(todoku: Todoku, path: string, resource: { name: string; [setting: string]: unknown }) {
  const what = `${path.slice("/v1/".length, -1)} ${resource.name}`;
  try {
    await todoku.call("POST", path, resource, anyAnswer);
    return `${what}: made`;
  } catch (error) {
    if (error instanceof TodokuFailure && error.status === 409) return `${what}: there already`;
    throw error;
  }
}

async function ensureKey(options: SetUpOptions, name: KeyName, grants: object[]): Promise<string> {
  const { todoku, stateDir, names } = options;
  const file = keyFileIn(stateDir, name);
  const idFile = join(stateDir, `${name}.key-id`);
  const { keys } = await todoku.call("GET", "/v1/keys", undefined, z.object({ keys: z.array(keySchema) }));
  const oldId = await read(idFile);
  const old = keys.find(({ keyId }) => keyId === oldId);
  const isGood = isDeepStrictEqual(old?.grants, grants) && (await isTaken(options, await read(file)));
  if (isGood && !options.isRotation) return `key ${file}: still good`;
  const description = `task-notifications ${name} (${names.taskQueue})`;
  const { keyId, apiKey } = await todoku.call("POST", "/v1/keys", { description, grants }, madeKeySchema);
  await replace(file, `${apiKey}\n`);
  await replace(idFile, `${keyId}\n`);
  if (old !== undefined) await todoku.call("DELETE", `/v1/keys/${old.keyId}`, undefined, anyAnswer);
  return `key ${file}: ${old === undefined ? "made" : "replaced"}`;
}

/** Does Todoku take this key? Both keys may look at the task queue. */
async function isTaken({ todokuUrl, names }: SetUpOptions, apiKey: string | undefined): Promise<boolean> {
  if (apiKey === undefined) return false;
  const asKey = new Todoku(todokuUrl, fixedCredential(apiKey));
  try {
    await asKey.call("GET", `/v1/queues/${names.taskQueue}`, undefined, anyAnswer);
    return true;
  } catch (error) {
    const isRefused = error instanceof CredentialRefused || (error instanceof TodokuFailure && !error.isTemporary);
    if (isRefused) return false;
    throw error;
  }
}

async function read(path: string): Promise<string | undefined> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  return text.trim() || undefined;
}

/** A reader sees the old text or the new one, never a part. */
async function replace(path: string, text: string): Promise<void> {
  await writeFile(`${path}.new`, text, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
