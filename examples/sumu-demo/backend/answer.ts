import { z } from "zod";
import type { Incoming } from "./incoming.ts";
import type { MayMessage } from "./may-message.ts";
import type { ClientFrame, NotificationRequest } from "./notification.ts";

/** What the rules ask others for. */
export interface Tools {
  readonly mayMessage: MayMessage;
  /** What the user is called; undefined when nobody has said. */
  nameOf(userId: string): string | undefined;
  /** Who is connected, and since when (milliseconds); `hasMore` when these are not all. */
  connectedUsers(): Promise<{ users: readonly { userId: string; sinceMs: number }[]; hasMore: boolean }>;
}

const textMaxLength = 150;
const usersMaxCount = 100;

const chatSchema = z.object({
  text: z
    .string()
    .refine((text) => text.trim() !== "", "The text is empty.")
    .refine((text) => text.length <= textMaxLength, `The text has more than ${textMaxLength} characters.`),
  push_mode: z.enum(["UNICAST", "MULTICAST", "BROADCAST"], "The push mode must be UNICAST, MULTICAST or BROADCAST."),
  users: z
    .array(z.string(), "The users must be a list of ids.")
    .max(usersMaxCount, `More than ${usersMaxCount} users are chosen.`)
    .nullish(),
});

const bodySchema = z.object({ type: z.string(), message: z.unknown() });
const presenceSchema = z.looseObject({ user_id: z.string(), status: z.enum(["ONLINE", "OFFLINE"]), seq: z.number() });

/** What is to be told to whom; undefined when nothing is. Throws when it has to be asked again. */
export async function answer(incoming: Incoming, tools: Tools): Promise<NotificationRequest | undefined> {
  const { userId, source } = incoming;
  const body = bodySchema.safeParse(incoming.body).data;
  if (body?.type === "presence" && source === "lambda.presence.watchdog") {
    const presence = presenceSchema.safeParse(body.message).data;
    if (!presence) return undefined;
    const message = { ...presence, ...named(userId, tools) };
    return { exclude_users: [userId], data: { type: "presence", message }, id: incoming.id };
  }
  if (!source.startsWith("apigw.route.")) return undefined;
  if (body?.type === "message") return answerChat(incoming, body.message, tools);
  if (body?.type === "get_connected_users") return answerConnectedUsers(incoming, tools);
  return refuse(incoming, "The type of the message must be message or get_connected_users.");
}

/** Who does not say clearly whom a message is for is refused: nothing falls back to everybody. */
async function answerChat(incoming: Incoming, content: unknown, tools: Tools): Promise<NotificationRequest> {
  const { id, userId, timestampMs } = incoming;
  const chat = chatSchema.safeParse(content);
  if (!chat.success) return refuse(incoming, chat.error.issues[0]?.message ?? "The message is not understood.");
  const { text, push_mode } = chat.data;
  const message = { text, user_id: userId, timestamp: timestampMs, push_mode, ...named(userId, tools) };
  const data: ClientFrame = { type: "message", message };
  // To all of the sender's own windows and devices.
  if (push_mode === "UNICAST") return { users: [userId], data, id };
  if (push_mode === "BROADCAST") return { exclude_users: [userId], data, id };
  const users = [...new Set(chat.data.users ?? [])].filter((to) => to !== userId && to !== "");
  if (users.length === 0) return refuse(incoming, "No other user is chosen.");
  const allowed = await Promise.all(users.map((to) => tools.mayMessage(userId, to)));
  if (allowed.includes(false)) return refuse(incoming, "You may not message all of these users.");
  return { users, data, id };
}

async function answerConnectedUsers(incoming: Incoming, tools: Tools): Promise<NotificationRequest> {
  const { id, userId } = incoming;
  const { users: all, hasMore } = await tools.connectedUsers();
  const others = all.filter((user) => user.userId !== userId);
  const people = others.map((user) => ({ user_id: user.userId, since: user.sinceMs, ...named(user.userId, tools) }));
  // `users` is what the article's clients read.
  const message = { users: others.map((user) => user.userId), people, has_more: hasMore };
  return { users: [userId], data: { type: "connected_users", message }, id };
}

function refuse({ id, userId }: Incoming, reason: string): NotificationRequest {
  return { users: [userId], data: { type: "refused", message: { reason } }, id };
}

function named(userId: string, { nameOf }: Tools): { name?: string } {
  const name = nameOf(userId);
  return name === undefined ? {} : { name };
}
