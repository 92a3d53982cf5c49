import { beforeEach, describe, expect, it } from "vitest";
import { TestMachine } from "../../../test/support/clock.ts";
import { TimerWheel } from "../../lib/timer-wheel.ts";
import { limits } from "../limits.ts";
import { type AttachedHandler, AttachedRuntime } from "./attached.ts";
import type { HandlerDefinition } from "./handler.ts";
import { isTimedOut } from "./timed-out.ts";

let machine: TestMachine;
let wheel: TimerWheel;
let attached: AttachedHandler;
const definition: HandlerDefinition = {
  ...{ environment: "dev", name: "h", sources: [], timeoutMs: 1000, concurrency: 2, grants: [], secrets: {} },
  ...{ variables: {}, functionUrl: undefined, run: { kind: "attached" } },
};
const parts = {
  credentials: { keyId: "k", apiKey: "a", accessKeyId: "k", secretAccessKey: "s" },
  ...{ environmentVariables: {}, log: () => {} },
};
beforeEach(async () => {
  machine = new TestMachine();
  wheel = new TimerWheel(machine, { slots: 4096 });
  attached = await new AttachedRuntime(wheel).start(definition, parts);
});
const pass = (ms: number) => {
  machine.pass(ms);
  wheel.runOnce();
};
const invoke = (id: string, timeoutMs = 1000) =>
  attached.invoke({ id, event: "{}", deadlineMs: 0, timeoutMs, functionArn: "arn" });
const forever = () => new AbortController().signal;
const ok = { kind: "success", payload: "1" } as const;
const gone = { kind: "error", payload: expect.stringContaining("Runtime.Gone") };

describe("an attached runtime", () => {
  it("gets what is invoked in its order, whether it asked before or after, and its answers are the results", async () => {
    const first = invoke("a");
    const second = invoke("b");
    expect((await attached.next(forever()))?.id).toBe("a");
    expect((await attached.next(forever()))?.id).toBe("b");
    const asked = attached.next(forever());
    const third = invoke("c");
    expect((await asked)?.id).toBe("c");
    attached.respond("b", ok);
    attached.respond("a", { kind: "error", isHandled: true, payload: "{}" });
    attached.respond("c", ok);
    expect(await Promise.all([first, second, third])).toEqual([
      { kind: "error", isHandled: true, payload: "{}" },
      ok,
      ok,
    ]);
  });

  it("that asks in vain is told so, and loses nothing", async () => {
    const asking = new AbortController();
    const asked = attached.next(asking.signal);
    asking.abort();
    expect(await asked).toBeUndefined();
    void invoke("a");
    expect((await attached.next(forever()))?.id).toBe("a");
  });

  it("whose line broke before it had the invocation gets it again; not one that is answered", async () => {
    const line = new AbortController();
    const result = invoke("a");
    expect((await attached.next(line.signal))?.id).toBe("a");
    const again = attached.next(forever());
    line.abort();
    expect((await again)?.id).toBe("a");
    attached.respond("a", ok);
    expect(await result).toEqual(ok);
    const late = new AbortController();
    const second = invoke("b");
    await attached.next(late.signal);
    attached.respond("b", ok);
    late.abort();
    expect(await second).toEqual(ok);
    void invoke("c");
    expect((await attached.next(forever()))?.id).toBe("c");
  });

  it("that leaves when it is woken for work leaves the work to another", async () => {
    const leaving = new AbortController();
    const first = attached.next(leaving.signal);
    const second = attached.next(forever());
    void invoke("a");
    leaving.abort();
    expect([await first, (await second)?.id]).toEqual([undefined, "a"]);
  });

  it("that does not answer in time has failed, taken or not, and its answer is void", async () => {
    const [taken, waiting] = [invoke("a"), invoke("b")];
    await attached.next(forever());
    pass(1100);
    expect((await Promise.all([taken, waiting])).map(isTimedOut)).toEqual([true, true]);
    expect(() => attached.respond("a", ok)).toThrow("has no open invocation of this id");
    const asked = attached.next(forever());
    void invoke("c");
    expect((await asked)?.id).toBe("c");
  });

  it("is gone when it has not asked for a while, and never while it asks", async () => {
    const asking = new AbortController();
    const asked = attached.next(asking.signal);
    pass(10 * limits.handler.silenceMs);
    expect(attached.ended.aborted).toBe(false);
    asking.abort();
    await asked;
    pass(limits.handler.silenceMs - 100);
    const another = new AbortController();
    void invoke("a");
    await attached.next(another.signal);
    pass(limits.handler.silenceMs - 100);
    expect(attached.ended.aborted).toBe(false);
    const result = invoke("b", 60_000);
    pass(200);
    expect(attached.ended.aborted).toBe(true);
    expect(await result).toMatchObject(gone);
    await expect(attached.next(forever())).rejects.toMatchObject({ code: "not_found", subject: "attachment" });
  });

  it("that is stopped answers nobody any more, and who asks hears of it", async () => {
    const asked = attached.next(forever());
    await attached.stop();
    await expect(asked).rejects.toMatchObject({ code: "not_found" });
    expect(await invoke("a")).toMatchObject(gone);
    expect(() => attached.respond("a", ok)).toThrow("is not attached any more");
  });
});
