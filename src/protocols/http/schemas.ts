import { isDeepStrictEqual } from "node:util";
import { z } from "zod";

type JsonSchema = z.core.JSONSchema.BaseSchema;

/** JSON Schemas of zod schemas. Those with an id (`.meta({ id })`) are collected and referred to. */
export class Schemas {
  readonly #named = new Map<string, JsonSchema>();

  /**
   * @param io `input`: what may be sent, where a default makes a field optional; `output`: what is answered.
   * @throws Error: one id for two different schemas.
   */
  add(schema: z.ZodType, io: "input" | "output"): JsonSchema {
    // As a field, a schema with an id becomes a reference; alone it would be written out.
    const { properties, $defs = {} } = z.toJSONSchema(z.object({ schema }), {
      io,
      override: ({ zodSchema, jsonSchema }) => tidy(zodSchema, jsonSchema),
    });
    for (const [id, definition] of Object.entries($defs)) this.#name(id, refer(definition));
    return refer(properties?.schema as JsonSchema);
  }

  /** All with an id, by id. */
  named(): Record<string, JsonSchema> {
    return Object.fromEntries([...this.#named].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #name(id: string, definition: JsonSchema): void {
    const known = this.#named.get(id);
    if (known && !isDeepStrictEqual(known, definition)) {
      throw new Error(`two schemas have the id ${id}, or it is sent in one form and answered in another`);
    }
    this.#named.set(id, definition);
  }
}

/** Leaves out what zod adds and says nothing to a reader. */
function tidy({ _zod: { def } }: z.core.$ZodTypes, schema: JsonSchema): void {
  // A plain object has no more fields today. Only one that is strict in the code promises that it never will.
  if (def.type === "object" && !def.catchall) delete schema.additionalProperties;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  // Validators divide, and 0.411 / 0.001 is no whole number. The description says it in words.
  if (schema.multipleOf === 0.001) delete schema.multipleOf;
  if (schema.contentEncoding === "base64") {
    delete schema.pattern;
    delete schema.format;
  }
}

/** `schema` with its references pointed to where OpenAPI keeps schemas. */
function refer<T>(schema: T): T {
  const text = JSON.stringify(schema).replaceAll('"$ref":"#/$defs/', '"$ref":"#/components/schemas/');
  return JSON.parse(text) as T;
}
