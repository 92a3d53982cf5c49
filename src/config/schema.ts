import { z } from "zod";
import { devRates, productionRates, serverRateSettingsSchema } from "../domain/limiting/settings.ts";
import { limits } from "../domain/limits.ts";
import { isPermission } from "../lib/guarded-client/permissions.ts";
import { isNetwork } from "../lib/networks.ts";
import { awsSchema } from "./aws.ts";
import { functionsSchema } from "./functions.ts";
import { gatewaySchema, productionGateway } from "./gateway.ts";
import { handlersSchema } from "./handlers.ts";

declare module "zod" {
  interface GlobalMeta {
    /** The flag, where it is not the path in kebab case. */
    flag?: string;
    /** Its value is shown nowhere. */
    isSecret?: boolean;
    /** SIGHUP changes it; everything else needs a restart. Of a group: all of it. */
    isLive?: boolean;
    /** Of `todoku dev` only: `todoku start` refuses it. */
    isDevOnly?: boolean;
  }
}

/** `dev`: on loopback, without credentials. `production`: `todoku start`. */
export type Mode = "dev" | "production";

const logLevel = z.enum(["debug", "info", "warn", "error", "silent"]);

/** What log lines are told apart by: the `area` of each. */
export const logAreas = [
  ...(["server", "config", "clock", "engine", "environments", "auth", "topics", "queues", "secrets"] as const),
  ...(["webhooks", "gateway", "notifications", "handlers"] as const),
  ...(["limiting", "tls", "http", "momento", "aws"] as const),
] as const;

/** An hour: a stop that takes longer is a mistake. */
const stopSeconds = z.number().min(0).max(3600);

/** One list of the greatest size; 4 GiB hold as many items as a Map of V8 can (2^24, 256 bytes each and their keys). */
const memoryBytes = z
  .number()
  .int()
  .min(1_000_000)
  .max(2 ** 32);

/**
 * What an operator may set: a field or group for each thing. Every field has its unit in the name and a sentence; its flag,
 * environment variable and row in docs/reference/config.md follow from its path (fields.ts).
 */
