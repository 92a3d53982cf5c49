import { z } from "zod";
import { connectionNotFound } from "../../domain/connections/listing.ts";
import { connectionSchema, cursorSchema, kickSchema, pageQuery, toConnectionJson, toKick } from "./connection-codec.ts";
import { operation } from "./operation.ts";
import type { Routes } from "./routes.ts";

const path = z.object({ connection: z.string().meta({ description: "The connection's id" }) });

/** `/v1/connections`. */
export const connectionRoutes: Routes = {
  "/v1/connections": {
    GET: operation({
      id: "listConnections",
      tag: "connections",
      summary: "List the open WebSockets that the credential may see, first come first",
      query: z.object(pageQuery),
      answers: {
        200: {
          description: "A page of them",
          schema: z.object({ connections: z.array(connectionSchema), cursor: cursorSchema }),
        },
      },
      handle({ principal, query: { cursor: after, limit }, context, parts }) {
        const { connections, cursor } = parts.connections.list(principal, { after, limit });
        return context.json({ connections: connections.map(toConnectionJson), cursor });
      },
    }),
  },
  "/v1/connections/kick": {
    POST: operation({
      id: "kickConnections",
      tag: "connections",
      summary: "End connections, and tell their clients whether to come back",
      description: "To keep somebody out, revoke the token too: who may reconnect does.",
      body: kickSchema,
      answers: { 200: { description: "How many were ended", schema: z.object({ kicked: z.int() }) } },
      handle({ principal, body, context, parts }) {
        const { what, advice } = toKick(body);
        return context.json({ kicked: parts.connections.kick(principal, what, advice) });
      },
    }),
  },
  "/v1/connections/:connection": {
    DELETE: operation({
      id: "deleteConnection",
      tag: "connections",
      summary: "End a connection; its client may come back",
      path,
      answers: { 204: { description: "It is being closed" } },
      handle({ principal, path: { connection: connectionId }, context, parts }) {
        const advice = { reason: "kicked", reconnect: true };
        if (parts.connections.kick(principal, { connectionId }, advice) === 0) {
          throw connectionNotFound(connectionId);
        }
        return context.body(null, 204);
      },
    }),
  },
};
