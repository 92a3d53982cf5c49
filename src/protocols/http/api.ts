import { cacheRoutes } from "./caches.ts";
import { healthRoutes } from "./health.ts";
import { keyRoutes } from "./keys.ts";
import { queueMessageRoutes } from "./queue-messages.ts";
import { queueRoutes } from "./queues.ts";
import type { Routes } from "./routes.ts";
import { ticketRoutes } from "./tickets.ts";
import { tokenRoutes } from "./tokens.ts";
import { topicRoutes } from "./topics.ts";

/** Everything that the HTTP door serves, and that the OpenAPI document describes. */
export const routes: Routes = {
  ...cacheRoutes,
  ...topicRoutes,
  ...queueRoutes,
  ...queueMessageRoutes,
  ...keyRoutes,
  ...tokenRoutes,
  ...ticketRoutes,
  ...healthRoutes,
};
