import { Buffer } from "node:buffer";
import { z } from "zod";
import { TodokuError } from "../errors.ts";
import { eventsCache, isEventQueue } from "../names.ts";

/** Which caches, topics, keys, queues, routes or users a grant covers. Keys are bytes, written as base64url. */
export type Selector = { readonly all: true } | { readonly name: string } | { readonly prefix: string };

/** The wire form of selectors. */
export const selectorSchema = z
  .union([
    z.strictObject({ all: z.literal(true) }),
    z.strictObject({ name: z.string() }),
    z.strictObject({ prefix: z.string() }),
  ])
  .meta({ id: "Selector" });

/** @throws TodokuError `invalid_argument` that names `field`: it would select something else than it says. */
export function checkSelector(field: string, selector: Selector): void {
  if ("all" in selector) return;
  const text = "name" in selector ? selector.name : selector.prefix;
  if (text === "") {
    throw new TodokuError(
      "invalid_argument",
      `a ${field} selector must not be empty; for all of them write {"all":true}`,
    );
  }
  // It would match names that are refused elsewhere, or half a character.
  if (!text.isWellFormed()) throw new TodokuError("invalid_argument", `a ${field} selector is not well-formed Unicode`);
  // Buffer.from passes over what is no base64url: a key prefix of plain text would shrink to one that selects all keys.
  if (field === "key" && Buffer.from(text, "base64url").toString("base64url") !== text) {
    throw new TodokuError(
      "invalid_argument",
      `the key selector "${text}" must be base64url without padding: a key may be any bytes`,
    );
  }
}

/** Does `selected` cover `name`? */
export function selects(selected: Selector, name: string): boolean {
  if ("all" in selected) return true;
  return "name" in selected ? selected.name === name : name.startsWith(selected.prefix);
}

/**
 * The same for caches. The one that the server itself talks through has to be named: whoever may publish to "all topics of all caches" is not
 * meant to send notifications to everybody.
 */
export function selectsCache(selected: Selector, name: string): boolean {
  return name === eventsCache ? "name" in selected && selected.name === name : selects(selected, name);
}

/** The same for queues: whoever may send to `notifications` reaches every user. */
export function selectsQueue(selected: Selector, name: string): boolean {
  return isEventQueue(name) ? "name" in selected && selected.name === name : selects(selected, name);
}

/** The same for item keys: compared as bytes. */
export function selectsKey(selected: Selector, key: Uint8Array): boolean {
  if ("all" in selected) return true;
  const wanted = Buffer.from("name" in selected ? selected.name : selected.prefix, "base64url");
  return wanted.equals("name" in selected ? key : key.subarray(0, wanted.length));
}
