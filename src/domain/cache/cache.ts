/** `disk`: acknowledged means on disk. `memory`: acknowledged means in this process. */
export type Durability = "disk" | "memory";

/** What every engine call about a cache carries. `cacheId` names one incarnation: a flushed or re-created cache has a greater one. */
export interface CacheKey {
  readonly environment: string;
  readonly cache: string;
  readonly cacheId: number;
}

/** A named space of items and topics. */
export interface Cache extends CacheKey {
  readonly durability: Durability;
  readonly createdAtMs: number;
}
