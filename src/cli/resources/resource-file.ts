import { parse, stringify } from "yaml";
import { z } from "zod";
import { grantSchema } from "../../domain/auth/grants.ts";
import { sentenceOf } from "../../lib/value-sentences.ts";

// Bounds are the server's to know: here stands what a file looks like, so that a slip of the pen is found before anything is changed.
const name = z.string().min(1);
const queueSchema = z.strictObject({
  name,
  visibilitySeconds: z.number().optional(),
  delaySeconds: z.number().optional(),
  retentionSeconds: z.number().optional(),
  waitSeconds: z.number().optional(),
  messageMaxBytes: z.int().optional(),
  deadLetter: z.strictObject({ queue: name, maxReceives: z.int() }).optional(),
  deadLetterSources: z.array(name).optional(),
  tags: z.record(z.string(), z.string()).optional(),
});
const webhookSchema = z.strictObject({
  cache: name,
  name,
  topic: name,
  url: name,
  /** Default: true. */
  ordered: z.boolean().optional(),
  /** Where what it signs with is put when it is made. */
  secret: name.optional(),
});
const keySchema = z
  .strictObject({
    name,
    description: z.string().optional(),
    superUser: z.literal(true).optional(),
    grants: z.array(grantSchema).min(1).optional(),
    /** Where the key is put when it is made; without it, it is printed once. */
    secret: name.optional(),
  })
  .refine((key) => (key.superUser === undefined) !== (key.grants === undefined), {
    error: "must have either superUser: true or grants",
  });
const resourceFileSchema = z.strictObject({
  /** Of the environment itself; only an operator may change them. */
  settings: z.record(z.string(), z.unknown()).optional(),
  caches: z.array(z.strictObject({ name, durability: z.enum(["disk", "memory"]).optional() })).optional(),
  queues: z.array(queueSchema).optional(),
  webhooks: z.array(webhookSchema).optional(),
  keys: z.array(keySchema).optional(),
});

/** A `todoku.yaml`: what an environment should have. A part that is left out is not looked at, not even by `--prune`. */
export type ResourceFile = z.output<typeof resourceFileSchema>;

/** A file does not say what it should. Each line names the place. */
export class ResourceFileError extends Error {
  override readonly name = "ResourceFileError";
}

/** YAML, or JSON, which is YAML too. @throws ResourceFileError. */
export function parseResourceFile(text: string): ResourceFile {
  const { data, error } = resourceFileSchema.safeParse(parseYaml(text) ?? {}, { error: sentenceOf });
  if (error) {
    throw new ResourceFileError(error.issues.map((issue) => `${placeOf(issue)}: ${wordsOf(issue)}`).join("\n"));
  }
  const twice = [
    ...namedTwice("caches", data.caches?.map(titleOf)),
    ...namedTwice("queues", data.queues?.map(titleOf)),
    ...namedTwice(
      "webhooks",
      data.webhooks?.map((webhook) => `${titleOf(webhook)} of cache ${JSON.stringify(webhook.cache)}`),
    ),
    ...namedTwice("keys", data.keys?.map(titleOf)),
    ...namedTwice(
      "secrets",
      [...(data.webhooks ?? []), ...(data.keys ?? [])].flatMap(({ secret }) =>
        secret ? [JSON.stringify(secret)] : [],
      ),
    ),
  ];
  if (twice.length > 0) throw new ResourceFileError(twice.join("\n"));
  return data;
}

/** The YAML of it. */
export function printResourceFile(file: ResourceFile): string {
  return stringify(file, { lineWidth: 0 });
}

function parseYaml(text: string): unknown {
  try {
    return parse(text, { prettyErrors: true });
  } catch (error) {
    throw new ResourceFileError(`it is no YAML: ${error instanceof Error ? error.message.trimEnd() : String(error)}`);
  }
}

function placeOf({ path }: z.core.$ZodIssue): string {
  const place = path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
  return place === "" ? "the file" : place;
}

function wordsOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "unrecognized_keys")
    return `there is nothing called ${issue.keys.map((key) => `"${key}"`).join(", ")}`;
  return issue.message;
}

function titleOf({ name }: { readonly name: string }): string {
  return JSON.stringify(name);
}

function namedTwice(part: string, titles: readonly string[] = []): string[] {
  return [...new Set(titles.filter((title, n) => titles.indexOf(title) !== n))].map(
    (title) => `${part}: ${title} stands there twice`,
  );
}
