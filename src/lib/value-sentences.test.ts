import { expect, it } from "vitest";
import { z } from "zod";
import { sentenceOf } from "./value-sentences.ts";

it.each<[z.ZodType, unknown, string]>([
  [z.string(), undefined, "is missing"],
  [z.json(), undefined, "is missing"],
  [z.unknown().nonoptional(), undefined, "is missing"],
  [z.literal("GET"), undefined, "is missing"],
  [z.string(), 7, "must be a text"],
  [z.array(z.string()), "alice", "must be a list"],
  [z.object({}), [], "must be an object"],
  [z.record(z.string(), z.string()), 7, "must be an object"],
  [z.boolean(), "yes", "must be true or false"],
  [z.literal("GET"), "POST", 'must be "GET"'],
  [z.enum(["publish", "send"]), "x", 'must be one of "publish", "send"'],
  [z.string("must be a URL"), 7, "must be a URL"],
])("says what must be so: case %#", (schema, value, sentence) => {
  const { error } = schema.safeParse(value, { error: sentenceOf });
  expect(error?.issues.map(({ message }) => message)).toEqual([sentence]);
});
