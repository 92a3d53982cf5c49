import { z } from "zod";
import { limits } from "../../domain/limits.ts";
import { type Position, parsePosition } from "../../domain/topics/position.ts";

/** A name in a path. The domain checks its bytes; here they are only described. */
export function nameParameter(description: string) {
  return z.string().meta({ description, minLength: 1, maxLength: limits.nameMaxBytes });
}

/** A position in a query or header; undefined for a missing or empty one. */
export function positionParameter(description: string) {
  return z
    .string()
    .transform((text, { addIssue }): Position | undefined => {
      const position = text === "" ? undefined : parsePosition(text);
      if (text !== "" && !position) addIssue("must be a position, written <page>-<sequence>");
      return position;
    })
    .optional()
    .meta({ description, pattern: "^([0-9]+-[0-9]+)?$" });
}
