import { randomBytes } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { z } from "zod";
import { type Applied, apply } from "./apply.ts";
import { CredentialRefused, fixedCredential } from "./credential.ts";
import { actIn, ensureStage } from "./environments.ts";
import { names } from "./names.ts";
import { keyFileIn } from "./settings.ts";
import { anyAnswer, Todoku, TodokuFailure } from "./todoku.ts";

/** What the set-up works with. */
export interface SetUpOptions {
  readonly todokuUrl: string;
  /** Of an operator, or of a super user of the stage when that is there; undefined in dev mode. */
  readonly apiKey?: string | undefined;
  /** The environment that is set up; made when it is missing. */
  readonly stage: string;
  /** The environment whose shared secrets the stage reads: third parties' keys. */
  readonly secretsStage?: string | undefined;
  /** Gets the files of the bootstrap keys; made with mode 0700. */
  readonly stateDir: string;
}

const processes = ["api", "worker"] as const;
type ProcessName = (typeof processes)[number];
const bootstrapKey = (name: ProcessName) => `task-notifications-${name}-bootstrap`;

/** Makes what is missing, and says in lines what it found and did. @throws TodokuFailure; CredentialRefused; what files and commands throw. */
export async function setUp(options: SetUpOptions): Promise<string[]> {
  const { todokuUrl, apiKey, stage, secretsStage, stateDir } = options;
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  return [
    await ensureStage(todokuUrl, apiKey, stage, secretsStage),
    await actIn(secretsStage ?? stage, todokuUrl, apiKey, (key) => ensureReceiptSecret(todokuUrl, key)),
    ...(await actIn(stage, todokuUrl, apiKey, async (key) => {
      await checkReceiptSecret(options, key);
      return applyFile(options, key);
    })),
  ];
}

/** A third party's key is put in by hand once it is known; until then a random one stands for it. */
async function ensureReceiptSecret(todokuUrl: string, apiKey: string | undefined): Promise<string> {
  const todoku = new Todoku(todokuUrl, fixedCredential(apiKey));
  const path = `/v1/secrets/${names.receiptSecret}`;
  try {
    const { environment } = await todoku.call("GET", path, undefined, foundSchema);
    return `secret ${names.receiptSecret}: there already, in ${environment}`;
  } catch (error) {
    if (!(error instanceof TodokuFailure) || error.status !== 404) throw error;
    await todoku.call("POST", path, { value: randomBytes(32).toString("base64url"), shared: true }, anyAnswer);
    return `secret ${names.receiptSecret}: made, shared`;
  }
}

/** It may be there, and not shared. */
async function checkReceiptSecret({ todokuUrl, stage, secretsStage }: SetUpOptions, apiKey: string | undefined) {
  const todoku = new Todoku(todokuUrl, fixedCredential(apiKey));
  await todoku.call("GET", `/v1/secrets/${names.receiptSecret}`, undefined, foundSchema).catch((error: unknown) => {
    if (!(error instanceof TodokuFailure) || error.status !== 404) throw error;
    const text = `stage ${stage} cannot read secret ${names.receiptSecret} of ${secretsStage}`;
    throw new Error(`${text}: mark it there with todoku secret put ${names.receiptSecret} --shared`);
  });
}

const foundSchema = z.object({ environment: z.string() });

/** A bootstrap key is printed once: one whose file is lost is deleted, and made anew. */
async function applyFile(options: SetUpOptions, apiKey: string | undefined): Promise<string[]> {
  const applied = await apply(options.todokuUrl, apiKey);
  const lines = applied.changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`);
  lines.push(...(await keepKeys(options, applied)));
  const lost: ProcessName[] = [];
  for (const name of processes) if (!(await isGood(options, name))) lost.push(name);
  if (lost.length === 0) return [...lines, `environment ${options.stage} has all that todoku.yaml says`];
  const todoku = new Todoku(options.todokuUrl, fixedCredential(apiKey));
  for (const name of lost) {
    await todoku.call("DELETE", `/v1/keys/${applied.outputs.keys[bootstrapKey(name)]?.keyId}`, undefined, anyAnswer);
  }
  return [...lines, ...(await keepKeys(options, await apply(options.todokuUrl, apiKey)))];
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

/** Does the key in the file open the secret of its process, in this stage? */
async function isGood({ todokuUrl, stateDir, stage }: SetUpOptions, name: ProcessName): Promise<boolean> {
  const apiKey = await readFile(keyFileIn(stateDir, name), "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return "";
    throw error;
  });
  if (!/^[\x21-\x7e]+\n?$/.test(apiKey)) return false;
  const todoku = new Todoku(todokuUrl, fixedCredential(apiKey.trim()));
  try {
    const path = `/v1/secrets/${name === "api" ? names.apiSecret : names.workerSecret}`;
    return (await todoku.call("GET", path, undefined, foundSchema)).environment === stage;
  } catch (error) {
    const isRefused = error instanceof CredentialRefused || (error instanceof TodokuFailure && !error.isTemporary);
    if (isRefused) return false;
    throw error;
  }
}
