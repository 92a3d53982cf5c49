import type { HttpOptions } from "./options.ts";
import type { Routes } from "./routes.ts";

type HealthOptions = Pick<HttpOptions, "health" | "isReady" | "isDraining" | "metrics" | "version">;

/** What needs no credential: `/`, `/health/*` and `/metrics`. */
export function healthRoutes(options: HealthOptions): Routes {
  return {
    "/": { GET: (context) => context.text(frontPage(options.version)) },
    "/health/live": { GET: (context) => context.json({ status: "live" }) },
    "/health/ready": {
      GET(context) {
        const { status, reason } = options.health();
        const readiness = readinessOf(options);
        return context.json(
          { status: readiness, engine: { status, reason: reason ?? null } },
          readiness === "ready" ? 200 : 503,
        );
      },
    },
    "/metrics": {
      async GET(context) {
        const { contentType, text } = await options.metrics();
        return context.body(text, 200, { "content-type": contentType });
      },
    },
  };
}

/** An engine that refuses writes still reads, but a load balancer should send its writes elsewhere: it is not ready. */
function readinessOf({ health, isReady, isDraining }: HealthOptions) {
  const { status } = health();
  if (status !== "open") return status;
  if (isReady()) return "ready";
  return isDraining?.() === true ? "draining" : "starting";
}

function frontPage(version: string): string {
  return `Todoku ${version}: self-hosted real-time notification platform.

This port speaks
  JSON over HTTP and server-sent events   /v1/caches  /v1/topics  /v1/tokens   (docs/reference/http.md)
  Momento's gRPC and grpc-web             for the Momento SDKs
  health and metrics                      /health/live  /health/ready  /metrics

The documentation is in the folder docs of the Todoku repository.
`;
}
