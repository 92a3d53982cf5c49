import { readList, readTexts } from "../form.ts";
import { invalidValue } from "./errors.ts";
import type { Fields } from "./fields.ts";

/** Fields that JSON has as numbers. */
const integers = new Set([
  ...["DelaySeconds", "VisibilityTimeout", "WaitTimeSeconds", "MaxNumberOfMessages", "MaxResults"],
  "MaxNumberOfMessagesPerSecond",
]);

type Reader = readonly [field: string, read: (form: URLSearchParams, name: string) => unknown];

/** Lists and maps of the form, by the name that their fields begin with: which field of JSON each is. Both spellings are in use. */
const readers: Readonly<Record<string, Reader>> = {
  AttributeName: ["AttributeNames", readTexts],
  AttributeNames: ["AttributeNames", readTexts],
  MessageAttributeName: ["MessageAttributeNames", readTexts],
  MessageAttributeNames: ["MessageAttributeNames", readTexts],
  MessageSystemAttributeName: ["MessageSystemAttributeNames", readTexts],
  MessageSystemAttributeNames: ["MessageSystemAttributeNames", readTexts],
  TagKey: ["TagKeys", readTexts],
  TagKeys: ["TagKeys", readTexts],
  Attribute: ["Attributes", readPairs("Name")],
  Attributes: ["Attributes", readPairs("Name")],
  Tag: ["Tags", readPairs("Key")],
  Tags: ["Tags", readPairs("Key")],
  MessageAttribute: ["MessageAttributes", readMessageAttributes],
  MessageAttributes: ["MessageAttributes", readMessageAttributes],
  MessageSystemAttribute: ["MessageSystemAttributes", readMessageAttributes],
  MessageSystemAttributes: ["MessageSystemAttributes", readMessageAttributes],
  SendMessageBatchRequestEntry: ["Entries", readEntries],
  DeleteMessageBatchRequestEntry: ["Entries", readEntries],
  ChangeMessageVisibilityBatchRequestEntry: ["Entries", readEntries],
};

/** A form as the JSON that says the same. Without a QueueUrl the path of the request is one. @throws AwsError InvalidParameterValue. */
export function toInput(form: URLSearchParams, rawPath: string): Fields {
  const input = readFields(form);
  return input.QueueUrl === undefined && rawPath !== "/" ? { ...input, QueueUrl: rawPath } : input;
}

function readFields(form: URLSearchParams): Fields {
  const fields: Record<string, unknown> = {};
  const lists = new Set<string>();
  for (const [name, value] of form) {
    const dot = name.indexOf(".");
    if (dot !== -1) lists.add(name.slice(0, dot));
    else if (!Object.hasOwn(fields, name)) fields[name] = integers.has(name) ? toInteger(name, value) : value;
  }
  for (const name of lists) {
    const [field, read] = Object.hasOwn(readers, name) ? (readers[name] as Reader) : [];
    if (field !== undefined && read !== undefined) fields[field] = read(form, name);
  }
  return fields;
}

function toInteger(name: string, value: string): number {
  if (/^-?\d{1,15}$/.test(value)) return Number(value);
  throw invalidValue(`Value ${value.slice(0, 50)} for parameter ${name} is invalid. Reason: Must be a whole number.`);
}

function readEntries(form: URLSearchParams, name: string): readonly Fields[] {
  return readList(form, name).map(readFields);
}

function readPairs(keyField: string) {
  return (form: URLSearchParams, name: string) =>
    toMap(
      name,
      readList(form, name).map((member) => [member.get(keyField) ?? "", member.get("Value") ?? ""]),
    );
}

function readMessageAttributes(form: URLSearchParams, name: string) {
  return toMap(
    name,
    readList(form, name).map((member) => [
      member.get("Name") ?? "",
      {
        DataType: member.get("Value.DataType") ?? undefined,
        StringValue: member.get("Value.StringValue") ?? undefined,
        BinaryValue: member.get("Value.BinaryValue") ?? undefined,
      },
    ]),
  );
}

function toMap<T>(name: string, entries: readonly (readonly [string, T])[]): Readonly<Record<string, T>> {
  const names = new Set<string>();
  for (const [key] of entries) {
    if (names.has(key)) throw invalidValue(`The name '${key.slice(0, 100)}' stands in ${name} twice.`);
    names.add(key);
  }
  return Object.fromEntries(entries);
}
