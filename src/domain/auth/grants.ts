import { Buffer } from "node:buffer";
import { z } from "zod";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";

/** Which caches, topics or keys a grant covers. Keys are bytes, written as base64url. */
export type Selector = { readonly all: true } | { readonly name: string } | { readonly prefix: string };

/** One permitted kind of action on one kind of resource. What no grant permits is denied. */
export type Grant =
  | {
      readonly resource: "topic";
      readonly role: "publish-subscribe" | "publish" | "subscribe";
      readonly cache: Selector;
      readonly topic: Selector;
    }
  | {
      readonly resource: "cache";
      readonly role: "read-write" | "read" | "write";
      readonly cache: Selector;
      readonly key: Selector;
    };

const selector = z.union([
  z.strictObject({ all: z.literal(true) }),
  z.strictObject({ name: z.string() }),
  z.strictObject({ prefix: z.string() }),
]);

/** The wire and token form of grants; `key` selectors are base64url. */
export const grantSchema: z.ZodType<Grant> = z.union([
  z.strictObject({
    resource: z.literal("topic"),
    role: z.enum(["publish-subscribe", "publish", "subscribe"]),
    cache: selector,
    topic: selector,
  }),
  z.strictObject({
    resource: z.literal("cache"),
    role: z.enum(["read-write", "read", "write"]),
    cache: selector,
    key: selector,
  }),
]);

/**
 * Checks the grants of a token to be made (Momento reference 3.3).
 * @throws TodokuError `invalid_argument`: none, more than `limits.tokenMaxGrants`, two that differ only in role, or a selector
 * that would select something else than it says: an empty name or prefix, or a key that is no base64url.
 */
export function checkGrants(grants: readonly Grant[]): void {
  if (grants.length === 0) throw new TodokuError("invalid_argument", "permissions must not be empty");
  if (grants.length > limits.tokenMaxGrants) {
    throw new TodokuError("invalid_argument", `${grants.length} permissions must be <= ${limits.tokenMaxGrants}`);
  }
  for (const grant of grants) checkSelectors(grant);
  const seen = new Set<string>();
  for (const { role: _, ...target } of grants) {
    const text = JSON.stringify(target);
    if (seen.has(text)) {
      throw new TodokuError(
        "invalid_argument",
        `two permissions for the same ${target.resource} selector differ only in role`,
      );
    }
    seen.add(text);
  }
}

function checkSelectors(grant: Grant): void {
  const selectors = {
    cache: grant.cache,
    ...(grant.resource === "topic" ? { topic: grant.topic } : { key: grant.key }),
  };
  for (const [field, selector] of Object.entries(selectors)) {
    if ("all" in selector) continue;
    const text = "name" in selector ? selector.name : selector.prefix;
    if (text === "") {
      throw new TodokuError(
        "invalid_argument",
        `a ${field} selector must not be empty; for all of them write {"all":true}`,
      );
    }
    // Buffer.from passes over what is no base64url: a key prefix of plain text would shrink to one that selects all keys.
    if (field === "key" && Buffer.from(text, "base64url").toString("base64url") !== text) {
      throw new TodokuError("invalid_argument", "a key selector must be base64url without padding");
    }
  }
}

/** Does `selected` cover `name`? */
export function selects(selected: Selector, name: string): boolean {
  if ("all" in selected) return true;
  return "name" in selected ? selected.name === name : name.startsWith(selected.prefix);
}

/** The same for item keys: compared as bytes. */
export function selectsKey(selected: Selector, key: Uint8Array): boolean {
  if ("all" in selected) return true;
  const wanted = Buffer.from("name" in selected ? selected.name : selected.prefix, "base64url");
  return wanted.equals("name" in selected ? key : key.subarray(0, wanted.length));
}
