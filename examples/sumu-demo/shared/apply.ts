import { readFile } from "node:fs/promises";
import { type Applied, applyResources } from "../../task-notifications/shared/apply.ts";

const file = new URL("../todoku.yaml", import.meta.url);
/** Where the backend of the file listens. */
const backendInFile = "http://127.0.0.1:3000";

/** The file, where the backend's address is put in. @throws as {@link applyResources}. */
export async function apply(todokuUrl: string, apiKey: string | undefined, backendUrl: string): Promise<Applied> {
  const resources = (await readFile(file, "utf8")).replaceAll(`${backendInFile}/`, `${backendUrl}/`);
  return applyResources(todokuUrl, apiKey, resources);
}
