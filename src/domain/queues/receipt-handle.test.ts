import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatReceiptHandle, parseReceiptHandle } from "./receipt-handle.ts";

const key = { environment: "dev", queue: "orders", queueId: 7 };
const receipt = { sequence: 12, token: 2 ** 48 - 1 };
const handle = formatReceiptHandle(key, receipt);

describe("a receipt handle", () => {
  it("names its receive again, whatever the numbers are", () => {
    const number = fc.integer({ min: 0, max: 2 ** 44 - 1 });
    fc.assert(
      fc.property(number, number, number, (queueId, sequence, token) => {
        const own = { ...key, queueId };
        const text = formatReceiptHandle(own, { sequence, token });
        expect(text).toMatch(/^[A-Za-z0-9_-]{32}$/);
        expect(parseReceiptHandle(own, text)).toEqual({ sequence, token });
      }),
    );
  });

  it("of an earlier incarnation names nothing any more", () => {
    expect(parseReceiptHandle({ ...key, queueId: 8 }, handle)).toBeUndefined();
  });

  it("of another queue or environment is refused, even if the incarnation has the same number", () => {
    for (const other of [
      { ...key, queue: "mails" },
      { ...key, environment: "prod" },
    ]) {
      expect(() => parseReceiptHandle(other, handle)).toThrow(`is not of queue "${other.queue}"`);
    }
  });

  it.each(["", "x", `${handle}A`, handle.slice(1), `${handle.slice(1)}=`, `${handle.slice(1)}é`, " ".repeat(32)])(
    "%j is none",
    (text) => {
      expect(() => parseReceiptHandle(key, text)).toThrow("is not one that a receive gave");
    },
  );

  it("that nobody made is refused or names nothing of the queue's own random token, and never throws otherwise", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 24 }), (bytes) => {
        const text = Buffer.from(bytes).toString("base64url");
        expect(() => parseReceiptHandle(key, text)).toThrow("is not of queue");
      }),
    );
  });
});
