import { z } from "zod";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { checkSelector, type Selector, selectorSchema } from "./selector.ts";

/** What a disposable token may carry: one permitted kind of action on one kind of resource. */
export type TokenGrant =
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
    }
  | {
      readonly resource: "queue";
      readonly role: "send-receive" | "send" | "receive";
      readonly queue: Selector;
    }
  /** What a client of the gateway may have done in its name: its routes `publish`, `send`, and those that the operator adds. */
  | { readonly resource: "route"; readonly role: "invoke"; readonly route: Selector }
  /** Whether users are there. */
  | { readonly resource: "presence"; readonly role: "watch"; readonly user: Selector };

/**
 * What an API key may carry: a {@link TokenGrant}, secrets, webhooks, notifications to users, their connections, or to issue tokens of which each
 * grant is covered by one of `grants`.
 * What no grant permits is denied.
 */
export type Grant =
  | TokenGrant
  | { readonly resource: "secret"; readonly role: "read" | "write" | "read-write"; readonly secret: Selector }
  | {
      readonly resource: "webhook";
      readonly role: "read" | "read-write";
      readonly cache: Selector;
      readonly webhook: Selector;
    }
  /** To anybody, and to everybody at once. */
  | { readonly resource: "notification"; readonly role: "send" }
  | { readonly resource: "connection"; readonly role: "read" | "send" | "read-write"; readonly user: Selector }
  /** To call functions directly. */
  | { readonly resource: "handler"; readonly role: "invoke"; readonly handler: Selector }
  | { readonly resource: "token"; readonly role: "issue"; readonly grants: readonly TokenGrant[] };

const tokenGrants = [
  z.strictObject({
    resource: z.literal("topic"),
    role: z.enum(["publish-subscribe", "publish", "subscribe"]),
    cache: selectorSchema,
    topic: selectorSchema,
  }),
  z.strictObject({
    resource: z.literal("cache"),
    role: z.enum(["read-write", "read", "write"]),
    cache: selectorSchema,
    key: selectorSchema,
  }),
  z.strictObject({
    resource: z.literal("queue"),
    role: z.enum(["send-receive", "send", "receive"]),
    queue: selectorSchema,
  }),
  z.strictObject({ resource: z.literal("route"), role: z.literal("invoke"), route: selectorSchema }),
  z.strictObject({ resource: z.literal("presence"), role: z.literal("watch"), user: selectorSchema }),
] as const;

/** Zod's own words for an unknown resource name none. */
const resources = (known: string) => (issue: z.core.$ZodRawIssue) =>
  issue.code === "invalid_union" ? `must be ${known}` : undefined;

/** The wire form of what a token carries; `key` selectors are base64url. */
export const tokenGrantSchema: z.ZodType<TokenGrant> = z
  .discriminatedUnion("resource", tokenGrants, { error: resources('"topic", "cache", "queue", "route" or "presence"') })
  .meta({ id: "TokenGrant" });

/** The wire form of what an API key carries. */
export const grantSchema: z.ZodType<Grant> = z
  .discriminatedUnion(
    "resource",
    [
      ...tokenGrants,
      z.strictObject({
        resource: z.literal("secret"),
        role: z.enum(["read", "write", "read-write"]),
        secret: selectorSchema,
      }),
      z.strictObject({
        resource: z.literal("webhook"),
        role: z.enum(["read", "read-write"]),
        cache: selectorSchema,
        webhook: selectorSchema,
      }),
      z.strictObject({ resource: z.literal("notification"), role: z.literal("send") }),
      z.strictObject({
        resource: z.literal("connection"),
        role: z.enum(["read", "send", "read-write"]),
        user: selectorSchema,
      }),
      z.strictObject({ resource: z.literal("handler"), role: z.literal("invoke"), handler: selectorSchema }),
      z.strictObject({ resource: z.literal("token"), role: z.literal("issue"), grants: z.array(tokenGrantSchema) }),
    ],
    {
      error: resources(
        '"topic", "cache", "queue", "route", "presence", "secret", "webhook", "notification", "connection", "handler" or "token"',
      ),
    },
  )
  .meta({ id: "Grant" });

/**
 * Checks the grants of a token or key to be made (Momento reference 3.3).
 * @throws TodokuError `invalid_argument`: none, more than `limits.tokenMaxGrants` (those within a token grant count too), two that
 * differ only in role, or a selector that would select something else than it says: an empty name or prefix, or a key that is no base64url.
 */
export function checkGrants(grants: readonly Grant[]): void {
  const count = countGrants(grants);
  if (count > limits.tokenMaxGrants) {
    throw new TodokuError("invalid_argument", `${count} permissions must be <= ${limits.tokenMaxGrants}`);
  }
  checkList(grants);
}

function countGrants(grants: readonly Grant[]): number {
  return grants.reduce((sum, grant) => sum + 1 + (grant.resource === "token" ? grant.grants.length : 0), 0);
}

function checkList(grants: readonly Grant[]): void {
  if (grants.length === 0) throw new TodokuError("invalid_argument", "permissions must not be empty");
  const seen = new Set<string>();
  for (const grant of grants) {
    if (grant.resource === "token") checkList(grant.grants);
    const selectors = selectorsOf(grant);
    for (const [field, selector] of Object.entries(selectors)) checkSelector(field, selector);
    const text = JSON.stringify([grant.resource, selectors]);
    if (seen.has(text)) {
      throw new TodokuError(
        "invalid_argument",
        grant.resource === "token"
          ? "two permissions to issue tokens: write all their grants into one"
          : `two permissions for the same ${grant.resource} selector differ only in role`,
      );
    }
    seen.add(text);
  }
}

/** The selectors of a grant by field, in one order. */
function selectorsOf(grant: Grant): Readonly<Record<string, Selector>> {
  switch (grant.resource) {
    case "topic":
      return { cache: grant.cache, topic: grant.topic };
    case "cache":
      return { cache: grant.cache, key: grant.key };
    case "queue":
      return { queue: grant.queue };
    case "secret":
      return { secret: grant.secret };
    case "webhook":
      return { cache: grant.cache, webhook: grant.webhook };
    case "route":
      return { route: grant.route };
    case "presence":
    case "connection":
      return { user: grant.user };
    case "handler":
      return { handler: grant.handler };
    case "notification":
    case "token":
      return {};
  }
}
