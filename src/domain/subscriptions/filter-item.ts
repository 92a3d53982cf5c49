import { Buffer } from "node:buffer";
import type { Attributes } from "../attributes.ts";
import type { TopicValue } from "../topics/store.ts";

/** What conditions are asked of. */
export type Literal = string | number | boolean | null;

/** Attributes as if they were the text of an item: a number for `Number`, a list for `String.Array`; `Binary` is left out, as SNS does. */
export function attributeValues(attributes: Attributes = {}): object {
  const values = Object.entries(attributes).map(([name, { type, value }]) => [name, attributeValue(type, value)]);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

function attributeValue(type: string, value: string): unknown {
  if (type === "String.Array") return listOf(value);
  const [kind] = type.split(".", 1);
  if (kind === "Binary") return undefined;
  if (kind !== "Number") return value;
  const number = value.trim() === "" ? Number.NaN : Number(value);
  return Number.isFinite(number) ? number : undefined;
}

function listOf(text: string): unknown[] | undefined {
  const parsed = parse(text);
  return Array.isArray(parsed) ? parsed : undefined;
}

/** The object that an item's text is; undefined when it is none. */
export function bodyValues({ isText, bytes }: TopicValue): object | undefined {
  if (!isText) return undefined;
  const parsed = parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8"));
  return typeof parsed === "object" && parsed !== null ? parsed : undefined;
}

/** The values at a place, those of lists one by one; undefined when there is none: an object is no value. */
export function literalsAt(value: unknown): readonly Literal[] | undefined {
  if (isLiteral(value)) return [value];
  return Array.isArray(value) ? elementsOf(value).filter(isLiteral) : undefined;
}

/** Elements of lists in lists too: without recursion, for a text may be 100,000 levels deep. */
export function elementsOf(list: readonly unknown[]): readonly unknown[] {
  if (!list.some(Array.isArray)) return list;
  const elements: unknown[] = [];
  const waiting: unknown[] = [list];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (!Array.isArray(next)) elements.push(next);
    else for (const element of next) waiting.push(element);
  }
  return elements;
}

export function isLiteral(value: unknown): value is Literal {
  return value === null || ["string", "number", "boolean"].includes(typeof value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // it matches nothing
  }
}
