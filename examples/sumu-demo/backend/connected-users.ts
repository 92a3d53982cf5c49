import { z } from "zod";
import type { Todoku } from "../../task-notifications/shared/todoku.ts";
import type { Tools } from "./answer.ts";

/** A menu of more people than this helps nobody, and the frame stays far below its 128 KiB. */
const usersMaxCount = 200;

const pageSchema = z.object({
  users: z.array(z.object({ userId: z.string(), onlineSinceMs: z.number() })),
  cursor: z.string().nullish(),
});

/** Who is connected, as Todoku knows it. @throws what `Todoku.call` throws. */
export function connectedUsers(todoku: Todoku): Tools["connectedUsers"] {
  return async () => {
    const path = `/v1/users?connected=true&limit=${usersMaxCount}`;
    const { users, cursor } = await todoku.call("GET", path, undefined, pageSchema);
    return {
      users: users.map(({ userId, onlineSinceMs }) => ({ userId, sinceMs: onlineSinceMs })),
      hasMore: typeof cursor === "string",
    };
  };
}
