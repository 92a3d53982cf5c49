import { isDeepStrictEqual } from "node:util";
import { fieldsOf, valueAt } from "./fields.ts";
import type { Config } from "./schema.ts";

/** Fields whose values differ, by path. */
export interface ConfigChanges {
  /** Those that a running server can take. */
  readonly changed: readonly string[];
  readonly needRestart: readonly string[];
}

/** What a new configuration changes. */
export function changesBetween(was: Config, now: Config): ConfigChanges {
  const different = fieldsOf().filter(({ path }) => !isDeepStrictEqual(valueAt(was, path), valueAt(now, path)));
  return {
    changed: different.filter(({ isLive }) => isLive).map(({ path }) => path),
    needRestart: different.filter(({ isLive }) => !isLive).map(({ path }) => path),
  };
}
