import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { openPrincipal } from "../../src/domain/auth/open-access.ts";
import type { Principal } from "../../src/domain/auth/principal.ts";
import { TodokuError } from "../../src/domain/errors.ts";
import { createQueueMoves } from "../../src/domain/queues/moves.ts";
import type { AwsCall, AwsWire } from "../../src/protocols/aws/call.ts";
import { AwsError } from "../../src/protocols/aws/errors.ts";
import { createSqs } from "../../src/protocols/aws/sqs/index.ts";
import { aReceiver, type QueueDomain } from "./queues.ts";

/** The wires of SQS. */
export const wires = ["json", "query"] as const satisfies readonly AwsWire[];

/** What a call came to: the output in the shape of JSON, or the error. */
export type SqsAnswer = Readonly<Record<string, unknown>> & {
  readonly error?: {
    readonly code: string;
    readonly queryCode: string;
    readonly status: number;
    readonly message: string;
  };
};

/** SQS over a domain of queues, without the door: calls over either wire, whose answers come back in the shape of JSON. */
export async function anSqs(domain: QueueDomain) {
  const { queues, messages: queueMessages, engine, clock } = domain;
  const queueMoves = createQueueMoves({ engine, queues, queueMessages, wallMs: clock.wallMs });
  await queueMoves.start();
  const service = createSqs({ queues, queueMessages, queueMoves });
  return {
    queueMoves,
    async call(
      wire: (typeof wires)[number],
      action: string,
      input: Readonly<Record<string, unknown>> = {},
      principal: Principal = openPrincipal,
    ): Promise<SqsAnswer> {
      const call = {
        ...aCall(wire, action, principal),
        ...(wire === "json" ? { input } : { form: formOf(action, input) }),
      };
      try {
        const { body } = await service.handle(call);
        return wire === "json" ? JSON.parse(String(body)) : outputOf(String(body));
      } catch (error) {
        const said = error instanceof TodokuError ? service.toAwsError(error, call) : error;
        if (!(said instanceof AwsError)) throw error;
        const { code, queryCode, status, message } = said;
        return { error: { code, queryCode, status, message } };
      }
    },
  };
}

function aCall(wire: AwsWire, action: string, principal: Principal): AwsCall {
  return {
    ...{ service: "sqs", wire, principal, action, input: {}, form: new URLSearchParams() },
    ...{ method: "POST", rawPath: "/", query: new URLSearchParams(), body: Buffer.alloc(0), headers: {} },
    ...{ requestId: randomUUID(), region: "eu-west-1", baseUrl: "http://todoku.test:8080", receiver: aReceiver() },
  };
}

/** How clients of the query protocol call lists of JSON. */
const listNames: Readonly<Record<string, string>> = {
  ...{ AttributeNames: "AttributeName", MessageAttributeNames: "MessageAttributeName", TagKeys: "TagKey" },
  ...{ Attributes: "Attribute", Tags: "Tag", tags: "Tag", MessageAttributes: "MessageAttribute" },
  MessageSystemAttributes: "MessageSystemAttribute",
};

/** An input as the form that boto3 makes of it. */
function formOf(action: string, { Entries: entries, ...input }: Readonly<Record<string, unknown>>): URLSearchParams {
  return append({ ...input, [`${action}RequestEntry`]: entries }, new URLSearchParams(), "");
}

function append(input: object, form: URLSearchParams, prefix: string): URLSearchParams {
  for (const [name, value] of Object.entries(input)) {
    const path = `${prefix}${listNames[name] ?? name}`;
    if (Array.isArray(value)) {
      for (const [n, one] of value.entries()) {
        if (typeof one === "object") append(one, form, `${path}.${n + 1}.`);
        else form.append(`${path}.${n + 1}`, one);
      }
    } else if (typeof value === "object" && value !== null) {
      for (const [n, [key, one]] of Object.entries(value).entries()) {
        form.append(`${path}.${n + 1}.${path.endsWith("Tag") ? "Key" : "Name"}`, key);
        if (typeof one === "object") append(one as object, form, `${path}.${n + 1}.Value.`);
        else form.append(`${path}.${n + 1}.Value`, String(one));
      }
    } else if (value !== undefined) form.append(path, String(value));
  }
  return form;
}

