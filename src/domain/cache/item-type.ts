import { TodokuError } from "../errors.ts";

/** What a key can hold. The place in this list is the number of the type, in the protocol of Momento and in data files. */
export const itemTypes = ["scalar", "dictionary", "set", "list", "sorted set"] as const;

/** One of {@link itemTypes}. */
export type ItemType = (typeof itemTypes)[number];

/** `failed_precondition`: the key holds something else than the call is for. */
export function wrongType(held: ItemType, wanted: ItemType): TodokuError {
  return new TodokuError("failed_precondition", `the key holds a ${held}, and this call is for a ${wanted}`);
}
