import { z } from "zod";
import { grantOrStatementSchema } from "../domain/handlers/statements.ts";
import { problemOfVariable } from "../domain/handlers/variables.ts";
import { limits } from "../domain/limits.ts";

const { handler } = limits;

const variableName = z.string().superRefine((name, context) => {
  const problem = problemOfVariable(name);
  if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
});

const sourceSchema = z
  .strictObject({
    queue: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,80}$/, "must be 1 to 80 of A-Z, a-z, 0-9, - and _")
      .optional()
      .describe("A queue whose messages it works off."),
    batchSize: z
      .int()
      .min(1)
      .max(limits.queue.batchMaxMessages)
      .optional()
      .describe("Of a queue: messages of one invocation; default: ten."),
    windowSeconds: z
      .number()
      .min(0)
      .max(handler.windowMaxMs / 1000)
      .optional()
      .describe("Of a queue: how long a batch that is not full waits for more; default: not at all."),
    topic: z.string().min(1).max(limits.nameMaxBytes).optional().describe("A topic whose messages it gets one by one."),
    cache: z
      .string()
      .min(1)
      .max(limits.nameMaxBytes)
      .optional()
      .describe("Of a topic: its cache; default: `events`, where SNS's topics are."),
    filter: z
      .record(z.string(), z.json())
      .optional()
      .describe("Of a topic: a filter policy as SNS has it; what does not match is passed over."),
    filterScope: z
      .enum(["attributes", "body"])
      .optional()
      .describe("Of a topic: what the filter looks at; default: `attributes`."),
  })
  .superRefine(({ queue, topic, ...rest }, context) => {
    if ((queue === undefined) === (topic === undefined)) {
      context.addIssue({ code: "custom", message: "give a queue or a topic, one of the two" });
      return;
    }
    const foreign = queue === undefined ? ["batchSize", "windowSeconds"] : ["cache", "filter", "filterScope"];
    for (const [name, value] of Object.entries(rest)) {
      if (value === undefined || !foreign.includes(name)) continue;
      const message = `goes not with a ${queue === undefined ? "topic" : "queue"}`;
      context.addIssue({ code: "custom", path: [name], message });
    }
  });

const handlerSchema = z
  .strictObject({
    environment: z
      .string()
      .regex(/^[A-Za-z0-9-]{1,63}$/)
      .optional()
      .describe("Where it works. Default: `dev` in dev mode; else it must be said."),
    command: z
      .array(z.string().min(1))
      .min(1)
      .optional()
      .describe(
        "Program that it is, with its arguments: `[node:./server.handler]`, `[python:server.handler]`, or any Lambda runtime client.",
      ),
    directory: z
      .string()
      .min(1)
      .optional()
      .describe(
        "Where the program starts; default, and what a relative path begins at: the folder of the configuration file.",
      ),
    url: z
      .url({ protocol: /^https?$/ })
      .optional()
      .describe("Instead of a program: where each event is posted to; the answer is the result."),
    urlSecret: z
      .string()
      .regex(/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/, "must be whsec_ and base64 of 24 to 64 bytes")
      .optional()
      .meta({ isSecret: true })
      .describe("Signs these calls, as webhooks are signed."),
    sources: z.array(sourceSchema).max(handler.sourcesMax).default([]).describe("What feeds it."),
    timeoutSeconds: z
      .number()
      .min(handler.timeoutMs.min / 1000)
      .max(handler.timeoutMs.max / 1000)
      .default(handler.timeoutMs.default / 1000)
      .describe("How long one invocation may take."),
    concurrency: z
      .int()
      .min(1)
      .max(handler.concurrencyMax)
      .default(1)
      .describe("Invocations at a time, each in a process of its own."),
    grants: z
      .array(grantOrStatementSchema)
      .default([])
      .describe("All that it may do: [grants](http.md#post-v1tokens), or IAM statements. Its key has exactly these."),
    env: z
      .record(variableName, z.string())
      .default({})
      .meta({ isSecret: true })
      .describe(
        `Environment variables of its processes; \`\${TODOKU_URL}\` in a value becomes the URL of this server.`,
      ),
    secrets: z
      .record(variableName, z.string().min(1).max(limits.nameMaxBytes))
      .default({})
      .describe("Environment variables with the values of secrets, like `{DB_PASSWORD: db-password}`."),
    functionUrl: z
      .enum(["none", "jwt"])
      .optional()
      .describe("It has the URL `/functions/<name>`: for anybody, or for whoever is signed in."),
  })
  .superRefine(({ command, directory, url, urlSecret, env, secrets, sources }, context) => {
    const problem = (path: readonly PropertyKey[], message: string) =>
      context.addIssue({ code: "custom", path: [...path], message });
    if ((command === undefined) === (url === undefined)) problem([], "give a command or a url, one of the two");
    if (url === undefined && urlSecret !== undefined) problem(["urlSecret"], "goes with a url only");
    if (url !== undefined && directory !== undefined) problem(["directory"], "goes with a command only");
    if (url !== undefined && Object.keys({ ...env, ...secrets }).length > 0) {
      problem([Object.keys(env).length > 0 ? "env" : "secrets"], "goes with a command only");
    }
    for (const name of Object.keys(secrets)) {
      if (Object.hasOwn(env, name)) problem(["secrets", name], "is a variable of env too: give one of the two");
    }
    const seen = new Set<string>();
    for (const [i, { queue, cache, topic }] of sources.entries()) {
      const text = JSON.stringify(queue === undefined ? [cache ?? "events", topic] : [queue]);
      if (seen.has(text)) problem(["sources", i], "is there twice");
      seen.add(text);
    }
  });

/** The group `handlers`: functions of the operator's own, by name. */
export const handlersSchema = z
  .record(z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 of A-Z, a-z, 0-9, - and _"), handlerSchema)
  .default({})
  .describe("Functions of your own by name, and what feeds them, see [handlers.md](../guides/handlers.md).");

/** One handler as it is configured. */
export type HandlerSettings = z.output<typeof handlerSchema>;
