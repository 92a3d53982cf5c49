import type { XmlElements, XmlValue } from "../xml.ts";
import type { Fields } from "./fields.ts";

/** How the fields that are lists or maps in JSON are called in XML; of batches it depends on the action. */
const elements: Readonly<Record<string, string>> = {
  QueueUrls: "QueueUrl",
  queueUrls: "QueueUrl",
  Attributes: "Attribute",
  MessageAttributes: "MessageAttribute",
  Messages: "Message",
  Tags: "Tag",
  Failed: "BatchResultErrorEntry",
  Results: "ListMessageMoveTasksResultEntry",
};

/** Maps, by the name of their keys. */
const mapKeys: Readonly<Record<string, string>> = { Attributes: "Name", MessageAttributes: "Name", Tags: "Key" };

/** What JSON would say, as the XML of the query protocol has it: lists are repeated elements without one around them. */
export function toElements(action: string, output: Fields): XmlElements {
  return Object.fromEntries(
    Object.entries(output).map(([name, value]) => {
      const element = name === "Successful" ? `${action}ResultEntry` : (elements[name] ?? name);
      return [element, toValue(action, mapKeys[name], value)];
    }),
  );
}

function toValue(action: string, keyName: string | undefined, value: unknown): XmlValue {
  if (Array.isArray(value)) return value.map((one) => toValue(action, undefined, one));
  if (typeof value !== "object" || value === null) return value as XmlValue;
  if (keyName === undefined) return toElements(action, value as Fields);
  return Object.entries(value).map(([key, one]) => ({ [keyName]: key, Value: toValue(action, undefined, one) }));
}
