import { z } from "zod";
import { limits } from "../domain/limits.ts";

/** What an operator may set. Every field has a default, its unit in the name, and a sentence. */
export const configSchema = z.strictObject({
  host: z
    .string()
    .min(1)
    .default("127.0.0.1")
    .describe("Address to bind to. Anything but loopback needs --dev-key in dev mode."),
  port: z.number().int().min(0).max(65535).default(8080).describe("The one port for everything; 0 takes any free one."),
  dataDir: z.string().min(1).default(".todoku").describe("Directory of the database; made with mode 0700."),
  devKey: z
    .boolean()
    .default(false)
    .describe("Print a random super-user key for this run instead of accepting the empty credential."),
  devOrigins: z
    .array(z.url({ protocol: /^https?$/ }))
    .default([])
    .describe("Origins of web pages that may use the empty credential, such as http://localhost:5173."),
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
  publicEndpoint: z
    .string()
    .regex(/^[^\s/]+$/)
    .optional()
    .describe("host:port that clients of minted tokens are told to dial; default: the bound address."),
  logLevel: z
    .enum(["debug", "info", "warn", "error", "silent"])
    .default("info")
    .describe("Least serious log line that is written (JSON, to stderr)."),
});

/** The checked configuration of one server. */
export type Config = z.output<typeof configSchema>;
export type ConfigInput = z.input<typeof configSchema>;
