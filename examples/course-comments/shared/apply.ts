import { readFile } from "node:fs/promises";
import { type Applied, applyResources } from "../../task-notifications/shared/apply.ts";

const file = new URL("../todoku.yaml", import.meta.url);
/** Where the receiver of the file listens. */
const receiverInFile = "http://127.0.0.1:3002";

/** The file, where the receiver's address is put in. @throws as {@link applyResources}. */
export async function apply(todokuUrl: string, apiKey: string | undefined, receiverUrl: string): Promise<Applied> {
  const resources = (await readFile(file, "utf8")).replaceAll(`${receiverInFile}/`, `${receiverUrl}/`);
  return applyResources(todokuUrl, apiKey, resources);
}
