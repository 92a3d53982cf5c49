import { Buffer } from "node:buffer";
import { TodokuError } from "../errors.ts";

const max = 2n ** 63n - 1n;
const min = -(2n ** 63n);
/** "-", and the 19 digits of the greatest number: what is longer is none, and not worth parsing. */
const maxBytes = 20;

/**
 * The whole number of 64 bits that a value is in decimal digits, as an increment writes it: with "-" or no sign, without blanks and leading
 * zeros. @throws TodokuError `failed_precondition`: it is another text.
 */
export function parseWholeNumber(value: Uint8Array): bigint {
  const text = value.byteLength <= maxBytes ? Buffer.from(value).toString("latin1") : "";
  if (/^(0|-?[1-9]\d*)$/.test(text)) {
    const number = BigInt(text);
    if (number >= min && number <= max) return number;
  }
  throw new TodokuError(
    "failed_precondition",
    `the value of ${value.byteLength} bytes is no whole number in decimal digits from ${min} to ${max}`,
  );
}

/** What `value`, undefined as 0, comes to. @throws TodokuError `failed_precondition`: it is no whole number, or the sum has more than 64 bits. */
export function addWholeNumber(value: Uint8Array | undefined, amount: bigint): bigint {
  const sum = (value === undefined ? 0n : parseWholeNumber(value)) + amount;
  if (sum >= min && sum <= max) return sum;
  throw new TodokuError("failed_precondition", `the sum would be ${sum}; must be >= ${min} and <= ${max}`);
}

/** As {@link parseWholeNumber} reads it. */
export function wholeNumberBytes(number: bigint): Uint8Array {
  return Buffer.from(`${number}`, "latin1");
}
