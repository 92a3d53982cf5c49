import { z } from "zod";
import { TodokuError } from "../../domain/errors.ts";
import { authenticate } from "./caller.ts";
import { type HttpContext, operation } from "./operation.ts";
import type { HttpParts } from "./options.ts";
import type { Routes } from "./routes.ts";

const readinessSchema = z
  .object({
    status: z.enum(["ready", "starting", "draining", "refusing", "failed"]),
    engine: z.object({
      status: z.enum(["open", "refusing", "failed"]),
      reason: z.string().nullable(),
    }),
  })
  .meta({ id: "Readiness" });

/** What needs no credential: `/`, `/health/*`, `/metrics` and the OpenAPI document. */
export const healthRoutes: Routes = {
  "/": {
    GET: operation({
      id: "frontPage",
      tag: "server",
      summary: "Say what this server is",
      caller: "none",
      answers: { 200: { description: "A few lines", mediaType: "text/plain" } },
      handle: ({ context, parts }) => context.text(frontPage(parts.version)),
    }),
  },
  "/health/live": {
    GET: operation({
      id: "isLive",
      tag: "server",
      summary: "Say whether the process answers",
      caller: "none",
      answers: { 200: { description: "It does", schema: z.object({ status: z.literal("live") }) } },
      handle: ({ context }) => context.json({ status: "live" }),
    }),
  },
  "/health/ready": {
    GET: operation({
      id: "isReady",
      tag: "server",
      summary: "Say whether work should be sent here",
      caller: "none",
      answers: {
        200: { description: "Yes", schema: readinessSchema },
        503: { description: "No, and why", schema: readinessSchema },
      },
      handle({ context, parts }) {
        const { status, reason } = parts.health();
        const readiness = readinessOf(parts);
        return context.json(
          { status: readiness, engine: { status, reason: reason ?? null } },
          readiness === "ready" ? 200 : 503,
        );
      },
    }),
  },
  "/v1/openapi.json": {
    GET: operation({
      id: "openApi",
      tag: "server",
      summary: "Give this description",
      caller: "none",
      answers: { 200: { description: "An OpenAPI 3.1 document", schema: z.record(z.string(), z.unknown()) } },
      handle: ({ context, parts }) => context.body(parts.openApi(), 200, { "content-type": "application/json" }),
    }),
  },
  "/metrics": {
    GET: operation({
      id: "metrics",
      tag: "server",
      summary: "Give the metrics in Prometheus's text format",
      description: "With an operator's credential, or in dev mode, a line for each environment; else their sums.",
      caller: "none",
      answers: { 200: { description: "The metrics", mediaType: "text/plain" } },
      async handle({ context, parts }) {
        const { contentType, text } = await parts.metrics(await isOperator(parts, context));
        return context.body(text, 200, { "content-type": contentType });
      },
    }),
  },
};

/** Anybody may ask without a credential, but one that is given must be good: its owner would wonder where the lines are. */
async function isOperator(parts: HttpParts, context: HttpContext): Promise<boolean> {
  try {
    return (await authenticate(parts, context)).isOperator;
  } catch (error) {
    const isAnonymous = context.req.header("authorization") === undefined;
    if (isAnonymous && error instanceof TodokuError && error.code === "unauthenticated") return false;
    throw error;
  }
}

/** An engine that refuses writes still reads, but a load balancer should send its writes elsewhere: it is not ready. */
function readinessOf({ health, isReady, isDraining }: HttpParts) {
  const { status } = health();
  if (status !== "open") return status;
  if (isReady()) return "ready";
  return isDraining?.() === true ? "draining" : "starting";
}

function frontPage(version: string): string {
  return `Todoku ${version}: self-hosted real-time notification platform.

This port speaks
  JSON over HTTP and server-sent events   /v1/caches  /v1/topics  /v1/queues  /v1/keys  /v1/tokens  /v1/tickets
                                          /v1/environments  /v1/handlers
                                          (docs/reference/http.md)
  WebSockets of users                     /push, where the configuration names no other endpoint
                                          (docs/reference/websocket.md)
  Momento's gRPC and grpc-web             for the Momento SDKs
  AWS's protocols                         for boto3, the AWS SDKs and the AWS CLI, with AWS_ENDPOINT_URL set to this
                                          address: SQS, SNS, @connections, SSM, Secrets Manager, the table of
                                          connections in DynamoDB, Lambda's Invoke
                                          (docs/reference/aws.md)
  functions of your own                   /functions/<name>, and the paths of functions.restApis
                                          (docs/guides/handlers.md)
  health and metrics                      /health/live  /health/ready  /metrics
  a description of all this               /v1/openapi.json

The documentation is in the folder docs of the Todoku repository.
`;
}
