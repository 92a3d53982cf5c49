import { Buffer } from "node:buffer";
import { type Attributes, attributeBytes } from "../../../domain/attributes.ts";
import { structureAttribute, subjectAttribute } from "../../../domain/event-topics/notification.ts";
import { limits } from "../../../domain/limits.ts";
import { AwsError } from "../errors.ts";
import { readList } from "../form.ts";
import { invalidParameter } from "./errors.ts";
import { optional, required } from "./form.ts";

/** A message as a topic keeps it. */
export interface SnsInput {
  readonly text: string;
  readonly attributes: Attributes;
  readonly bytes: number;
}

/** Reads what stands in a Publish, or in an entry of a batch. @throws AwsError `InvalidParameter`, `ParameterValueInvalid`. */
export function readMessage(form: URLSearchParams, topic: string): SnsInput {
  for (const name of ["MessageDeduplicationId", "MessageGroupId"]) {
    if (form.has(name)) throw invalidParameter(`${name}: it is for FIFO topics, which are not offered`);
  }
  const message = form.get("Message") ?? "";
  if (message === "") throw invalidParameter("Empty message");
  const subject = optional(form, "Subject");
  if (subject !== undefined) checkSubject(subject);
  const { text, isStructured } = textOf(message, optional(form, "MessageStructure"), topic);
  const attributes: Attributes = {
    ...readAttributes(form),
    ...(subject !== undefined && { [subjectAttribute]: { type: "String", value: subject } }),
    ...(isStructured && { [structureAttribute]: { type: "String", value: "json" } }),
  };
  const bytes = Buffer.byteLength(text) + attributeBytes(attributes);
  const { messageMaxBytes } = limits.eventTopic;
  if (bytes > messageMaxBytes) {
    throw invalidParameter(
      `Message too long: with its attributes it has ${bytes} bytes; must be <= ${messageMaxBytes}`,
    );
  }
  return { text, attributes, bytes };
}

function checkSubject(subject: string): void {
  const { subjectMaxLength } = limits.eventTopic;
  if (subject.length > subjectMaxLength) {
    throw invalidParameter(`Subject: it has ${subject.length} characters; must be <= ${subjectMaxLength}`);
  }
  if (/^[\x21-\x7e][\x20-\x7e]*$/.test(subject)) return;
  throw invalidParameter("Subject: it must be ASCII without control characters, and not begin with a space");
}

const structureProtocols = ["sqs", "http", "https", "lambda"];

/** What of the texts for each protocol is to be kept: all when there are some that differ, for whoever delivers chooses. */
function textOf(message: string, structure: string | undefined, topic: string) {
  if (structure === undefined) return { text: message, isStructured: false };
  if (structure !== "json") throw invalidParameter("MessageStructure: must be json");
  const texts = parse(message);
  if (typeof texts !== "object" || texts === null || Array.isArray(texts)) {
    throw invalidParameter("Message Structure - JSON message body failed to parse");
  }
  const text = "default" in texts ? texts.default : undefined;
  if (typeof text !== "string" || text === "") {
    throw invalidParameter("Message Structure - No default entry in JSON message body");
  }
  const own = Object.entries(texts).filter(([protocol]) => structureProtocols.includes(protocol));
  const wrong = own.find(([, value]) => typeof value !== "string" || value === "");
  if (wrong) throw invalidParameter(`Message Structure - the entry ${wrong[0]} must be a text`);
  // The server itself reads notifications, and it is none of these.
  const isStructured = own.length > 0 && topic !== "notifications";
  return { text: isStructured ? message : text, isStructured };
}

function readAttributes(form: URLSearchParams): Attributes {
  const attributes = new Map<string, { readonly type: string; readonly value: string }>();
  for (const entry of readList(form, "MessageAttributes.entry")) {
    const name = required(entry, "Name");
    const isReserved = /^(aws|amazon)\./i.test(name);
    if (!/^[\w-]+(?:\.[\w-]+)*$/.test(name) || name.length > 256 || isReserved || name === "__proto__") {
      throw wrong(name, "is no name: 1 to 256 of A-Z, a-z, 0-9, _, - and ., which does not begin with AWS. or Amazon.");
    }
    if (attributes.has(name)) throw wrong(name, "is there twice");
    attributes.set(name, readAttribute(name, entry));
  }
  return Object.fromEntries(attributes);
}

function readAttribute(name: string, entry: URLSearchParams): { readonly type: string; readonly value: string } {
  const type = entry.get("Value.DataType") ?? "";
  if (!/^(String|Number|Binary)(\.\S{1,249})?$/.test(type)) {
    throw wrong(name, "has a type that is none of String, String.Array, Number and Binary");
  }
  const isBinary = type.startsWith("Binary");
  const value = entry.get(isBinary ? "Value.BinaryValue" : "Value.StringValue") ?? "";
  if (value === "") throw wrong(name, "must contain a non-empty value for its type");
  if (!value.isWellFormed()) throw wrong(name, "is not well-formed Unicode");
  if (isBinary && Buffer.from(value, "base64").toString("base64") !== value) throw wrong(name, "is not base64");
  if (type.startsWith("Number") && !/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?$/i.test(value)) {
    throw wrong(name, "is no number");
  }
  if (type === "String.Array" && !isArray(parse(value))) {
    throw wrong(name, "is no JSON array of strings, numbers, true, false and null");
  }
  return { type, value };
}

function isArray(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => one === null || typeof one !== "object");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // which is none of what is asked for
  }
}

function wrong(name: string, problem: string): AwsError {
  return new AwsError("ParameterValueInvalid", `The message attribute '${name.slice(0, 256)}' ${problem}`);
}
