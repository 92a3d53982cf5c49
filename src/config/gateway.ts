import { z } from "zod";
import { limits } from "../domain/limits.ts";
import { parseRouteSelection } from "../lib/route-selection.ts";
import { authorizersSchema } from "./authorizers.ts";

const { gateway } = limits;

/** An hour less than a signed 32-bit number of milliseconds holds, in seconds. */
const secondsMax = 2_000_000;
const seconds = z.number().min(0).max(secondsMax);
const routeKey = z
  .string()
  .regex(
    /^(\$(default|connect|disconnect)|[^\s$]\S{0,127})$/,
    "must be $default, $connect, $disconnect, or 1 to 128 characters without spaces that do not begin with $",
  );
const handlerName = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, "must be 1 to 64 of A-Z, a-z, 0-9, - and _");

const routesSchema = z
  .record(
    routeKey,
    z.union([z.enum(["publish", "send"]), z.strictObject({ handler: handlerName })], {
      error: "must be publish, send or {handler: name}",
    }),
  )
  .superRefine((routes, context) => {
    for (const route of ["$connect", "$disconnect"]) {
      if (typeof routes[route] !== "string") continue;
      context.addIssue({ code: "custom", path: [route], message: "must be a handler, like {handler: name}" });
    }
  });

const authorizerSchema = z.strictObject({
  handler: handlerName.describe("Says who a connection is, instead of a credential: with a policy, as in API Gateway."),
  identitySource: z
    .array(
      z
        .string()
        .regex(
          /^route\.request\.(header|querystring)\.\S{1,128}$/,
          "must be route.request.header.<name> or route.request.querystring.<name>",
        ),
    )
    .min(1)
    .describe("Where credentials are, like `route.request.querystring.authorization`; without one nobody is asked."),
});

const endpointFields = z.strictObject({
  path: z
    .string()
    .regex(/^\/[^\s?#]{0,254}$/, "must begin with / and have no query")
    .refine((path) => !/^\/(v1|health|metrics)(\/|$)/.test(path), "is a path of the HTTP API")
    .describe("Path of the WebSocket, like /push."),
  environment: z
    .string()
    .regex(/^[A-Za-z0-9-]{1,63}$/)
    .optional()
    .describe("Only credentials of this environment may come here."),
  routeSelection: z
    .string()
    .max(1024)
    .refine((text) => parseRouteSelection(text) !== undefined, {
      error: "must be texts and variables like $request.body.action; a dollar sign that begins none is \\$",
    })
    .default("$request.body.action")
    .describe("What of a frame names its route, as in API Gateway: `$request.body.action`, or several such variables."),
  routes: routesSchema
    .default({})
    .describe(
      "Routes of your own, and `$default`: `publish` or `send`, like `{order: send}`, give the whole frame to the topic, or to the queue, `messages`; `{handler: name}` gives it to a handler, as do `$connect` and `$disconnect`.",
    ),
  ackStyle: z
    .enum(["todoku", "aws"])
    .default("todoku")
    .describe("How `publish` and `send` are answered; `aws`: as API Gateway passes on SNS's and SQS's answers."),
  apiKeyRequired: z.boolean().default(false).describe("The handshake must have an API key in the header x-api-key."),
  hook: z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }).describe("Is asked who a connection is, instead of a credential."),
      secret: z
        .string()
        .regex(/^whsec_[A-Za-z0-9+/]{32,88}={0,2}$/, "must be whsec_ and base64 of 24 to 64 bytes")
        .optional()
        .meta({ isSecret: true })
        .describe("Signs the question, as webhooks are signed: `whsec_` and base64."),
    })
    .optional()
    .describe("Your backend decides who may connect."),
  authorizer: authorizerSchema.optional(),
});

const endpointSchema = endpointFields.refine(({ hook, authorizer }) => !hook || !authorizer, {
  path: ["authorizer"],
  error: "goes not with hook: give one",
});

const frameRate = (whose: string) =>
  z
    .strictObject({
      framesPerSecond: z
        .int()
        .min(0)
        .max(1_000_000_000)
        .default(0)
        .describe(`Frames per second ${whose}; 0 is no limit.`),
      burst: z.int().min(1).max(1_000_000_000).optional().describe("Frames at once; default: five seconds' worth."),
    })
    .prefault({});

