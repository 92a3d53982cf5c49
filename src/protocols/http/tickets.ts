import { z } from "zod";
import { operation } from "./operation.ts";
import type { Routes } from "./routes.ts";

const bodyMaxBytes = 16 * 1024;

const issueSchema = z
  .strictObject({
    method: z.literal("GET"),
    path: z.string().meta({
      description: "Begins with /v1/, percent-encoded, without a query; or the path of a WebSocket, like /push",
    }),
  })
  .meta({ id: "NewTicket" });
const issuedSchema = z.object({
  ticket: z.string(),
  expiresAtMs: z.number().meta({ description: "Epoch milliseconds" }),
});

/** `/v1/tickets`. */
export const ticketRoutes: Routes = {
  "/v1/tickets": {
    POST: operation({
      id: "issueTicket",
      tag: "tickets",
      summary: "Issue a ticket for one request that cannot send a header",
      description:
        "It is the query parameter `ticket` of that request, instead of the header `Authorization`: once, within 30 seconds, with " +
        "exactly this method and path. What the request may do, and for how long, is what this one's credential may.",
      body: issueSchema,
      bodyMaxBytes: () => bodyMaxBytes,
      answers: { 201: { description: "The ticket", schema: issuedSchema } },
      handle: ({ principal, body: { method, path }, context, parts }) =>
        context.json(parts.tickets.issue(principal, method, path), 201),
    }),
  },
};
