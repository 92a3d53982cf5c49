import { type Context, Hono } from "hono";
import type { Logger } from "pino";
import { BodyTooLarge, readBody } from "../../course-comments/receiver/body.ts";
import { verifyWithKept } from "../../course-comments/receiver/signing-secret.ts";
import { DeliveryRefused } from "../../course-comments/receiver/verify.ts";
import { ApiError } from "../../task-notifications/api/api-error.ts";
import { Authorizer } from "../../task-notifications/api/authorizer.ts";
import { type ApiEnvironment, commonHeaders, logRequests } from "../../task-notifications/api/headers.ts";
import { Issuer } from "../../task-notifications/api/issuer.ts";
import { servePage } from "../../task-notifications/api/page.ts";
import { RateLimit } from "../../task-notifications/api/rate-limit.ts";
import type { KeptText } from "../../task-notifications/shared/kept-text.ts";
import type { DisplayNames } from "./display-names.ts";
import type { PageSettings } from "./page-settings.ts";

export interface RouteOptions {
  readonly page: PageSettings;
  readonly pageDirectory: string;
  /** What the webhook signs with. */
  readonly signingSecret: KeptText;
  readonly displayNames: DisplayNames;
  /** Handles a message of the topic. Throws when it has to be delivered again. */
  take(id: string, text: string | undefined, attributes: unknown): Promise<void>;
  readonly log: Logger;
}

/** One call for each connection that a page opens. */
const rate = { burst: 60, perMinute: 60 };

/** `POST /webhooks/messages` for Todoku, `POST /name` for the page, and the page itself. */
export function createRoutes(options: RouteOptions): Hono<ApiEnvironment> {
  const { page, log } = options;
  const issuer = new Issuer(page.issuer);
  const authorizer = new Authorizer(issuer, page.clientId, log);
  const rateLimit = new RateLimit(rate);
  const app = new Hono<ApiEnvironment>();
  app.use(logRequests(log), commonHeaders([]));
  app.post("/webhooks/messages", receiveDelivery(options));
  app.post("/name", async (context) => {
    const user = await authorizer.authorize(context.req.header("authorization"));
    rateLimit.take(user.sub);
    options.displayNames.set(user.sub, user.name ?? "");
    return context.body(null, 204);
  });
  app.get("/config.json", (context) => context.json(page));
  app.get("*", servePage({ directory: options.pageDirectory, connectOrigins: () => connectOrigins(page, issuer) }));
  app.onError((error, context) => {
    if (error instanceof ApiError) return context.json({ message: error.message }, error.status, error.headers);
    log.error({ requestId: context.get("requestId"), err: error }, "a request failed");
    return context.json({ message: "Internal server error" }, 500);
  });
  return app;
}

function receiveDelivery({ signingSecret, take, log }: RouteOptions) {
  return async (context: Context<ApiEnvironment>) => {
    const { path } = context.req;
    try {
      const body = await readBody(context.req.raw);
      const { webhookId, isTest, payload } = await verifyWithKept(signingSecret, context.req.raw.headers, body);
      if (!isTest) await take(webhookId, payload.text, payload.attributes);
      return context.body(null, 204);
    } catch (error) {
      if (error instanceof BodyTooLarge) return context.json({ message: error.message }, 413);
      if (error instanceof DeliveryRefused) {
        log.warn({ path, reason: error.message }, "a delivery is refused");
        return context.json({ message: error.message }, 401);
      }
      // Whatever it is that does not work, Todoku delivers again: 1, 2, 4 ... 60 s from now.
      log.warn({ path, err: error }, "a delivery has to come again");
      return context.json({ message: "Not now; deliver it again" }, 503);
    }
  };
}

async function connectOrigins({ gatewayUrl, firebase }: PageSettings, issuer: Issuer): Promise<readonly string[]> {
  const gateway = new URL(gatewayUrl).origin;
  if (firebase) return [gateway, "https://*.googleapis.com", `https://${firebase.authDomain}`];
  // Some providers have their endpoints elsewhere; while ours cannot be asked, nobody can sign in anyway.
  const { origins } = await issuer.discover().catch(() => ({ origins: [new URL(issuer.url).origin] }));
  return [gateway, ...origins];
}
