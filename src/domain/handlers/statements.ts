import { z } from "zod";
import { type Grant, grantSchema } from "../auth/grants.ts";
import type { Selector } from "../auth/selector.ts";
import { TodokuError } from "../errors.ts";
import { eventsCache } from "../names.ts";

const oneOrMore = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);

/** A statement of an IAM policy, as far as grants can say it. */
const statementSchema = z.strictObject({
  Sid: z.string().exactOptional(),
  Effect: z.string(),
  Action: oneOrMore,
  Resource: oneOrMore,
});

/** A statement of an IAM policy. */
export type Statement = z.infer<typeof statementSchema>;

/** What an action becomes on one resource; `text` is what stands behind its service in the ARN, or `*`. */
type Translate = (text: string, resource: string) => readonly Grant[];

const queueGrant =
  (role: "send" | "receive"): Translate =>
  (text, resource) => [{ resource: "queue", role, queue: selectorOf(text, resource) }];

const readsSecret: Translate = (text, resource) =>
  secretsOf(text, resource).map((secret) => ({ resource: "secret", role: "read", secret }));

const readsConnections: Translate = () => [{ resource: "connection", role: "read", user: { all: true } }];

/** Comes with the right to send or to receive, and cannot be had without. */
const readsQueue: Translate = () => [];

const publishes: Translate = (text, resource) => [
  { resource: "topic", role: "publish", cache: { name: eventsCache }, topic: selectorOf(text, resource) },
];

/** Every action that there is a grant for, by its service. `sqs:...Batch` is none of IAM's, though policies name it. */
const actions: Readonly<Record<string, Readonly<Record<string, Translate>>>> = {
  sns: { Publish: publishes, PublishBatch: publishes },
  sqs: {
    ...Object.fromEntries(["SendMessage", "SendMessageBatch"].map((name) => [name, queueGrant("send")])),
    ...Object.fromEntries(
      ["ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility"]
        .flatMap((name) => [name, `${name}Batch`])
        .map((name) => [name, queueGrant("receive")]),
    ),
    ...Object.fromEntries(["GetQueueUrl", "GetQueueAttributes", "GetQueue*"].map((name) => [name, readsQueue])),
  },
  ssm: Object.fromEntries(
    ["GetParameter", "GetParameters", "GetParametersByPath", "GetParameter*"].map((name) => [name, readsSecret]),
  ),
  secretsmanager: { GetSecretValue: readsSecret },
  "execute-api": { ManageConnections: (text) => [managesConnections(text)] },
  dynamodb: Object.fromEntries(["Query", "Scan", "BatchWriteItem"].map((name) => [name, readsConnections])),
  lambda: {
    InvokeFunction: (text, resource) => [
      { resource: "handler", role: "invoke", handler: selectorOf(functionOf(text, resource), resource) },
    ],
  },
};

/**
 * The grants that a list of grants and statements comes to; what is named in several has all of its roles.
 * @throws TodokuError `invalid_argument` that names the action or resource: there is no grant that says it.
 */
export function toGrants(entries: readonly (Grant | Statement)[]): readonly Grant[] {
  const grants: Grant[] = [];
  const queuesRead: { readonly queue: string; readonly action: string }[] = [];
  for (const entry of entries) {
    if ("resource" in entry) grants.push(entry);
    else grants.push(...grantsOf(entry, (queue, action) => queuesRead.push({ queue, action })));
  }
  const merged = merge(grants);
  for (const { queue, action } of queuesRead) {
    const isHad = merged.some(
      (grant) => grant.resource === "queue" && (queue === "*" || JSON.stringify(grant.queue) === queue),
    );
    if (!isHad) throw problem(`the action "${action}" comes with sending or receiving: allow one of these there too`);
  }
  return merged;
}

function grantsOf(statement: Statement, onQueueRead: (queue: string, action: string) => void): readonly Grant[] {
  if (statement.Effect !== "Allow") {
    throw problem(`the Effect "${statement.Effect}" is not offered: what no statement allows is denied`);
  }
  const resources = [statement.Resource].flat().map((resource) => ({ resource, ...parseResource(resource) }));
  const used = new Set<string>();
  const grants = [statement.Action].flat().flatMap((action) => {
    const [, service = "", name = ""] = /^([^:]+):([^:]+)$/.exec(action) ?? [];
    const ofService = Object.hasOwn(actions, service) ? actions[service] : undefined;
    const translate = ofService && Object.hasOwn(ofService, name) ? ofService[name] : undefined;
    if (!translate) throw problem(`the action "${action}" is none that a handler can be given`);
    const ofAction = resources.filter((one) => one.service === undefined || one.service === service);
    if (ofAction.length === 0) throw problem(`the action "${action}" has no resource of its service`);
    return ofAction.flatMap(({ resource, text }) => {
      used.add(resource);
      if (translate === readsQueue)
        onQueueRead(text === "*" ? "*" : JSON.stringify(selectorOf(text, resource)), action);
      return translate(text, resource);
    });
  });
  const unused = resources.find(({ resource }) => !used.has(resource));
  if (unused) throw problem(`the resource "${unused.resource}" is of no service that an action names`);
  return grants;
}

