import { Batch } from "./batch.ts";

/** Something whose bytes wait for the end of the turn. */
export interface Flushable {
  flush(): void;
}

let waiting: Flushable[] = [];
/** What was begun last in this turn: a frame for many sockets begins one batch. */
let begun: Batch | undefined;

/**
 * Flushes at the end of the next turn of the event loop; the caller sees to it that nothing is in the list twice. One list for
 * all: what is sent to a socket until then leaves in one write, and a write is what a delivery costs. Not at the end of this turn:
 * what was read while the last flush ran is fanned out a turn later. With 8 messages in flight to 1,000 sockets they leave in
 * groups of 7 or 8 instead of 4 and 4, at 1.2-2.0 us of CPU a delivery instead of 2.4-3.4. A lone message does not
 * feel it: at 50 messages a second to one socket p50 is 0.76 ms with two turns and 0.78 with one.
 */
export function flushSoon(what: Flushable): void {
  if (waiting.push(what) === 1) setImmediate(flushNextTurn);
}

function flushNextTurn(): void {
  setImmediate(flushAll);
}

/** The batch that begins with the frame. */
export function beginBatch(frame: Uint8Array): Batch {
  if (!begun?.isOnly(frame)) begun = new Batch(undefined, frame);
  return begun;
}

function flushAll(): void {
  const flushed = waiting;
  waiting = [];
  begun = undefined;
  for (const what of flushed) what.flush();
}
