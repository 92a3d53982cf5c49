import { Buffer } from "node:buffer";
import type { Attributes } from "../../../domain/attributes.ts";
import { limits } from "../../../domain/limits.ts";
import { invalidContents, invalidValue } from "./errors.ts";
import { type Fields, map, optionalText } from "./fields.ts";

/** What XML 1.0 can carry: SQS takes nothing else, on either wire. */
const noXmlText = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
const nameForm = /^[A-Za-z0-9_.-]{1,256}$/;
const reservedName = /^(aws|amazon)\./i;
const typeForm = /^(String|Number|Binary)(\..{1,249})?$/s;
const numberForm = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?$/i;
/** SQS: so many digits, and from -10^128 to 10^126. */
const numberDigits = 38;
const numberMax = 1e126;
const numberMin = -1e128;

/** @throws AwsError InvalidMessageContents: it has a character that XML 1.0 does not have. */
export function checkBody(body: string): void {
  const at = body.search(noXmlText);
  if (at === -1) return;
  throw invalidContents(
    `Invalid characters found: character ${at} of MessageBody is none of #x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF.`,
  );
}

/** What a message carries beside its body; undefined: nothing. Binary values as base64. @throws AwsError InvalidParameterValue that names the attribute. */
export function toAttributes(fields: Fields): Attributes | undefined {
  const sent = map(fields, "MessageAttributes");
  const names = Object.keys(sent);
  if (names.length === 0) return undefined;
  if (names.length > limits.attributesMaxCount) {
    const max = limits.attributesMaxCount;
    throw invalidValue(`Number of message attributes [${names.length}] exceeds the allowed maximum [${max}].`);
  }
  return Object.fromEntries(names.map((name) => [name, toAttribute(name, map(sent, name))]));
}

/** `AWSTraceHeader`, the one system attribute that a message may be sent with. @throws AwsError InvalidParameterValue. */
export function toTraceHeader(fields: Fields): string | undefined {
  const sent = map(fields, "MessageSystemAttributes");
  for (const name of Object.keys(sent)) {
    if (name !== "AWSTraceHeader")
      throw invalidValue(`Message system attribute name '${name.slice(0, 100)}' is invalid.`);
  }
  if (!Object.hasOwn(sent, "AWSTraceHeader")) return undefined;
  const { type, value } = toAttribute("AWSTraceHeader", map(sent, "AWSTraceHeader"));
  if (type === "String") return value;
  throw invalidValue(`The message system attribute 'AWSTraceHeader' has type ${type}; must be String.`);
}

function toAttribute(name: string, fields: Fields): Attributes[string] {
  checkName(name);
  const type = optionalText(fields, "DataType") ?? "";
  if (type === "") throw invalid(name, "must contain a non-empty message attribute type");
  if (type.length > 256 || !typeForm.test(type) || noXmlText.test(type)) {
    throw invalid(
      name,
      `has the type '${type.slice(0, 300)}'; must be String, Number or Binary, or one of them with .<label>, with <= 256 characters`,
    );
  }
  return { type, value: type.startsWith("Binary") ? binaryOf(name, fields) : textOf(name, type, fields) };
}

function textOf(name: string, type: string, fields: Fields): string {
  const value = optionalText(fields, "StringValue") ?? "";
  if (value === "") throw invalid(name, `with type '${type}' must use a non-empty field 'StringValue'`);
  if (noXmlText.test(value)) throw invalid(name, "has a character in its value that XML 1.0 does not have");
  if (type.startsWith("Number") && !isNumber(value)) {
    throw invalidValue(`Can't cast the value of message attribute '${name}' to a number.`);
  }
  return value;
}

function binaryOf(name: string, fields: Fields): string {
  const value = optionalText(fields, "BinaryValue") ?? "";
  if (value === "") throw invalid(name, "with type 'Binary' must use a non-empty field 'BinaryValue'");
  if (Buffer.from(value, "base64").toString("base64") === value) return value;
  throw invalid(name, "has a BinaryValue that is not base64");
}

function checkName(name: string): void {
  const isGood = nameForm.test(name) && !/^\.|\.$|\.\./.test(name);
  if (isGood && !reservedName.test(name)) return;
  if (isGood) throw invalid(name, "begins with AWS. or Amazon., which are reserved");
  throw invalidValue(
    `Message attribute name '${name.slice(0, 300)}' is invalid. Reason: must have 1 to 256 of A-Z, a-z, 0-9, _, - and ., with no . at the start or end or beside another.`,
  );
}

function isNumber(value: string): boolean {
  if (!numberForm.test(value)) return false;
  const digits = (value.split(/e/i)[0] ?? "").replace(/[+\-.]/g, "").replace(/^0+/, "");
  return digits.length <= numberDigits && Number(value) >= numberMin && Number(value) <= numberMax;
}

function invalid(name: string, what: string) {
  return invalidValue(`The message attribute '${name}' ${what}.`);
}

/** Which of a message's attributes a receive asked for: `All` or `.*`, a name, or `<prefix>.*`. */
export function selectAttributes(
  attributes: Attributes | undefined,
  wanted: readonly string[],
): Attributes | undefined {
  if (attributes === undefined || wanted.length === 0) return undefined;
  if (wanted.includes("All") || wanted.includes(".*"))
    return Object.keys(attributes).length > 0 ? attributes : undefined;
  const chosen = Object.entries(attributes).filter(([name]) =>
    wanted.some((one) => one === name || (one.endsWith(".*") && name.startsWith(one.slice(0, -1)))),
  );
  return chosen.length > 0 ? Object.fromEntries(chosen) : undefined;
}

/** As JSON has them. */
export function toAttributesJson(attributes: Attributes): Fields {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, { type, value }]) => [
      name,
      isBinary(type) ? { DataType: type, BinaryValue: plainBase64(value) } : { DataType: type, StringValue: value },
    ]),
  );
}

function isBinary(type: string): boolean {
  return type === "Binary" || type.startsWith("Binary.");
}

/** Other doors take any text for a value of any type: clients fail at what is no base64. */
function plainBase64(value: string): string {
  return Buffer.from(value, "base64").toString("base64");
}
