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

/** Of a list that was looked at before: 150 alternatives ask the same one of an item, which may have 100,000 values. */
const literalsOfLists = new WeakMap<readonly unknown[], readonly Literal[]>();

/** The values at a place, those of lists one by one; undefined when there is none: an object is no value. */
export function literalsAt(value: unknown): readonly Literal[] | undefined {
  if (isLiteral(value)) return [value];
  if (!Array.isArray(value)) return undefined;
  let literals = literalsOfLists.get(value);
  if (!literals) {
    literals = elementsOf(value).filter(isLiteral);
    literalsOfLists.set(value, literals);
  }
  return literals;
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

/** Not a number like 1e999: JSON reads it as infinite and writes it as null, so what keeps a filter would keep another one. */
export function isLiteral(value: unknown): value is Literal {
  return value === null || typeof value === "string" || typeof value === "boolean" || Number.isFinite(value);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // it matches nothing
  }
}
