import { createHmac } from "node:crypto";
import type { Task } from "../shared/task.ts";

/**
 * What the receipt service (it stands for any third party) accepts as proof that this user's task was done: HMAC-SHA256 with the key that
 * it gave us, in base64url. All stages of a company may have one such key, so it is a shared secret of one of them.
 */
export function receiptFor({ userId, taskId }: Pick<Task, "userId" | "taskId">, key: string): string {
  return createHmac("sha256", key)
    .update(JSON.stringify([userId, taskId]))
    .digest("base64url");
}
