import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limits } from "../../domain/limits.ts";
import type { StreamCall } from "./call.ts";
import { binaryEncoding, textEncoding, toFrame } from "./frames.ts";
import { sendAnswers } from "./stream-answers.ts";

/** A client that has room when told so, and takes what it gets. */
function aClient(encoding: StreamCall["encoding"] = binaryEncoding) {
  const state = { written: [] as Buffer[], hasRoom: true, isOpen: false, ends: 0 };
  let drained = () => true;
  let gone = () => {};
  const call: StreamCall = {
    ...{ encoding, resumePlaces: undefined, headers: {}, authorization: "", cacheName: "", timeoutMs: undefined },
    caller: { address: "", isLoopbackPeer: true, host: undefined, origin: undefined, secFetchSite: undefined },
    request: new Uint8Array(),
    open() {
      state.isOpen = true;
    },
    write(frames) {
      state.written.push(Buffer.from(frames));
      return state.hasRoom;
    },
    hold() {},
    beat() {},
    end: () => void state.ends++,
    start(listener) {
      drained = listener;
      if (state.hasRoom) listener();
    },
    onClose(listener) {
      gone = listener;
    },
  };
  return { state, call, drain: () => drained(), leave: () => gone() };
}

/** Portions that tell how many were asked for, and whether they were given up. */
function portions<T>(of: readonly (readonly T[])[]) {
  const state = { asked: 0, isOver: false };
  async function* give() {
    try {
      for (const portion of of) {
        state.asked++;
        yield portion;
      }
    } finally {
      state.isOver = true;
    }
  }
  return { state, all: give() };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const large = new Uint8Array(limits.catchUpMaxBytes);

describe("an answer that has an end", () => {
  it.each([
    ["binary", binaryEncoding],
    ["text", textEncoding],
  ] as const)("has one message for each value, in order, however they come in portions: %s", async (_, encoding) => {
    const values = fc.array(fc.array(fc.oneof(fc.uint8Array({ maxLength: 9 }), fc.constant(large)), { maxLength: 4 }));
    await fc.assert(
      fc.asyncProperty(values, async (all) => {
        const client = aClient(encoding);
        await sendAnswers(client.call, portions(all).all, (value) => value);
        const sent = client.state.written.map((frames) =>
          encoding === textEncoding ? Buffer.from(frames.toString("latin1"), "base64") : frames,
        );
        expect(Buffer.compare(Buffer.concat(sent), Buffer.concat(all.flat().map((value) => toFrame(value))))).toBe(0);
        expect(client.state).toMatchObject({ isOpen: true, ends: 1 });
      }),
      { numRuns: 30 },
    );
  });

  it("is asked for as the client has room, value by value where they are large", async () => {
    const client = aClient();
    client.state.hasRoom = false;
    const { state, all } = portions([[large, large], [large]]);
    let encoded = 0;
    const sending = sendAnswers(client.call, all, (value) => {
      encoded++;
      return value;
    });
    await turn();
    expect([client.state.isOpen, state.asked]).toEqual([true, 0]);
    for (const [asked, written] of [
      [1, 1],
      [1, 2],
      [2, 3],
    ]) {
      client.drain();
      await turn();
      expect([state.asked, client.state.written.length, encoded]).toEqual([asked, written, written]);
    }
    expect(client.state.ends).toBe(0);
    client.drain();
    await sending;
    expect(client.state.ends).toBe(1);
  });

  it("is given up when the client leaves, before it began or while it waits", async () => {
    for (const drains of [0, 1]) {
      const client = aClient();
      client.state.hasRoom = false;
      const { state, all } = portions([[large], [large]]);
      const sending = sendAnswers(client.call, all, (value) => value);
      for (let n = 0; n < drains; n++) client.drain();
      await turn();
      client.leave();
      await sending;
      expect([state.asked, state.isOver, client.state.ends]).toEqual([drains, drains > 0, 0]);
    }
  });

  it("fails with what its portions fail with", async () => {
    const failing = (async function* () {
      yield [large];
      throw new Error("gone");
    })();
    await expect(sendAnswers(aClient().call, failing, (value) => value)).rejects.toThrow("gone");
  });
});
