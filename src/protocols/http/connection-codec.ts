import { z } from "zod";
import type { Connection, EndAdvice } from "../../domain/connections/connection.ts";
import type { KickTarget } from "../../domain/connections/connections.ts";
import { limits } from "../../domain/limits.ts";

const { pageMax } = limits.connection;
const epochMs = z.number().meta({ description: "Epoch milliseconds" });

/** A page of a list. */
export const pageQuery = {
  cursor: z.string().optional().meta({ description: "Of the answer before" }),
  limit: z.coerce.number<string>().int().min(1).max(pageMax).default(100).meta({ description: "How many at most" }),
};
/** Stands in an answer when there is more. */
export const cursorSchema = z.string().optional().meta({ description: "Of the next page; missing: there is none" });

/** A user in a path. */
export const userParameter = z.string().meta({
  ...{ description: "The user's id: `sub` of its token", minLength: 1, maxLength: limits.userIdMaxLength },
});

export const connectionSchema = z
  .object({
    connectionId: z.string(),
    userId: z.string().optional().meta({ description: "Missing: nobody has signed in" }),
    tokenId: z.string().optional(),
    connectedAtMs: epochMs,
    lastActiveAtMs: epochMs,
    expiresAtMs: epochMs.optional().meta({ description: "When its credential ends; epoch milliseconds" }),
    path: z.string(),
    address: z.string(),
    userAgent: z.string(),
  })
  .meta({ id: "Connection" });

const advice = {
  reconnect: z.boolean().default(true).meta({ description: "May the client come back?" }),
  afterMs: z.int().min(0).max(limits.connection.afterMaxMs).optional().meta({ description: "When, if it may" }),
  reason: z.string().min(1).max(limits.connection.reasonMaxLength).default("kicked").meta({
    description: "The client is told",
  }),
};
/** The body that ends connections. */
export const kickSchema = z
  .union([
    z.strictObject({ connectionId: z.string(), ...advice }),
    z.strictObject({ userId: z.string().meta({ description: "All connections of the user" }), ...advice }),
    z.strictObject({
      tokenId: z.string().min(1).meta({ description: "All that came with a token with this token id" }),
      ...advice,
    }),
    z.strictObject({ everyone: z.literal(true).meta({ description: "All of the environment" }), ...advice }),
  ])
  .meta({ id: "Kick" });

export function toKick(body: z.output<typeof kickSchema>): { readonly what: KickTarget; readonly advice: EndAdvice } {
  const { reconnect, afterMs, reason, ...what } = body;
  return { what, advice: { reconnect, afterMs, reason } };
}

export function toConnectionJson(connection: Connection): z.output<typeof connectionSchema> {
  const { id, userId, principal, connectedAtMs, path, address, userAgent, outlet } = connection;
  return {
    connectionId: id,
    ...(userId === undefined ? {} : { userId }),
    ...(principal.tokenId === "" ? {} : { tokenId: principal.tokenId }),
    ...{ connectedAtMs, lastActiveAtMs: outlet.lastActiveAtMs },
    ...(principal.expiresAtMs === undefined ? {} : { expiresAtMs: principal.expiresAtMs }),
    ...{ path, address, userAgent },
  };
}
