import { isDeepStrictEqual } from "node:util";
import { TodokuError } from "../../domain/errors.ts";

/** One call that brings the environment nearer to the file. */
export interface Change {
  readonly action: "create" | "update" | "replace" | "delete";
  readonly kind: "settings" | "cache" | "queue" | "webhook" | "key";
  readonly name: string;
  /** Of a webhook. */
  readonly cache?: string;
  /** By field: what it is, and what it will be. */
  readonly differences: Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;
  /** What is sent. */
  readonly body?: unknown;
  /** Of a key: the one there is. */
  readonly keyId?: string;
  /** Where a new key is put, or what a webhook signs with. */
  readonly secret?: string;
}

/** What has to be done, in the order in which it works, and what cannot be. */
export interface Plan {
  readonly changes: readonly Change[];
  /** Sentences. With one of them nothing is carried out. */
  readonly problems: readonly string[];
}

/** The fields in which they differ. */
export function compare(
  from: Readonly<Record<string, unknown>>,
  to: Readonly<Record<string, unknown>>,
): Change["differences"] {
  const fields = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  return Object.fromEntries(
    fields
      .filter((field) => !isDeepStrictEqual(from[field], to[field]))
      .map((field) => [field, { from: from[field], to: to[field] }]),
  );
}

/** What checks of the domain have against it, as sentences. */
export function problemsOf(checks: readonly (() => unknown)[]): string[] {
  return checks.flatMap((check) => {
    try {
      check();
      return [];
    } catch (error) {
      if (error instanceof TodokuError) return [error.message];
      throw error;
    }
  });
}
