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
 * @throws TodokuError `invalid_argument`: none, more than `limits.tokenMaxGrants`, or two that differ only in role.
 */
export function checkGrants(grants: readonly Grant[]): void {
  if (grants.length === 0) throw new TodokuError("invalid_argument", "permissions must not be empty");
  if (grants.length > limits.tokenMaxGrants) {
    throw new TodokuError("invalid_argument", `${grants.length} permissions must be <= ${limits.tokenMaxGrants}`);
  }
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
