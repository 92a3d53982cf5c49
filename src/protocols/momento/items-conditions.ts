import { hashOf } from "../../domain/cache/hash.ts";
import type { Items } from "../../domain/cache/items.ts";
import type { SetCondition } from "../../domain/cache/store.ts";
import { TodokuError } from "../../domain/errors.ts";
import { decodeMessage } from "./codec.ts";
import { type CollectionCall, encode } from "./collections.ts";
import {
  type SetIfHashRequest,
  SetIfHashRequestSchema,
  SetIfHashResponseSchema,
  SetIfNotExistsRequestSchema,
  type SetIfRequest,
  SetIfRequestSchema,
  SetIfResponseSchema,
} from "./gen/scs_pb.ts";

const ifAbsent: SetCondition = { ifAbsent: true, ifPresent: false };
const ifPresent: SetCondition = { ifAbsent: false, ifPresent: true };
const always: SetCondition = { ifAbsent: true, ifPresent: true };

/** The conditional calls of `cache_client.Scs`. */
export function conditionalHandlers(items: Items) {
  async function setIf(
    { principal, cache }: CollectionCall,
    message: { readonly cacheKey: Uint8Array; readonly cacheBody: Uint8Array; readonly ttlMilliseconds: bigint },
    condition: SetCondition,
  ): Promise<boolean> {
    const ttlMs = Number(message.ttlMilliseconds);
    return items.setIf(principal, cache, message.cacheKey, message.cacheBody, ttlMs, condition);
  }

  return {
    async SetIf(call: CollectionCall) {
      const message = decodeMessage(SetIfRequestSchema, call.request);
      return encodeOutcome(await setIf(call, message, conditionOf(message)));
    },
    async SetIfHash(call: CollectionCall) {
      const message = decodeMessage(SetIfHashRequestSchema, call.request);
      const isStored = await setIf(call, message, hashConditionOf(message));
      const stored = { case: "stored" as const, value: { newHash: hashOf(message.cacheBody) } };
      return encode(SetIfHashResponseSchema, { result: isStored ? stored : { case: "notStored", value: {} } });
    },
    async SetIfNotExists(call: CollectionCall) {
      return encodeOutcome(await setIf(call, decodeMessage(SetIfNotExistsRequestSchema, call.request), ifAbsent));
    },
  };
}

/** SetIfNotExists answers in the same form. */
function encodeOutcome(isStored: boolean): Uint8Array {
  return encode(SetIfResponseSchema, { result: { case: isStored ? "stored" : "notStored", value: {} } });
}

/** @throws TodokuError `invalid_argument`: there is none. */
function conditionOf({ condition }: SetIfRequest): SetCondition {
  const compare = (ifAbsent: boolean, valueToCheck: Uint8Array, isEqual: boolean): SetCondition => ({
    ifAbsent,
    ifPresent: { compare: "value", with: valueToCheck, isEqual },
  });
  switch (condition.case) {
    case "present":
      return ifPresent;
    case "presentAndNotEqual":
      return compare(false, condition.value.valueToCheck, false);
    case "absent":
      return ifAbsent;
    case "equal":
      return compare(false, condition.value.valueToCheck, true);
    case "absentOrEqual":
      return compare(true, condition.value.valueToCheck, true);
    case "notEqual":
      return compare(true, condition.value.valueToCheck, false);
    default:
      throw new TodokuError("invalid_argument", "SetIfRequest: no condition is given");
  }
}

/** @throws TodokuError `invalid_argument`: there is none. */
function hashConditionOf({ condition }: SetIfHashRequest): SetCondition {
  const compare = (ifAbsent: boolean, hashToCheck: Uint8Array, isEqual: boolean): SetCondition => ({
    ifAbsent,
    ifPresent: { compare: "hash", with: hashToCheck, isEqual },
  });
  switch (condition.case) {
    case "presentAndNotHashEqual":
      return compare(false, condition.value.hashToCheck, false);
    case "presentAndHashEqual":
      return compare(false, condition.value.hashToCheck, true);
    case "absentOrHashEqual":
      return compare(true, condition.value.hashToCheck, true);
    case "absentOrNotHashEqual":
      return compare(true, condition.value.hashToCheck, false);
    case "unconditional":
      return always;
    default:
      throw new TodokuError("invalid_argument", "SetIfHashRequest: no condition is given");
  }
}
