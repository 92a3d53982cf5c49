import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import type { Applied } from "../../task-notifications/shared/apply.ts";
import { CredentialRefused, fixedCredential } from "../../task-notifications/shared/credential.ts";
import { actIn, ensureStage } from "../../task-notifications/shared/environments.ts";
import { anyAnswer, Todoku, TodokuFailure } from "../../task-notifications/shared/todoku.ts";
import { apply } from "./apply.ts";
import { names } from "./names.ts";
import { keyFileIn } from "./settings.ts";

/** What the set-up works with. */
export interface SetUpOptions {
  readonly todokuUrl: string;
  /** Of an operator, or of a super user of the stage when that is there; undefined in dev mode. */
  readonly apiKey?: string | undefined;
  /** The environment that is set up; made when it is missing. */
  readonly stage: string;
  /** Gets the file of the bootstrap key; made with mode 0700. */
  readonly stateDir: string;
  /** Where Todoku finds the backend. */
  readonly backendUrl: string;
}

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
  const { todokuUrl, stage, backendUrl } = options;
  const applied = await apply(todokuUrl, apiKey, backendUrl);
  const lines = applied.changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`);
  lines.push(...(await keepKey(options, applied)));
  if (await isGood(options)) return [...lines, `environment ${stage} has all that todoku.yaml says`];
  const keyPath = `/v1/keys/${applied.outputs.keys[names.bootstrapKey]?.keyId}`;
  await new Todoku(todokuUrl, fixedCredential(apiKey)).call("DELETE", keyPath, undefined, anyAnswer);
  return [...lines, ...(await keepKey(options, await apply(todokuUrl, apiKey, backendUrl)))];
}

/** Writes it when it was made just now. */
async function keepKey({ stateDir }: SetUpOptions, { outputs }: Applied): Promise<string[]> {
  const apiKey = outputs.keys[names.bootstrapKey]?.apiKey;
  if (apiKey === undefined) return [];
  const path = keyFileIn(stateDir);
  // A reader sees the old text or the new one, never a part.
  await writeFile(`${path}.new`, `${apiKey}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
  return [`key file ${path}: written`];
}

const foundSchema = z.object({ environment: z.string() });

/** Does the key in the file open the backend's secret, in this stage? */
async function isGood({ todokuUrl, stateDir, stage }: SetUpOptions): Promise<boolean> {
  const apiKey = await readFile(keyFileIn(stateDir), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  if (!/^[\x21-\x7e]+\n?$/.test(apiKey)) return false;
  const todoku = new Todoku(todokuUrl, fixedCredential(apiKey.trim()));
  try {
    const path = `/v1/secrets/${names.backendSecret}`;
    return (await todoku.call("GET", path, undefined, foundSchema)).environment === stage;
  } catch (error) {
    const isRefused = error instanceof CredentialRefused || (error instanceof TodokuFailure && !error.isTemporary);
    if (isRefused) return false;
    throw error;
  }
}
