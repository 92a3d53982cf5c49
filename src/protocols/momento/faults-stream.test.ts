import fc from "fast-check";
import { expect, it } from "vitest";
import type { TodokuError } from "../../domain/errors.ts";
import type { StreamCall } from "./call.ts";
import { FaultError } from "./errors.ts";
import { FaultyStreamCall } from "./faults-stream.ts";
import { binaryEncoding, textEncoding, toFrame, toText } from "./frames.ts";

const fault = new FaultError(14, "unavailable");

/** A stream that keeps what it is given. */
function aStream(encoding: StreamCall["encoding"]) {
  const sent: Buffer[] = [];
  const ended: (TodokuError | undefined)[] = [];
  const call: StreamCall = {
    ...{ encoding, resumePlaces: undefined, headers: {}, authorization: "", cacheName: "", timeoutMs: undefined },
    caller: { address: "", isLoopbackPeer: true, host: undefined, origin: undefined, secFetchSite: undefined },
    request: new Uint8Array(),
    open() {},
    write(frame) {
      sent.push(encoding === textEncoding ? Buffer.from(Buffer.from(frame).toString(), "base64") : Buffer.from(frame));
      return true;
    },
    hold() {},
    beat: () => void sent.push(toFrame(new Uint8Array())),
    end: (error) => void ended.push(error),
    start() {},
    onClose() {},
  };
  return { call, ended, sent: () => Buffer.concat(sent) };
}

const messages = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 5 });

it.each([
  ["binary", binaryEncoding],
  ["text", textEncoding],
] as const)("gives exactly so many messages and then fails, however they are packed into frames: %s", (_, encoding) => {
  fc.assert(
    fc.property(fc.array(fc.option(messages), { maxLength: 12 }), fc.integer({ min: 1, max: 20 }), (writes, limit) => {
      const { call, ended, sent } = aStream(encoding);
      const faulty = new FaultyStreamCall(call, undefined, { afterMessages: limit, error: fault });
      for (const packed of writes) {
        const frames = packed && Buffer.concat(packed.map((message) => toFrame(message)));
        if (!frames) faulty.beat();
        else faulty.write(encoding === textEncoding ? toText(frames) : frames);
      }
      const all = writes.flatMap((packed) => packed ?? [new Uint8Array()]);
      expect(sent()).toEqual(Buffer.concat(all.slice(0, limit).map((message) => toFrame(message))));
      expect(ended).toEqual(all.length >= limit ? [fault] : []);
      faulty.end();
      expect(ended).toHaveLength(1);
    }),
  );
});
