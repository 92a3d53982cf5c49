import { cacheRoutes } from "./caches.ts";
import { connectionRoutes } from "./connections.ts";
import { environmentRoutes } from "./environments.ts";
import { handlerAttachmentRoutes } from "./handler-attachments.ts";
import { handlerRoutes } from "./handlers.ts";
import { healthRoutes } from "./health.ts";
import { keyRotationRoutes } from "./key-rotation.ts";
import { keyRoutes } from "./keys.ts";
import { notificationRoutes } from "./notifications.ts";
import { queueMessageRoutes } from "./queue-messages.ts";
import { queueRoutes } from "./queues.ts";
import { revocationRoutes } from "./revocations.ts";
import type { Routes } from "./routes.ts";
import { secretRoutes } from "./secrets.ts";
import { signingKeyRoutes } from "./signing-keys.ts";
import { ticketRoutes } from "./tickets.ts";
import { tokenRoutes } from "./tokens.ts";
import { topicRoutes } from "./topics.ts";
import { userRoutes } from "./users.ts";
import { webhookDeliveryRoutes } from "./webhook-deliveries.ts";
import { webhookRoutes } from "./webhooks.ts";

/** Everything that the HTTP door serves, and that the OpenAPI document describes. */
export const routes: Routes = {
  ...environmentRoutes,
  ...cacheRoutes,
  ...topicRoutes,
  ...queueRoutes,
  ...queueMessageRoutes,
  ...webhookRoutes,
  ...webhookDeliveryRoutes,
  ...handlerRoutes,
  ...handlerAttachmentRoutes,
  ...notificationRoutes,
  ...userRoutes,
  ...connectionRoutes,
  ...keyRotationRoutes,
  ...keyRoutes,
  ...tokenRoutes,
  ...revocationRoutes,
  ...signingKeyRoutes,
  ...secretRoutes,
  ...ticketRoutes,
  ...healthRoutes,
};
