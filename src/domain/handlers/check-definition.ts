import { checkGrants } from "../auth/grants.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { checkName } from "../names.ts";
import { checkQueueName, checkWhole } from "../queues/settings.ts";
import { checkHandlerName, type HandlerDefinition, type HandlerSource } from "./handler.ts";
import { problemOfVariable } from "./variables.ts";

/** @throws TodokuError `invalid_argument` that names the part, its value and the bound. */
export function checkDefinition(definition: Omit<HandlerDefinition, "environment" | "run">): void {
  const { name, sources, timeoutMs, concurrency, grants, variables, secrets } = definition;
  const { timeoutMs: timeout, concurrencyMax, sourcesMax } = limits.handler;
  checkHandlerName(name);
  checkWhole("timeoutMs", timeoutMs, timeout.min, timeout.max);
  checkWhole("concurrency", concurrency, 1, concurrencyMax);
  if (sources.length > sourcesMax) throw problem(`${sources.length} sources must be <= ${sourcesMax}`);
  const seen = new Set<string>();
  for (const source of sources) {
    checkSource(source);
    const place = JSON.stringify(source.kind === "queue" ? [source.queue] : [source.cache, source.topic]);
    if (seen.has(place)) throw problem(`two sources of handler "${name}" are the same ${source.kind}`);
    seen.add(place);
  }
  // One that may do nothing is in order.
  if (grants.length > 0) checkGrants(grants);
  for (const variable of [...Object.keys(variables), ...Object.keys(secrets)]) {
    const wrong = problemOfVariable(variable);
    if (wrong !== undefined) throw problem(`the variable "${variable}" of handler "${name}" ${wrong}`);
  }
  const both = Object.keys(secrets).find((variable) => Object.hasOwn(variables, variable));
  if (both !== undefined)
    throw problem(`the variable "${both}" of handler "${name}" is there with a value and a secret`);
}

function checkSource(source: HandlerSource): void {
  if (source.kind === "topic") {
    checkName("cache", source.cache);
    checkName("topic", source.topic);
    return;
  }
  checkQueueName(source.queue);
  checkWhole("batchSize", source.batchSize, 1, limits.queue.batchMaxMessages);
  checkWhole("windowMs", source.windowMs, 0, limits.handler.windowMaxMs);
}

function problem(message: string): TodokuError {
  return new TodokuError("invalid_argument", message);
}
