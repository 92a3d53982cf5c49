import { isBuiltInCache, isBuiltInQueue } from "../../src/domain/environments/built-ins.ts";

/** What somebody made: the caches or queues of a list without those that every environment has. */
export function ownOf<T extends { readonly name: string }>(listed: readonly T[]): readonly T[] {
  return listed.filter(({ name }) => !isBuiltInCache(name) && !isBuiltInQueue(name));
}
