import { z } from "zod";
import { limits } from "../../domain/limits.ts";
import { operation } from "./operation.ts";
import type { Routes } from "./routes.ts";

const { usersMax, idMaxLength } = limits.notification;
// The greatest frame, of which JSON may write each byte with six, and user ids beside it.
const bodyMaxBytes = 2 * limits.http.jsonBodyMaxBytes;

const users = z.array(z.string().min(1).max(limits.userIdMaxLength)).max(usersMax).nullish();
/** As requests in the queue and the topic `notifications` are written. */
const notificationSchema = z
  .strictObject({
    users: users.meta({ description: "Who gets it. Missing, `null` or empty: everybody" }),
    exclude_users: users.meta({ description: "Who does not, when everybody else does" }),
    data: z.unknown().meta({ description: "Any JSON: the frame that the sockets get" }),
    id: z.string().min(1).max(idMaxLength).nullish().meta({
      description: "By which clients tell a repeat: put into `data`, an object, if that has no `id`",
    }),
  })
  .meta({ id: "Notification" });
const notifiedSchema = z
  .object({
    connections: z.int().meta({ description: "Those that took the frame" }),
    undelivered: z.int().meta({ description: "Those that did not: their client does not read" }),
    held: z.int().meta({ description: "Users who lost their last connection a moment ago, for whom it is held" }),
    offlineUsers: z.int().meta({ description: "Of the users named, those who are OFFLINE" }),
    id: z.string().optional(),
  })
  .meta({ id: "Notified" });

/** `/v1/notifications`. */
export const notificationRoutes: Routes = {
  "/v1/notifications": {
    POST: operation({
      id: "notify",
      tag: "notifications",
      summary: "Send a frame to all connections of users, or of everybody",
      description:
        "Answered once the frames were handed to the sockets, and once what is kept for users who are OFFLINE is durable. Nothing else is kept: " +
        "what must not be lost is sent to the queue `notifications`.",
      body: notificationSchema,
      bodyMaxBytes: () => bodyMaxBytes,
      answers: { 200: { description: "Whom it reached", schema: notifiedSchema } },
      async handle({ principal, body, context, parts }) {
        return context.json(await parts.notifier.notify(principal, body));
      },
    }),
  },
};