export const configSchema = z.strictObject({
  host: z
    .string()
    .min(1)
    .default("127.0.0.1")
    .describe("Address to bind to. Anything but loopback needs --dev-key in dev mode."),
  port: z.number().int().min(0).max(65535).default(8080).describe("The one port for everything; 0 takes any free one."),
  dataDir: z.string().min(1).default(".todoku").describe("Directory of the database; made with mode 0700."),
  behindProxy: z
    .boolean()
    .default(false)
    .describe(
      "A proxy in front terminates TLS: without it, todoku start binds to loopback only unless it has a certificate.",
    ),
  trustedProxies: z
    .array(z.string().refine(isNetwork, "must be an address or a network, like 10.0.0.0/8"))
    .default([])
    .meta({
      description: "Addresses and networks of proxies whose word on the client's address counts.",
      isLive: true,
    }),
  forwardedHeader: z.enum(["x-forwarded-for", "forwarded"]).default("x-forwarded-for").meta({
    description: "The header in which the trusted proxies give it; the other one counts nothing.",
    isLive: true,
  }),
  devKey: z
    .boolean()
    .default(false)
    .meta({ isDevOnly: true })
    .describe("Print a random super-user key for this run instead of accepting the empty credential."),
  devOrigins: z
    .array(z.url({ protocol: /^https?$/ }))
    .default([])
    .meta({ flag: "--dev-origin", isDevOnly: true })
    .describe("Origins of web pages that may use the empty credential, such as http://localhost:5173."),
  faultAdminPort: z
    .number()
    .int()
    .min(0)
    .max(65535)
    .optional()
    .meta({ isDevOnly: true })
    .describe(
      "Port on which /block cuts every connection of the server and refuses new ones until /unblock; 0 takes any free one.",
    ),
  cacheDurability: z
    .enum(["disk", "memory"])
    .default("disk")
    .describe("Durability of caches that are created without naming one."),
  messageMaxBytes: z
    .number()
    .int()
    .min(1)
    .max(4 * limits.messageMaxBytes)
    .default(limits.messageMaxBytes)
    .describe("Greatest size of one topic message."),
  memory: z
    .strictObject({
      cacheMaxBytes: memoryBytes
        .default(limits.memoryItems.cacheMaxBytes)
        .describe("What the items of one `memory` cache may take; past it the least recently used keys go."),
      environmentMaxBytes: memoryBytes
        .default(limits.memoryItems.environmentMaxBytes)
        .describe("The same for all `memory` caches of an environment."),
      totalMaxBytes: memoryBytes
        .optional()
        .describe("The same for all of the server; default: 1 GiB, or less where V8's heap or the container is small."),
    })
    .prefault({}),
  publicEndpoint: z
    .string()
    .regex(/^[^\s/]+$/)
    .optional()
    .describe("host:port that clients of minted tokens are told to dial; default: the bound address."),
  masterKeyFile: z
    .string()
    .min(1)
    .optional()
    .describe("File with the master key, which protects all secrets; only its owner may be able to read it."),
  masterKeyCommand: z
    .string()
    .regex(/\S/)
    .optional()
    .meta({ isSecret: true })
    .describe("Program, with its arguments, that prints the master key; no shell reads it."),
  tls: z
    .strictObject({
      certFile: z
        .string()
        .min(1)
        .optional()
        .meta({ flag: "--tls-cert", isLive: true })
        .describe("PEM file with the certificate and those between it and its CA; with it the port speaks TLS."),
      keyFile: z
        .string()
        .min(1)
        .optional()
        .meta({ flag: "--tls-key", isLive: true })
        .describe("PEM file with the certificate's private key."),
      plaintext: z
        .enum(["never", "loopback"])
        .default("never")
        .describe("Who may come without TLS when there is a certificate: nobody, or this machine too."),
    })
    .refine(({ certFile, keyFile }) => (certFile === undefined) === (keyFile === undefined), {
      error: "certFile and keyFile go together: give both or none",
    })
    .prefault({}),
  rates: serverRateSettingsSchema
    .prefault({})
    .meta({ description: "What may be done how often, and how much of it at once.", isLive: true }),
  outbound: z
    .strictObject({
      allow: z
        .array(z.string().refine(isPermission, "must be an address, a network like 10.0.0.0/8, or a host name"))
        .default([])
        .describe(
          "Whom webhooks may call although they are not public: addresses, networks, host names, and `*.` before one for all below it.",
        ),
    })
    .prefault({})
    .meta({ isLive: true }),
  gateway: gatewaySchema.prefault({}),
  handlers: handlersSchema,
  functions: functionsSchema.prefault({}),
  aws: awsSchema.prefault({}),
  drain: z
    .strictObject({
      delaySeconds: stopSeconds
        .default(2)
        .describe("After SIGTERM, how long everything goes on while /health/ready says 503 and balancers notice."),
      seconds: stopSeconds
        .default(5)
        .describe("Then streams are told to reconnect, spread evenly over so long, so that not all come back at once."),
      graceSeconds: stopSeconds
        .default(3)
        .describe(
          "Then calls that still run get so long to end. All three together: the ten seconds of `docker stop`.",
        ),
    })
    .prefault({})
    .meta({ isLive: true }),
  log: z
    .strictObject({
      level: logLevel.default("info").describe("Least serious log line that is written (JSON, to stderr)."),
      areas: z
        .partialRecord(z.enum(logAreas), logLevel)
        .default({})
        .describe("The same for the lines of one area, like http=debug; before `level`."),
      environments: z
        .record(z.string().regex(/^[A-Za-z0-9-]{1,63}$/), logLevel)
        .default({})
        .describe("The same for the lines of one environment, like FEAT-X=debug; before both."),
    })
    .prefault({})
    .meta({ isLive: true }),
});

/** The checked configuration of one server. */
export type Config = z.output<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;

/** Where a mode differs from the schema's defaults. A developer waits for each stop, and no balancer stands in front. */
export const modeDefaults: Readonly<Record<Mode, ConfigInput>> = {
  dev: { drain: { delaySeconds: 0, seconds: 1 }, tls: { plaintext: "loopback" }, rates: devRates },
  production: { rates: productionRates, gateway: productionGateway },
};
