import { statSync } from "node:fs";
import { resolve } from "node:path";
import { createAccess } from "../domain/auth/access.ts";
import type { MadeKey } from "../domain/auth/api-key.ts";
import { openPrincipal } from "../domain/auth/open-access.ts";
import { checkMasterKey, createDataKeys, hasDataKeys } from "../domain/encryption/data-keys.ts";
import { createSealer } from "../domain/encryption/sealer.ts";
import { createEnvironments } from "../domain/environments/environments.ts";
import { TodokuError } from "../domain/errors.ts";
import { openEmbeddedEngine } from "../engines/embedded/index.ts";
import { makeMasterKeyFile, readMasterKeyFile } from "./master-key.ts";

/** What to begin with. */
export interface InitRequest {
  readonly dataDir: string;
  /** The environment of the operator's key; made when it is missing. */
  readonly environment: string;
  /** Made when it is missing. */
  readonly masterKeyFile: string | undefined;
}

/** What there is now. */
export interface Initialised {
  readonly dataDir: string;
  readonly isNewEnvironment: boolean;
  readonly isNewMasterKey: boolean;
  readonly operator: MadeKey;
}

/**
 * Prepares a data directory that no server holds: master key file, environment, and a new operator's key. It may be repeated: who has lost all
 * operator's keys makes another one in this way.
 * @throws TodokuError `failed_precondition`: a server holds it, or the master key file can be neither read nor made, or is missing though
 * something was encrypted with it; `invalid_argument`: the environment's name.
 */
export async function initDataDirectory({ dataDir, environment, masterKeyFile }: InitRequest): Promise<Initialised> {
  const path = resolve(dataDir);
  const wallMs = Date.now;
  const engine = await openEmbeddedEngine({ dataDir: path, wallMs });
  try {
    const isNewMasterKey = masterKeyFile !== undefined && isMissing(masterKeyFile);
    if (isNewMasterKey && (await hasDataKeys(engine.records))) throw lostMasterKey(masterKeyFile);
    const masterKey = masterKeyFile === undefined ? undefined : await findMasterKey(masterKeyFile);
    if (masterKey) await checkMasterKey(engine.records, masterKey);
    const environments = createEnvironments(engine, wallMs);
    await environments.start();
    const isNewEnvironment = environments.known(environment) === undefined;
    await environments.ensure(environment);
    // So that the server which is started with another master key finds out before anything is encrypted with that.
    if (masterKey) await createDataKeys(engine.records, masterKey).ensure(environment);
    const { keys } = createAccess({ engine, sealer: createSealer(engine.records, masterKey), wallMs, environments });
    const request = { description: "made by todoku init", isSuperUser: true, isOperator: true, grants: [] };
    const operator = await keys.create({ ...openPrincipal, environment }, request);
    return { dataDir: path, isNewEnvironment, isNewMasterKey, operator };
  } finally {
    await engine.close();
  }
}

async function findMasterKey(path: string) {
  return isMissing(path) ? makeMasterKeyFile(resolve(path)) : readMasterKeyFile(resolve(path));
}

function isMissing(path: string): boolean {
  return statSync(resolve(path), { throwIfNoEntry: false }) === undefined;
}

function lostMasterKey(path: string): TodokuError {
  return new TodokuError(
    "failed_precondition",
    `the master key file ${path} does not exist, and a new one would not open what was encrypted here: put the old one there`,
  );
}
