import type { z } from "zod";
import type { TodokuError } from "../../domain/errors.ts";
import { check } from "../check.ts";
import type { AwsCall, AwsService } from "./call.ts";
import { type AwsError, unknownAction } from "./errors.ts";

/** One action of a service that speaks JSON; what it answers is an object. */
export type JsonOperation = (call: AwsCall) => object | Promise<object>;

/** An action whose input `schema` describes. @throws TodokuError `invalid_argument` that names the field. */
export function jsonOperation<Input>(
  schema: z.ZodType<Input>,
  run: (input: Input, call: AwsCall) => object | Promise<object>,
): JsonOperation {
  return (call) => run(check(schema, call.input, "the request"), call);
}

/** A service of JSON actions. `name`: as docs/reference/aws.md calls it. */
export function createJsonService(
  name: string,
  operations: Readonly<Record<string, JsonOperation>>,
  toAwsError: (error: TodokuError) => AwsError,
): AwsService {
  return {
    async handle(call) {
      const operation = Object.hasOwn(operations, call.action) ? operations[call.action] : undefined;
      if (!operation) throw unknownAction(call.action, name);
      return { body: JSON.stringify(await operation(call)) };
    },
    toAwsError,
  };
}

/** AWS writes times as seconds, with a fraction. */
export function toEpochSeconds(wallMs: number): number {
  return wallMs / 1000;
}
