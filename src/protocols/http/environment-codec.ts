import { z } from "zod";
import { rateSettingsSchema } from "../../domain/limiting/settings.ts";
import { limits } from "../../domain/limits.ts";
import { createdKeySchema } from "./key-codec.ts";

const { environment: bounds } = limits;

/** The environment in a path. */
export const environmentParameter = z.string().meta({
  ...{ description: "The environment's name", minLength: 1, maxLength: bounds.nameMaxLength },
  pattern: "^[A-Za-z0-9-]+$",
});

const cacheDurability = z
  .enum(["disk", "memory"])
  .meta({ description: "Of caches that are created without naming one" });
const messageMaxBytes = z.int().min(1).max(bounds.messageMaxBytes).meta({ description: "Of one topic message" });
const settingsSchema = z
  .object({
    cacheDurability: cacheDurability.optional(),
    messageMaxBytes: messageMaxBytes.optional(),
    rates: rateSettingsSchema.optional(),
  })
  .meta({
    id: "EnvironmentSettings",
    description: "What the environment sets for itself; what is absent follows the server's configuration",
  });
const settingsChangesSchema = z
  .strictObject({
    cacheDurability: cacheDurability.nullable().optional(),
    messageMaxBytes: messageMaxBytes.nullable().optional(),
    rates: rateSettingsSchema.nullable().optional(),
  })
  .meta({
    id: "EnvironmentSettingsChanges",
    description:
      "What is left out stays; null goes back to the server's configuration; `rates` are replaced as a whole",
  });
const secretsFrom = z
  .array(z.string())
  .meta({ description: `Environments whose shared secrets it may read; at most ${bounds.secretsFromMax}` });

/** `POST /v1/environments`. */
export const newEnvironmentSchema = z
  .strictObject({
    name: z.string().meta({ description: `1 to ${bounds.nameMaxLength} of A-Z, a-z, 0-9 and -; case counts` }),
    from: z
      .string()
      .optional()
      .meta({ description: "The environment whose settings, caches, queues and event topics it begins with" }),
    secretsFrom: secretsFrom.optional(),
    settings: settingsChangesSchema.optional(),
  })
  .meta({ id: "NewEnvironment" });

/** `PATCH /v1/environments/{environment}`. */
export const changesSchema = z
  .strictObject({ settings: settingsChangesSchema.optional(), secretsFrom: secretsFrom.optional() })
  .meta({ id: "EnvironmentChanges", description: "What is left out stays" });

/** What operators see. */
export const environmentSchema = z
  .object({
    name: z.string(),
    createdAtMs: z.number().meta({ description: "Epoch milliseconds" }),
    copiedFrom: z.string().optional(),
    secretsFrom,
    settings: settingsSchema,
    state: z.enum(["live", "destroying"]),
  })
  .meta({ id: "Environment" });

/** With its first key: the one time that it is shown. */
export const createdEnvironmentSchema = environmentSchema
  .extend({ key: createdKeySchema })
  .meta({ id: "CreatedEnvironment" });

/** What everybody in it may know. */
export const ownEnvironmentSchema = z
  .object({ name: z.string(), settings: settingsSchema })
  .meta({ id: "OwnEnvironment" });
