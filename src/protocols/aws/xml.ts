import type { AwsServiceName } from "./call.ts";

/** A list repeats its element; what is undefined is left out. */
export type XmlValue = string | number | boolean | undefined | XmlElements | readonly XmlValue[];
export interface XmlElements {
  readonly [name: string]: XmlValue;
}

/** Of the services that answer in XML. */
const namespaces: Partial<Record<AwsServiceName, string>> = {
  sqs: "http://queue.amazonaws.com/doc/2012-11-05/",
  sns: "http://sns.amazonaws.com/doc/2010-03-31/",
};

const references: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  // As it is, a parser would read CR and CR LF as LF.
  "\r": "&#13;",
};
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what XML 1.0 has no way to write
const unwritable = /[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]|\p{Surrogate}/gu;
const special = new RegExp(`[&<>"\\r]|${unwritable.source}`, "gu");

/** `text` for an element or an attribute, as {@link writableXml} says it. */
export function escapeXml(text: string): string {
  return text.replace(special, (character) => references[character] ?? "\ufffd");
}

/** What a parser reads of `text`: characters that XML 1.0 cannot carry are U+FFFD, for one of them would break the whole answer. */
export function writableXml(text: string): string {
  return text.replace(unwritable, "\ufffd");
}

/** `{Message: [{Body: "a"}, {Body: "b"}]}` is `<Message><Body>a</Body></Message><Message><Body>b</Body></Message>`. */
export function xmlOf(elements: XmlElements): string {
  return Object.entries(elements)
    .map(([name, value]) => elementOf(name, value))
    .join("");
}

function elementOf(name: string, value: XmlValue): string {
  if (value === undefined) return "";
  if (isList(value)) return value.map((one) => elementOf(name, one)).join("");
  const content = typeof value === "object" ? xmlOf(value) : escapeXml(String(value));
  return `<${name}>${content}</${name}>`;
}

/** `Array.isArray` does not know read-only arrays. */
function isList(value: XmlValue): value is readonly XmlValue[] {
  return Array.isArray(value);
}

/** The answer to an action of the query protocol; without `result` there is no element for it. */
export function responseXml(
  { service, action, requestId }: { service: AwsServiceName; action: string; requestId: string },
  result?: XmlElements,
): string {
  const content = xmlOf({ [`${action}Result`]: result, ResponseMetadata: { RequestId: requestId } });
  return `<${action}Response xmlns="${namespaces[service]}">${content}</${action}Response>`;
}

/** An error of the query protocol. */
export function errorXml(
  service: AwsServiceName,
  { fault, queryCode, message }: { fault: string; queryCode: string; message: string },
  requestId: string,
): string {
  const error = { Type: fault, Code: queryCode, Message: message, Detail: "" };
  const namespace = namespaces[service];
  const content = xmlOf({ Error: error, RequestId: requestId });
  return `<ErrorResponse${namespace ? ` xmlns="${namespace}"` : ""}>${content}</ErrorResponse>`;
}
