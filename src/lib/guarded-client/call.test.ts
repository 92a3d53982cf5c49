import { Buffer } from "node:buffer";
import type { Dispatcher } from "undici";
import { expect, it } from "vitest";
import { Call } from "./call.ts";
import type { GuardedResult } from "./guarded-client.ts";

it("copies what it keeps of a body: chunks of a byte would hold all that was received with them, 4 GiB in a body of 64 KiB", async () => {
  const controller = { abort: () => undefined } as unknown as Dispatcher.DispatchController;
  const result = await new Promise<GuardedResult>((resolve) => {
    const request = { method: "POST", url: "http://receiver.test/", headers: {} } as const;
    const call = new Call({ ...request, timeoutMs: 5000, answerMaxBytes: 1000 }, resolve);
    call.onResponseStart(controller, 200, {});
    for (const text of "answer") {
      const received = Buffer.alloc(65_536, text);
      call.onResponseData(controller, received.subarray(7, 8));
      received.fill(0);
    }
    call.onResponseEnd();
  });
  const { body } = result as Extract<GuardedResult, { kind: "answer" }>;
  expect([body.toString(), body.buffer.byteLength]).toEqual(["answer", 6]);
});
