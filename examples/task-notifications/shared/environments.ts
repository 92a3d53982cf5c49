import { z } from "zod";
import { fixedCredential } from "./credential.ts";
import { anyAnswer, Todoku } from "./todoku.ts";

const ownSchema = z.object({ name: z.string() });
const listSchema = z.object({
  environments: z.array(z.object({ name: z.string(), secretsFrom: z.array(z.string()) })),
});
const keySchema = z.object({ keyId: z.string(), apiKey: z.string() });
/** Longer than a set-up takes; one that is left behind is soon worth nothing. */
const keyValidForSeconds = 600;

/**
 * Makes the environment when it is missing, and lets it read the shared secrets of `secretsStage`: what
 * `todoku env create feat-x --secrets-from dev` does. Says what it did.
 */
export async function ensureStage(
  todokuUrl: string,
  apiKey: string | undefined,
  stage: string,
  secretsStage: string | undefined,
): Promise<string> {
  const todoku = new Todoku(todokuUrl, fixedCredential(apiKey));
  const source = secretsStage === stage ? undefined : secretsStage;
  // Its own super user needs no operator.
  const own = await todoku.call("GET", "/v1/environment", undefined, ownSchema);
  if (own.name === stage && source === undefined) return `environment ${stage}: there already`;
  const { environments } = await todoku.call("GET", "/v1/environments", undefined, listSchema);
  const found = environments.find(({ name }) => name === stage);
  if (!found) {
    const request = { name: stage, ...(source === undefined ? {} : { secretsFrom: [source] }) };
    const { key } = await todoku.call("POST", "/v1/environments", request, z.object({ key: keySchema }));
    // A super user's that would never end; an operator can make another at any time.
    await deleteKey(todokuUrl, key);
    return `environment ${stage}: made`;
  }
  if (source === undefined || found.secretsFrom.includes(source)) return `environment ${stage}: there already`;
  const secretsFrom = [...found.secretsFrom, source];
  await todoku.call("PATCH", `/v1/environments/${stage}`, { secretsFrom }, anyAnswer);
  return `environment ${stage}: reads the shared secrets of ${source}`;
}

/** Runs `act` with a key of that environment, which ends with it; with the given key when it is of that environment already. */
export async function actIn<T>(
  environment: string,
  todokuUrl: string,
  apiKey: string | undefined,
  act: (apiKey: string | undefined) => Promise<T>,
): Promise<T> {
  const todoku = new Todoku(todokuUrl, fixedCredential(apiKey));
  const own = await todoku.call("GET", "/v1/environment", undefined, ownSchema);
  if (own.name === environment) return act(apiKey);
  const request = { description: "task-notifications set-up", superUser: true, validForSeconds: keyValidForSeconds };
  const key = await todoku.call("POST", `/v1/environments/${environment}/keys`, request, keySchema);
  try {
    return await act(key.apiKey);
  } finally {
    await deleteKey(todokuUrl, key);
  }
}

/** With itself. */
async function deleteKey(todokuUrl: string, { keyId, apiKey }: z.output<typeof keySchema>): Promise<void> {
  await new Todoku(todokuUrl, fixedCredential(apiKey)).call("DELETE", `/v1/keys/${keyId}`, undefined, anyAnswer);
}