interface Element {
  readonly name: string;
  readonly text: string;
  readonly children: readonly Element[];
}

/** Strict: what it does not understand is an error. */
function parseXml(xml: string): Element {
  let at = 0;
  function element(): Element {
    const [whole, name = ""] = /^<([A-Za-z][A-Za-z0-9]*)(?: xmlns="[^"]*")?>/.exec(xml.slice(at)) ?? [];
    if (whole === undefined) throw new Error(`no element at ${at} of ${xml}`);
    at += whole.length;
    const children: Element[] = [];
    while (xml[at] === "<" && xml[at + 1] !== "/") children.push(element());
    const end = xml.indexOf("<", at);
    const text = xml.slice(at, end);
    at = end + `</${name}>`.length;
    if (xml.slice(end, at) !== `</${name}>`) throw new Error(`no end of ${name} at ${end} of ${xml}`);
    return { name, text: plainText(text), children };
  }
  const root = element();
  if (at !== xml.length) throw new Error(`more at ${at} of ${xml}`);
  return root;
}

const references: Readonly<Record<string, string>> = {
  ...{ "&lt;": "<", "&gt;": ">", "&quot;": '"', "&amp;": "&", "&#13;": "\r" },
};

/** With the end of lines that every parser of XML sees. */
function plainText(text: string): string {
  return text.replace(/\r\n?/g, "\n").replace(/&[^;]*;/g, (reference) => references[reference] ?? "");
}

const numbers = new Set([
  ...["MaxNumberOfMessagesPerSecond", "ApproximateNumberOfMessagesMoved", "ApproximateNumberOfMessagesToMove"],
  "StartedTimestamp",
]);

function outputOf(xml: string): SqsAnswer {
  const root = parseXml(xml);
  const action = root.name.replace(/Response$/, "");
  const result = root.children.find(({ name }) => name === `${action}Result`);
  if (result === undefined) return {};
  // JSON has an empty list there; XML cannot tell it from none.
  if (action === "ListDeadLetterSourceQueues")
    return { queueUrls: [], ...fieldsOf(action, result.children, "queueUrls") };
  return fieldsOf(action, result.children, "QueueUrls");
}

function fieldsOf(action: string, children: readonly Element[], urls: string): Record<string, unknown> {
  const output: Record<string, unknown> = {};
  const all = (name: string) => children.filter((child) => child.name === name);
  const list = (field: string, name: string) => {
    if (all(name).length > 0) output[field] = all(name).map((child) => fieldsOf(action, child.children, urls));
  };
  const map = (field: string, name: string, keyName: string) => {
    const entries = all(name).map(({ children: [key, value] }) => {
      if (key?.name !== keyName || value?.name !== "Value") throw new Error(`no ${keyName} and Value in ${name}`);
      return [key.text, value.children.length > 0 ? fieldsOf(action, value.children, urls) : value.text];
    });
    if (entries.length > 0) output[field] = Object.fromEntries(entries);
  };
  for (const { name, text, children: inner } of children) {
    if (inner.length > 0) continue;
    if (numbers.has(name)) output[name] = Number(text);
    else output[name] = name === "SenderFault" ? text === "true" : text;
  }
  if (action.startsWith("List") && all("QueueUrl").length > 0) {
    delete output.QueueUrl;
    output[urls] = all("QueueUrl").map(({ text }) => text);
  }
  if (action === "ReceiveMessage") list("Messages", "Message");
  if (action.endsWith("Batch")) list("Successful", `${action}ResultEntry`);
  list("Failed", "BatchResultErrorEntry");
  list("Results", "ListMessageMoveTasksResultEntry");
  map("Attributes", "Attribute", "Name");
  map("MessageAttributes", "MessageAttribute", "Name");
  map("Tags", "Tag", "Key");
  return output;
}
