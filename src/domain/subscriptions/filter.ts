import { Buffer } from "node:buffer";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { TopicItem } from "../topics/store.ts";
import { checkFilterBounds } from "./filter-bounds.ts";
import { attributeValues, bodyValues } from "./filter-item.ts";
import { compilePolicy } from "./filter-policy.ts";

/** What a filter looks at: the attributes of an item, or its text, which is JSON then. */
export type FilterScope = "attributes" | "body";

/** A filter policy of SNS, as it is kept: `parseFilter` has found it right. */
export interface StoredFilter {
  readonly scope: FilterScope;
  readonly policy: Readonly<Record<string, unknown>>;
}

/**
 * @param text JSON of a filter policy.
 * @throws TodokuError with subject `filter_policy`: `invalid_argument` that names the place; `limit_exceeded`: `limits.filter`.
 */
export function parseFilter(text: string, scope: FilterScope): StoredFilter {
  const bytes = Buffer.byteLength(text);
  if (bytes > limits.filter.policyMaxBytes) {
    throw new TodokuError(
      "limit_exceeded",
      `the filter policy has ${bytes} bytes; must be <= ${limits.filter.policyMaxBytes}`,
      { subject: "filter_policy" },
    );
  }
  const policy = objectOf(text);
  checkFilterBounds(policy);
  compilePolicy(policy, scope);
  return { scope, policy };
}

/** Says of an item whether it matches; made once, for it takes longer than to ask. */
export function compileFilter({ scope, policy }: StoredFilter): (item: TopicItem) => boolean {
  const matches = compilePolicy(policy, scope);
  if (scope === "attributes") return ({ attributes }) => matches(attributeValues(attributes));
  return ({ value }) => {
    const body = bodyValues(value);
    return body !== undefined && matches(body);
  };
}

function objectOf(text: string): StoredFilter["policy"] {
  const message = "the filter policy must be a JSON object";
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    throw new TodokuError("invalid_argument", message, { subject: "filter_policy", cause: error });
  }
  if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed as StoredFilter["policy"];
  throw new TodokuError("invalid_argument", message, { subject: "filter_policy" });
}
