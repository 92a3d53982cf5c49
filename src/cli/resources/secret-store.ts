import { CallFailure, type Client } from "../commands/client.ts";

/** What a secret holds; undefined when there is none. @throws CallFailure. */
export async function readSecret(client: Client, name: string): Promise<string | undefined> {
  try {
    return ((await client.call("GET", pathOf(name))) as { value: string }).value;
  } catch (error) {
    if (error instanceof CallFailure && error.code === "not_found") return undefined;
    throw error;
  }
}

/** Puts a new version. @throws CallFailure. */
export async function putSecret(client: Client, name: string, value: string): Promise<void> {
  await client.call("POST", pathOf(name), { value });
}

function pathOf(name: string): string {
  return `/v1/secrets/${encodeURIComponent(name)}`;
}
