import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import type { Applied } from "../../task-notifications/shared/apply.ts";
import { CredentialRefused, fixedCredential } from "../../task-notifications/shared/credential.ts";
import { actIn, ensureStage } from "../../task-notifications/shared/environments.ts";
import { anyAnswer, Todoku, TodokuFailure } from "../../task-notifications/shared/todoku.ts";
import { apply } from "./apply.ts";
import { names } from "./names.ts";
import { keyFileIn, type ProcessName } from "./settings.ts";

/** What the set-up works with. */
export interface SetUpOptions {
  readonly todokuUrl: string;
  /** Of an operator, or of a super user of the stage when that is there; undefined in dev mode. */
  readonly apiKey?: string | undefined;
  /** The environment that is set up; made when it is missing. */
  readonly stage: string;
  /** Gets the files of the bootstrap keys; made with mode 0700. */
  readonly stateDir: string;
  /** Where Todoku finds the receiver. */
  readonly receiverUrl: string;
}

const secrets: Readonly<Record<ProcessName, string>> = { api: names.apiSecret, receiver: names.receiverSecret };
const processes = Object.keys(secrets) as ProcessName[];
const bootstrapKey = (name: ProcessName) => `course-comments-${name}-bootstrap`;

/** Makes what is missing, and says in lines what it found and did. @throws TodokuFailure; CredentialRefused; what files and commands throw. */
export async function setUp(options: SetUpOptions): Promise<string[]> {
  const { todokuUrl, apiKey, stage, stateDir } = options;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  return [
    await ensureStage(todokuUrl, apiKey, stage, undefined),
    ...(await actIn(stage, todokuUrl, apiKey, (key) => applyFile(options, key))),
  ];
}

/** A bootstrap key is printed once: one whose file is lost is deleted, and made anew. */
async function applyFile(options: SetUpOptions, apiKey: string | undefined): Promise<string[]> {
  const { todokuUrl, stage, receiverUrl } = options;
  const applied = await apply(todokuUrl, apiKey, receiverUrl);
  const lines = applied.changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`);
  lines.push(...(await keepKeys(options, applied)));
  const lost: ProcessName[] = [];
  for (const name of processes) if (!(await isGood(options, name))) lost.push(name);
  if (lost.length === 0) return [...lines, `environment ${stage} has all that todoku.yaml says`];
  const todoku = new Todoku(todokuUrl, fixedCredential(apiKey));
  for (const name of lost) {
    await todoku.call("DELETE", `/v1/keys/${applied.outputs.keys[bootstrapKey(name)]?.keyId}`, undefined, anyAnswer);
  }
  return [...lines, ...(await keepKeys(options, await apply(todokuUrl, apiKey, receiverUrl)))];
}

/** Writes those that were made just now. */
async function keepKeys({ stateDir }: SetUpOptions, { outputs }: Applied): Promise<string[]> {
  const lines: string[] = [];
  for (const name of processes) {
    const apiKey = outputs.keys[bootstrapKey(name)]?.apiKey;
    if (apiKey === undefined) continue;
    const path = keyFileIn(stateDir, name);
    // A reader sees the old text or the new one, never a part.
    await writeFile(`${path}.new`, `${apiKey}\n`, { mode: 0o600 });
    await rename(`${path}.new`, path);
    lines.push(`key file ${path}: written`);
  }
  return lines;
}

const foundSchema = z.object({ environment: z.string() });

/** Does the key in the file open the secret of its process, in this stage? */
async function isGood({ todokuUrl, stateDir, stage }: SetUpOptions, name: ProcessName): Promise<boolean> {
  const apiKey = await readFile(keyFileIn(stateDir, name), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  if (!/^[\x21-\x7e]+\n?$/.test(apiKey)) return false;
  const todoku = new Todoku(todokuUrl, fixedCredential(apiKey.trim()));
  try {
    return (await todoku.call("GET", `/v1/secrets/${secrets[name]}`, undefined, foundSchema)).environment === stage;
  } catch (error) {
    const isRefused = error instanceof CredentialRefused || (error instanceof TodokuFailure && !error.isTemporary);
    if (isRefused) return false;
    throw error;
  }
}
