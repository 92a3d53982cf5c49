import { checkName } from "../../domain/names.ts";
import { checkSecretName } from "../../domain/secrets/secret.ts";
import { checkWebhookName, checkWebhookUrlForm } from "../../domain/subscriptions/webhook-checks.ts";
import { CallFailure, type Client } from "../commands/client.ts";
import { pathOf, queryOf, withoutQuery } from "../commands/webhook-shape.ts";
import { type Change, compare, type Plan, problemsOf } from "./change.ts";
import type { ResourceFile } from "./resource-file.ts";
import { putSecret, readSecret } from "./secret-store.ts";

/** A webhook as the server lists it. */
export interface CurrentWebhook extends WebhookName {
  readonly topic: string;
  readonly url: string;
  readonly ordered: boolean;
  /** What the secret holds that the file names for it; undefined when it names none. The value itself is not kept. */
  readonly secretHolds?: "what it signs with" | "another value" | "nothing";
}

/** What tells webhooks apart. */
interface WebhookName {
  readonly cache: string;
  readonly name: string;
}

interface CurrentParts {
  readonly caches: readonly { readonly name: string }[];
  readonly webhooks: readonly CurrentWebhook[];
  readonly missingCaches: readonly string[];
}

type DeclaredWebhook = NonNullable<ResourceFile["webhooks"]>[number];

/** Adds what the secrets hold that the file names for these webhooks. @throws CallFailure. */
export async function withSecrets(
  client: Client,
  { webhooks = [] }: ResourceFile,
  current: readonly CurrentWebhook[],
): Promise<readonly CurrentWebhook[]> {
  const looked: CurrentWebhook[] = [];
  for (const webhook of current) {
    const { secret } = webhooks.find((declared) => isSame(declared, webhook)) ?? {};
    looked.push(secret === undefined ? webhook : { ...webhook, secretHolds: await whatHolds(client, webhook, secret) });
  }
  return looked;
}

async function whatHolds(client: Client, { cache, name }: WebhookName, secret: string) {
  const held = await readSecret(client, secret);
  if (held === undefined) return "nothing";
  const own = (await client.call("GET", `${pathOf(cache, name)}/secret`)) as { secret: string };
  return held === own.secret ? "what it signs with" : "another value";
}

/** Of a file without `caches`: asked as who may manage webhooks may ask, for the list of caches needs other rights. @throws CallFailure. */
export async function missingCaches(
  client: Client,
  { webhooks = [], caches }: ResourceFile,
): Promise<readonly string[]> {
  const missing: string[] = [];
  if (caches !== undefined) return missing;
  for (const cache of new Set(webhooks.map((webhook) => webhook.cache))) {
    try {
      await client.call("GET", `/v1/webhooks${queryOf({ cache })}`);
    } catch (error) {
      if (!(error instanceof CallFailure) || error.code !== "not_found") throw error;
      missing.push(cache);
    }
  }
  return missing;
}

/** Compares; URLs as the server writes them, and shown without their queries. */
export function planWebhooks(file: ResourceFile, current: CurrentParts, prune: boolean): Plan {
  const { webhooks = [] } = file;
  const problems = webhooks.flatMap((webhook) =>
    [...wrongParts(webhook), ...cacheProblem(webhook, file, current, prune)].map(
      (problem) => `webhook "${webhook.name}": ${problem}`,
    ),
  );
  const changes = webhooks.flatMap((webhook): Change[] => {
    const { cache, name, topic, url, ordered, secret } = webhook;
    const body = { topic, url, ordered: ordered ?? true };
    const common = { kind: "webhook", name, cache, body } as const;
    const old = current.webhooks.find((one) => isSame(one, webhook));
    if (!old) return [{ ...common, action: "create", differences: {}, ...(secret === undefined ? {} : { secret }) }];
    const isHeld = secret === undefined || old.secretHolds === "what it signs with";
    const differences = compareWebhook(old, webhook);
    if (isHeld) return Object.keys(differences).length === 0 ? [] : [{ ...common, action: "update", differences }];
    const held = { secret: { from: old.secretHolds, to: "what it signs with" } };
    return [{ ...common, action: "update", differences: { ...differences, ...held }, secret }];
  });
  return { changes, problems };
}

/** What the server would refuse whoever asks; which addresses may be called it alone knows. */
function wrongParts({ name, topic, url, secret }: DeclaredWebhook): string[] {
  const checks = [
    () => checkWebhookName(name),
    () => checkName("topic", topic),
    () => checkWebhookUrlForm(url),
    () => secret !== undefined && checkSecretName(secret),
  ];
  return problemsOf(checks);
}

function cacheProblem(
  { cache }: DeclaredWebhook,
  { caches }: ResourceFile,
  current: CurrentParts,
  prune: boolean,
): string[] {
  const isThere =
    caches === undefined
      ? !current.missingCaches.includes(cache)
      : current.caches.some(({ name }) => name === cache) && !prune;
  if (isThere || caches?.some(({ name }) => name === cache)) return [];
  const isPruned = prune && caches !== undefined;
  return [`its cache "${cache}" is ${isPruned ? "not in the file" : "neither in the file nor there"}`];
}

function compareWebhook(old: CurrentWebhook, { topic, url, ordered = true }: DeclaredWebhook): Change["differences"] {
  const differences = compare(
    { topic: old.topic, ordered: old.ordered, url: normal(old.url) },
    { topic, ordered, url: normal(url) },
  );
  if (differences.url === undefined) return differences;
  return { ...differences, url: { from: withoutQuery(old.url), to: withoutQuery(url) } };
}

/** Those that the file does not have, when it speaks of webhooks at all. */
export function pruneWebhooks({ webhooks }: ResourceFile, current: readonly CurrentWebhook[]): Change[] {
  if (webhooks === undefined) return [];
  return current
    .filter((old) => !webhooks.some((declared) => isSame(declared, old)))
    .map(({ cache, name }) => ({ action: "delete", kind: "webhook", name, cache, differences: {} }));
}

/** Makes or changes it. The answer has what it signs with, of one that was there before too. @throws CallFailure. */
export async function putWebhook(client: Client, { name, cache = "", body, secret }: Change): Promise<void> {
  const answer = (await client.call("PUT", pathOf(cache, name), body)) as { secret: string };
  if (secret !== undefined) await putSecret(client, secret, answer.secret);
}

function isSame(a: WebhookName, b: WebhookName): boolean {
  return a.cache === b.cache && a.name === b.name;
}

function normal(url: string): string {
  return URL.canParse(url) ? new URL(url).href : url;
}