/** The group `gateway`: the WebSocket door. */
export const gatewaySchema = z.strictObject({
  endpoints: z
    .array(endpointSchema)
    .default([endpointSchema.parse({ path: "/push" })])
    .refine((endpoints) => new Set(endpoints.map(({ path }) => path)).size === endpoints.length, {
      error: "two endpoints have the same path",
    })
    .describe("Where WebSockets are taken, and how their frames are routed."),
  authorizers: authorizersSchema,
  origins: z
    .array(z.string().regex(/^(null|https?:\/\/[^\s/]+)$/, "must be an origin, like https://app.example"))
    .default([])
    .meta({ isLive: true })
    .describe("Origins of web pages that may connect; none: all. Clients that are no browsers send none, and may."),
  idleSeconds: seconds
    .default(0)
    .meta({ isLive: true })
    .describe("A connection over which nothing went for so long is closed with 1001; 0: never. API Gateway: 600."),
  lifeSeconds: seconds
    .default(0)
    .meta({ isLive: true })
    .describe("So old a connection is closed with 1001; 0: never. API Gateway: 7200."),
  heartbeatSeconds: seconds
    .default(gateway.heartbeatSeconds)
    .meta({ isLive: true })
    .describe("A client that is silent for so long is pinged; after two pings without a sign it is cut. 0: never."),
  connectSeconds: z
    .number()
    .min(0.1)
    .max(gateway.connectSeconds)
    .default(gateway.connectSeconds)
    .describe("How long it may take to find out who connects."),
  actionSeconds: z
    .number()
    .min(0.1)
    .max(gateway.actionMaxSeconds)
    .default(gateway.actionSeconds)
    .describe("How long a publish or send may take before the client is told that it failed."),
  messageMaxBytes: z
    .int()
    .min(1024)
    .max(limits.messageMaxBytes)
    .default(gateway.messageMaxBytes)
    .describe("Greatest frame of a client, all its fragments together; past it the socket is closed with 1009."),
  outboxMaxBytes: z
    .int()
    .min(gateway.messageMaxBytes)
    .max(64 * gateway.outboxMaxBytes)
    .default(gateway.outboxMaxBytes)
    .describe("Bytes that may wait for a client that does not read; past it the socket is closed with 4408."),
  userConnectionsMax: z
    .int()
    .min(0)
    .max(1_000_000)
    .default(gateway.userConnections)
    .meta({ isLive: true })
    .describe("Open connections of one user; 0 is no limit."),
  rates: z
    .strictObject({
      connection: frameRate("of one connection"),
      user: frameRate("of all connections of one user"),
      environment: frameRate("of one environment"),
      connectionsPerSecond: z
        .int()
        .min(0)
        .max(1_000_000)
        .default(0)
        .describe("New connections per second of one environment; 0 is no limit."),
    })
    .prefault({})
    .meta({ isLive: true }),
  presence: z
    .strictObject({
      to: z
        .array(z.enum(["topic", "queue", "presence-topic"]))
        .default(["topic", "presence-topic"])
        .describe("Where it is announced that a user came or left: topic or queue `messages`, topic `presence`."),
      graceSeconds: z
        .number()
        .min(0)
        .max(3600)
        .default(gateway.presenceGraceSeconds)
        .describe("A user whose last connection closed is OFFLINE after so long, unless there is a new one."),
    })
    .prefault({}),
  offline: z
    .enum(["none", "queue", "topic"])
    .default("none")
    .describe("Where notifications go that name users who are offline: nowhere, or queue or topic `offline`."),
  strictAudience: z
    .boolean()
    .default(false)
    .describe("Refuse notifications with an empty list of users instead of sending them to everybody."),
});

/** What `todoku start` begins with: what API Gateway allows an account. */
export const productionGateway = {
  rates: {
    environment: { framesPerSecond: gateway.framesPerSecond, burst: gateway.frameBurst },
    connectionsPerSecond: gateway.connectionsPerSecond,
  },
};