/** Region and account say nothing here. */
function parseResource(resource: string): { readonly service: string | undefined; readonly text: string } {
  if (resource === "*") return { service: undefined, text: "*" };
  const [, service, text] = /^arn:[^:]*:([^:]+):[^:]*:[^:]*:(.+)$/s.exec(resource) ?? [];
  if (service === undefined || text === undefined) throw problem(`the resource "${resource}" must be an ARN or *`);
  return { service, text };
}

/** A name, the beginning of names, or all. */
function selectorOf(text: string, resource: string): Selector {
  const isPrefix = text.endsWith("*");
  const name = isPrefix ? text.slice(0, -1) : text;
  if (/[*?]/.test(name)) {
    throw problem(`the resource "${resource}" must have no * or ? but one * at its end: no grant can say it`);
  }
  if (isPrefix) return name === "" ? { all: true } : { prefix: name };
  return { name };
}

/** `parameter/a/b` is the parameter `/a/b`, and `parameter/a` may be `a` or `/a`; of `secret:name-??????` AWS draws the end. */
function secretsOf(text: string, resource: string): readonly Selector[] {
  if (text === "*") return [{ all: true }];
  const [, parameter, secret] = /^(?:parameter\/?(.*)|secret:(.+))$/s.exec(text) ?? [];
  if (secret !== undefined) return [selectorOf(secret.replace(/-\?{6}$/, ""), resource)];
  if (parameter === undefined || parameter === "")
    throw problem(`the resource "${resource}" names no parameter or secret`);
  if (parameter === "*") return [{ all: true }];
  const withSlash = selectorOf(`/${parameter}`, resource);
  return parameter.includes("/") ? [withSlash] : [withSlash, selectorOf(parameter, resource)];
}

function functionOf(text: string, resource: string): string {
  if (text === "*") return text;
  const [, name] = /^function:([^:]+)(?::[^:]+)?$/.exec(text) ?? [];
  if (name === undefined) throw problem(`the resource "${resource}" names no function`);
  return name;
}

/** To send is all that POST needs, and to read GET; connections are of no user before they are looked at, so they are all of them. */
function managesConnections(text: string): Grant {
  const [, method] = /\/(POST|GET)\/@connections(?:\/|$)/.exec(text) ?? [];
  const role = method === "POST" ? "send" : method === "GET" ? "read" : "read-write";
  return { resource: "connection", role, user: { all: true } };
}

/** Two roles for one selector, as one. */
function merge(grants: readonly Grant[]): readonly Grant[] {
  const merged = new Map<string, Grant>();
  for (const grant of grants) {
    const { role, ...what } = grant;
    const key = JSON.stringify(Object.entries(what).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    const before = merged.get(key);
    merged.set(key, before && before.role !== role ? ({ ...grant, role: both(before, grant) } as Grant) : grant);
  }
  return [...merged.values()];
}

/** All roles of two on the same things: each resource has one that is both of any two others. */
function both(one: Grant, other: Grant): Grant["role"] {
  switch (one.resource) {
    case "topic":
      return "publish-subscribe";
    case "queue":
      return "send-receive";
    case "cache":
    case "secret":
    case "webhook":
    case "connection":
      return "read-write";
    default:
      return other.role;
  }
}

function problem(message: string): TodokuError {
  return new TodokuError("invalid_argument", message);
}

/** Which of the two it is meant to be, and what it lacks. */
function problemOfEntry(input: unknown): string {
  const missing = ["Effect", "Action", "Resource"].filter((name) => !Object.hasOwn(Object(input), name));
  if (missing.length === 3) return "must be a grant, or a statement as IAM has them";
  if (missing.length > 0) return `the statement has no ${missing.join(" and no ")}`;
  return "must be a statement as IAM has them: Effect, Action, Resource and Sid are text, or lists of text, and all it may have";
}

/** A grant, or a statement that stands for some. */
export const grantOrStatementSchema = z.union([grantSchema, statementSchema], {
  error: ({ input }) => problemOfEntry(input),
});
