import { anyAnswer, type Todoku } from "../../task-notifications/shared/todoku.ts";
import { names } from "../shared/names.ts";
import type { NotificationRequest } from "./notification.ts";

/** Hands a request to Todoku. The same `id` within five minutes is the same request. @throws what `Todoku.call` throws. */
export type Channel = (request: NotificationRequest) => Promise<void>;

/** The answer goes where the message came from: what came by the topic is answered by the topic, what came by the queue by the queue. */
export function channels(todoku: Todoku): { readonly topic: Channel; readonly queue: Channel } {
  return {
    async topic(request) {
      const message = { text: JSON.stringify(request), messageId: request.id };
      await todoku.call("POST", `/v1/topics/${names.notificationsTopic}`, message, anyAnswer);
    },
    async queue(request) {
      const message = { body: JSON.stringify(request), messageId: request.id };
      await todoku.call("POST", `/v1/queues/${names.notificationsQueue}/send`, message, anyAnswer);
    },
  };
}
