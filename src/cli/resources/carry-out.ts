import type { Client } from "../commands/client.ts";
import { pathOf as webhookPath } from "../commands/webhook-shape.ts";
import type { Change } from "./change.ts";
import { putSecret } from "./secret-store.ts";
import { putWebhook } from "./webhooks.ts";

/** What became of a key: its id, and the key itself where no secret keeps it. It is printed once. */
export interface MadeKey {
  readonly keyId: string;
  readonly secret?: string;
  readonly apiKey?: string;
}

/**
 * Carries out one change. Each can be done again after a failure in its middle: a key is named before its secret is written, and a
 * key that its secret does not hold is replaced by the next run.
 * @throws CallFailure.
 */
export async function carryOut(client: Client, change: Change): Promise<MadeKey | undefined> {
  const { action, kind, name, body, keyId } = change;
  const path = pathOf(change);
  if (kind === "webhook" && action !== "delete") {
    await putWebhook(client, change);
    return undefined;
  }
  if (kind === "key" && (action === "create" || action === "replace")) {
    if (action === "replace") await client.call("DELETE", `/v1/keys/${keyId}`);
    return makeKey(client, change);
  }
  if (action === "create") await client.call("POST", `/v1/${kind}s`, body);
  else if (action === "update") await client.call("PATCH", path, body);
  else if (action === "delete") await client.call("DELETE", path);
  else throw new Error(`${kind} ${name}: ${action} is for keys only`);
  return undefined;
}

function pathOf({ kind, name, keyId, cache = "" }: Change): string {
  if (kind === "webhook") return webhookPath(cache, name);
  if (kind === "settings") return `/v1/environments/${encodeURIComponent(name)}`;
  return `/v1/${kind}s/${kind === "key" ? keyId : encodeURIComponent(name)}`;
}

async function makeKey(client: Client, { body, secret }: Change): Promise<MadeKey> {
  const { keyId, apiKey } = (await client.call("POST", "/v1/keys", body)) as { keyId: string; apiKey: string };
  if (secret === undefined) return { keyId, apiKey };
  await putSecret(client, secret, apiKey);
  return { keyId, secret };
}
