import { Buffer } from "node:buffer";
import { hashOf } from "./hash.ts";
import { type ItemType, wrongType } from "./item-type.ts";
import type { SetCondition, TtlChange } from "./store.ts";

/** What a key holds; `value` is asked for when it is a scalar that must be compared. */
export interface Compared {
  readonly type: ItemType;
  value(): Uint8Array;
}

/** Whether the condition holds of what the key holds, undefined for nothing. @throws TodokuError `failed_precondition`: a collection is compared. */
export function isMet({ ifAbsent, ifPresent }: SetCondition, held: Compared | undefined): boolean {
  if (held === undefined) return ifAbsent;
  if (typeof ifPresent === "boolean") return ifPresent;
  if (held.type !== "scalar") throw wrongType(held.type, "scalar");
  const { compare, with: wanted, isEqual } = ifPresent;
  const value = compare === "hash" ? hashOf(held.value()) : held.value();
  return (Buffer.compare(value, wanted) === 0) === isEqual;
}

/** Whether the change moves the end of what ends at `heldMs`. */
export function movesEnd({ to, expiresAtMs }: TtlChange, heldMs: number): boolean {
  if (to === "increase") return expiresAtMs > heldMs;
  return to === "overwrite" || expiresAtMs < heldMs;
}
