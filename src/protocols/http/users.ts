import { z } from "zod";
import { authorize, isAllowed } from "../../domain/auth/authorize.ts";
import { connectionSchema, cursorSchema, pageQuery, toConnectionJson, userParameter } from "./connection-codec.ts";
import { operation } from "./operation.ts";
import type { Routes } from "./routes.ts";

const path = z.object({ user: userParameter });
const connectedUserSchema = z
  .object({
    userId: z.string(),
    connections: z.int().meta({ description: "0: the last one was lost a moment ago" }),
    onlineSinceMs: z.number().meta({ description: "Epoch milliseconds" }),
  })
  .meta({ id: "ConnectedUser" });
const presenceSchema = z
  .object({
    userId: z.string(),
    status: z.enum(["ONLINE", "OFFLINE"]),
    seq: z.int().meta({ description: "Grows with each change that was announced; 0: none was, or that is long ago" }),
    atMs: z.number().optional().meta({ description: "Since when; epoch milliseconds" }),
  })
  .meta({ id: "Presence" });

/** `/v1/users`: of them the server knows who is connected, and nothing else. */
export const userRoutes: Routes = {
  "/v1/users": {
    GET: operation({
      id: "listUsers",
      tag: "connections",
      summary: "List the users who are ONLINE whom the credential may see, first come first",
      query: z.object({
        connected: z.literal("true", 'must be "true": who is not connected is not known').meta({
          description: "Only such are known",
        }),
        ...pageQuery,
      }),
      answers: {
        200: {
          description: "A page of them",
          schema: z.object({ users: z.array(connectedUserSchema), cursor: cursorSchema }),
        },
      },
      handle({ principal, query: { cursor: after, limit }, context, parts }) {
        return context.json(parts.connections.listUsers(principal, { after, limit }));
      },
    }),
  },
  "/v1/users/:user": {
    GET: operation({
      id: "getPresence",
      tag: "connections",
      summary: "Is a user ONLINE?",
      description: "As it was announced last. Of somebody who was never seen: OFFLINE.",
      path,
      answers: { 200: { description: "What is known", schema: presenceSchema } },
      handle({ principal, path: { user: userId }, context, parts }) {
        // Who may see the connections sees more than that.
        if (!isAllowed(principal, "connection.read", "", userId)) authorize(principal, "presence.watch", "", userId);
        const { status, seq, atMs } = parts.presence.of(principal.environment, userId) ?? { status: "OFFLINE", seq: 0 };
        return context.json({ userId, status, seq, atMs });
      },
    }),
  },
  "/v1/users/:user/connections": {
    GET: operation({
      id: "listConnectionsOfUser",
      tag: "connections",
      summary: "List the open WebSockets of a user, first come first",
      path,
      answers: {
        200: { description: "The connections", schema: z.object({ connections: z.array(connectionSchema) }) },
      },
      handle({ principal, path: { user }, context, parts }) {
        return context.json({ connections: parts.connections.listOf(principal, user).map(toConnectionJson) });
      },
    }),
  },
};
