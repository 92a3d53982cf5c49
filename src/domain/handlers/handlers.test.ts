import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import {
  aDefinition,
  aGate,
  aHandlerStore,
  fromQueue,
  type HandlerDomain,
  success,
  thrown,
} from "../../../test/support/handlers.ts";
import { until } from "../../../test/support/notifications.ts";
import type { Principal } from "../auth/principal.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { HandlerDefinition } from "./handler.ts";
import { timedOut } from "./timed-out.ts";

let store: Awaited<ReturnType<typeof aHandlerStore>>;
const open: HandlerDomain[] = [];
beforeAll(async () => {
  store = await aHandlerStore();
});
afterEach(async () => {
  for (const domain of open.splice(0)) await domain.handlers.stop(0);
});
afterAll(() => store[Symbol.asyncDispose]());

/** A server with these handlers. */
async function aDomain(
  definitions: readonly Partial<HandlerDefinition>[] = [{}],
  environment?: string,
  hasFunctionUrls?: () => boolean,
) {
  const options = { ...(environment !== undefined && { environment }), ...(hasFunctionUrls && { hasFunctionUrls }) };
  const domain = await store.domain({ definitions, ...options });
  open.push(domain);
  return domain;
}

async function started(...definitions: readonly Partial<HandlerDefinition>[]) {
  const domain = await aDomain(definitions.length === 0 ? [{}] : definitions);
  await domain.handlers.start();
  return domain;
}

const infoOf = ({ handlers, principal }: HandlerDomain, name = "tasks") => handlers.read(principal, name);

describe("an invocation", () => {
  it("gives the event to the function and answers what it says", async () => {
    const { handlers, environment, runtime, clock } = await started({ timeoutMs: 5000 });
    runtime.answer = (event) => success({ echo: event });
    expect(await handlers.invoke(environment, "tasks", '{"a":1}')).toEqual(success({ echo: { a: 1 } }));
    const [invocation] = runtime.invocations;
    expect(invocation).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      event: '{"a":1}',
      deadlineMs: clock.wallMs() + 5000,
      timeoutMs: 5000,
      functionArn: "arn:aws:lambda:us-east-1:000000000000:function:tasks",
    });
  });

  it("is counted by what became of it, for the handler and its environment", async () => {
    const domain = await started();
    const { handlers, environment, runtime } = domain;
    const [good, bad, late] = [success(1), thrown("no", "TypeError"), timedOut({ id: "1", timeoutMs: 30_000 })];
    for (const result of [good, bad, late, bad]) {
      runtime.answer = () => {
        domain.advance(100);
        return result;
      };
      await handlers.invoke(environment, "tasks", "{}");
    }
    expect(infoOf(domain)).toMatchObject({
      state: "ready",
      counts: { succeeded: 1, failed: 2, timedOut: 1 },
      lastError: { message: "TypeError: no" },
    });
    expect(handlers.stats().get(environment)).toEqual({
      ...{ succeeded: 1, failed: 2, timedOut: 1, durationMs: 400 },
      ...{ running: 0, waiting: 0, failing: 0 },
    });
    handlers.forgetEnvironment(environment);
    expect(handlers.stats().get("")).toMatchObject({ failed: 2, durationMs: 400 });
  });

  it("waits for its turn when as many run as the handler takes, first come first served", async () => {
    const domain = await started({ concurrency: 2 });
    const { handlers, environment, runtime } = domain;
    const gates = [aGate(), aGate(), aGate(), aGate()];
    const order: number[] = [];
    runtime.answer = async (event) => {
      const n = Number(event);
      order.push(n);
      await gates[n]?.passed;
      return success(n);
    };
    const all = gates.map((_, n) => handlers.invoke(environment, "tasks", String(n)));
    await until(() => order.length === 2);
    expect(infoOf(domain)).toMatchObject({ running: 2, waiting: 2 });
    gates[1]?.open();
    await until(() => order.length === 3);
    expect(order).toEqual([0, 1, 2]);
    for (const gate of gates) gate.open();
    expect(await Promise.all(all)).toEqual([0, 1, 2, 3].map(success));
    expect(infoOf(domain)).toMatchObject({ running: 0, waiting: 0 });
  });

  it("is refused when it would have to wait for longer than its caller does, or as the one too many", async () => {
    const domain = await started();
    const { handlers, environment, runtime } = domain;
    const gate = aGate();
    runtime.answer = async () => {
      await gate.passed;
      return success(1);
    };
    const first = handlers.invoke(environment, "tasks", "1");
    const second = handlers.invoke(environment, "tasks", "2", { timeoutMs: 3000 });
    const refused = expect(second).rejects.toMatchObject({ code: "limit_exceeded", retryAfterMs: 1000 });
    domain.advance(4000);
    await refused;
    const waiting = Array.from({ length: limits.handler.waitingMax }, () => handlers.invoke(environment, "tasks", "3"));
    await expect(handlers.invoke(environment, "tasks", "4")).rejects.toThrow("no more may");
    gate.open();
    await first;
    expect(new Set(await Promise.all(waiting.map(async (one) => (await one).kind)))).toEqual(new Set(["success"]));
    expect(runtime.invocations).toHaveLength(1 + limits.handler.waitingMax);
  });

  it("has what its caller's time leaves it, and never more than the handler's own", async () => {
    const { handlers, environment, runtime } = await started({ timeoutMs: 5000 });
    await handlers.invoke(environment, "tasks", "1", { timeoutMs: 2000 });
    await handlers.invoke(environment, "tasks", "1", { timeoutMs: 60_000 });
    expect(runtime.invocations.map(({ timeoutMs }) => timeoutMs)).toEqual([2000, 5000]);
  });

  it("of a caller needs the right to it, and must be JSON of bounded size", async () => {
    const { handlers, environment, runtime } = await started({}, { name: "other" });
    runtime.answer = () => success(1);
    const principal: Principal = {
      ...{ kind: "key", environment, isSuperUser: false, isOperator: false, tokenId: "", expiresAtMs: undefined },
      grants: [{ resource: "handler", role: "invoke", handler: { name: "tasks" } }],
    };
    expect(await handlers.invokeAs(principal, "tasks", "{}")).toEqual(success(1));
    expect(handlers.list(principal).map(({ name }) => name)).toEqual(["tasks"]);
    await expect(handlers.invokeAs(principal, "other", "{}")).rejects.toThrow(
      'this credential may not do handler.invoke on handler "other"',
    );
    await expect(handlers.invokeAs(principal, "tasks", "{")).rejects.toMatchObject({ code: "invalid_argument" });
    const large = JSON.stringify("a".repeat(limits.handler.eventMaxBytes));
    await expect(handlers.invokeAs(principal, "tasks", large)).rejects.toMatchObject({ code: "limit_exceeded" });
    const stranger = { ...principal, grants: [] };
    expect(() => handlers.list(stranger)).toThrow("may not do handler.read");
    expect(() => handlers.read(stranger, "tasks")).toThrow("may not do handler.read");
    await expect(handlers.attach(principal, aDefinition({ name: "mine" }))).rejects.toThrow("may not do handler.run");
  });

  it("of a handler that is not there says so, in another environment too", async () => {
    const { handlers } = await started();
    await expect(handlers.invoke("dev", "tasks", "{}")).rejects.toMatchObject({ code: "not_found" });
  });
});

describe("a handler that is called before it is there", () => {
  it("is told once, and again when it was there meanwhile", async () => {
    const domain = await aDomain([]);
    const { handlers, environment, principal, warnings } = domain;
    const call = () => handlers.invoke(environment, "late", "{}").catch((error: unknown) => error);
    for (let n = 0; n < 3; n++) expect(await call()).toMatchObject({ code: "not_found" });
    const told = "a handler is called that does not exist";
    expect(warnings()).toEqual([told]);
    const { run: _, environment: __, ...request } = aDefinition({ name: "late" });
    await (await handlers.attach(principal, request)).detach();
    await call();
    expect(warnings()).toEqual([told, told]);
  });
});

describe("an attachment", () => {
  it("says what is to feed it and is not there, and so does the handler until it is", async () => {
    const domain = await aDomain([]);
    const { handlers, principal } = domain;
    const { run: _, environment: __, ...definition } = aDefinition();
    const topic = { kind: "topic", cache: "none", topic: "t" } as const;
    const attachment = await handlers.attach(principal, { ...definition, sources: [fromQueue("q"), topic] });
    expect(attachment.waitsFor).toEqual(['queue "q"', 'topic "t" of cache "none"']);
    expect(infoOf(domain)).toMatchObject({ state: "waiting", waitsFor: attachment.waitsFor });
    await domain.caches.create(principal, "none");
    await domain.queue("q");
    domain.advance(1000);
    await until(() => infoOf(domain).state === "ready");
    expect(infoOf(domain)).toMatchObject({ waitsFor: [], lastError: undefined });
    await attachment.detach();
  });

  it("with a URL is refused where function URLs are those of another environment", async () => {
    const { handlers, principal, environment } = await aDomain([], undefined, () => false);
    const { run: _, environment: __, ...definition } = aDefinition();
    const attached = handlers.attach(principal, { ...definition, functionUrl: { auth: "none" } });
    await expect(attached).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringContaining(`configure functions.environment: ${environment}`),
    });
    expect(handlers.list(principal)).toEqual([]);
  });
});

describe("a start", () => {
  it("in an environment that is not there names how to make it", async () => {
    const domain = await aDomain([{ environment: "nowhere" }]);
    await domain.handlers.start();
    const message = domain.handlers.get("nowhere", "tasks")?.info.lastError?.message;
    expect(message).toMatch(/environment "nowhere" does not exist: todoku env create nowhere$/);
  });

  it("that fails is told and tried again, and what is invoked meanwhile is refused", async () => {
    const domain = await aDomain();
    const { handlers, environment, runtime, principal } = domain;
    runtime.refusal = new TodokuError("unavailable", "no such program");
    await handlers.start();
    expect(infoOf(domain)).toMatchObject({
      state: "failing",
      lastError: { message: "it could not be started: no such program" },
    });
    expect((await handlers.logs.read(principal, "tasks", {})).lines).toMatchObject([
      { stream: "system", text: "it could not be started: no such program" },
    ]);
    expect(handlers.stats().get(environment)).toMatchObject({ failing: 1 });
    await expect(handlers.invoke(environment, "tasks", "{}")).rejects.toMatchObject({ code: "unavailable" });
    runtime.refusal = undefined;
    domain.advance(limits.handler.startRetry.firstMs + 1000);
    await until(() => infoOf(domain).state === "ready");
    expect(await handlers.invoke(environment, "tasks", "{}")).toEqual(success(null));
    // One key for all tries.
    expect(await domain.keys()).toHaveLength(1);
  });

  it("lets those wait who came before it", async () => {
    const { handlers, environment, runtime } = await aDomain();
    const invoked = handlers.invoke(environment, "tasks", "{}");
    expect(runtime.starts).toEqual([]);
    await handlers.start();
    expect(await invoked).toEqual(success(null));
  });

  it("gives the program its variables and its secrets, and none of these to anybody else", async () => {
    const domain = await aDomain([{ variables: { STAGE: "dev" }, secrets: { PASSWORD: "db-password" } }]);
    const { handlers, secrets, principal, runtime } = domain;
    await secrets.put(principal, "db-password", "hush");
    await handlers.start();
    expect(runtime.starts[0]?.parts.environmentVariables).toEqual({ STAGE: "dev", PASSWORD: "hush" });
    expect(JSON.stringify(handlers.list(principal))).not.toMatch(/hush|STAGE|tdk_/);
  });

  it("waits for a secret that is not there", async () => {
    const domain = await aDomain([{ secrets: { PASSWORD: "db-password" } }]);
    await domain.handlers.start();
    expect(infoOf(domain).lastError?.message).toContain('secret "db-password" does not exist');
    await domain.secrets.put(domain.principal, "db-password", "hush");
    domain.advance(limits.handler.startRetry.firstMs + 1000);
    await until(() => infoOf(domain).state === "ready");
  });

  it("is made anew within a minute of a secret's new version, and what runs ends where it began", async () => {
    const domain = await aDomain([{ concurrency: 2, secrets: { PASSWORD: "db-password" } }]);
    const { handlers, secrets, principal, runtime, environment } = domain;
    await secrets.put(principal, "db-password", "one");
    await handlers.start();
    const gate = aGate();
    runtime.answer = async () => {
      await gate.passed;
      return success("old");
    };
    const running = handlers.invoke(environment, "tasks", "{}");
    await secrets.put(principal, "db-password", "two");
    domain.advance(limits.handler.secretsCheckMs + 1000);
    await until(() => runtime.starts.length === 2);
    expect(runtime.starts[1]?.parts.environmentVariables).toEqual({ PASSWORD: "two" });
    expect(runtime.starts[0]?.stops).toBe(0);
    gate.open();
    expect(await running).toEqual(success("old"));
    await until(() => runtime.starts[0]?.stops === 1);
    await handlers.checkSecrets();
    expect(runtime.starts).toHaveLength(2);
    expect(await domain.keys()).toHaveLength(1);
  });
});

describe("the key of a handler", () => {
  const grants = [{ resource: "queue", role: "send", queue: { name: "answers" } }] as const;

  it("has its grants and no other, and is void when the server has stopped", async () => {
    const domain = await started({ grants });
    const { handlers, runtime, access, environment } = domain;
    const { credentials } = runtime.starts[0]?.parts ?? {};
    if (!credentials) throw new Error("it was not started");
    expect(credentials.accessKeyId).toBe(credentials.keyId);
    const principal = await access.keys.verify(credentials.apiKey);
    expect(principal).toMatchObject({ environment, isSuperUser: false, isOperator: false, grants });
    expect(await domain.keys()).toEqual([expect.stringMatching(/^handler\/tasks\/[0-9a-f]{16}$/)]);
    await handlers.stop(0);
    await expect(access.keys.verify(credentials.apiKey)).rejects.toMatchObject({ code: "unauthenticated" });
    expect(principal.withdrawal?.isDone).toBe(true);
    expect(await domain.keys()).toEqual([]);
  });

  it("may be one that may do nothing", async () => {
    const { runtime, access } = await started();
    const principal = await access.keys.verify(runtime.starts[0]?.parts.credentials.apiKey ?? "");
    expect(principal).toMatchObject({ isSuperUser: false, grants: [] });
  });

  it("that a crash left is ended by the next start, and keys of others are not", async () => {
    const crashed = await started({ grants });
    const { environment, principal, access, runtime } = crashed;
    open.splice(open.indexOf(crashed), 1); // as if killed: nobody stops it
    await access.keys.create(principal, { name: "handler/own", isSuperUser: true, grants: [] });
    const next = await aDomain([{ name: "other" }], environment);
    await next.handlers.start();
    const apiKey = runtime.starts[0]?.parts.credentials.apiKey ?? "";
    await expect(next.access.keys.verify(apiKey)).rejects.toMatchObject({ code: "unauthenticated" });
    expect(await next.keys()).toEqual(["handler/own", expect.stringMatching(/^handler\/other\//)]);
  });

  it("is another one when its environment was destroyed and made again", async () => {
    const domain = await started({ grants });
    const { environments, environment, runtime } = domain;
    const operator: Principal = { ...domain.principal, environment: "somewhere-else", isOperator: true };
    await environments.destroy(operator, environment);
    await until(() => runtime.starts[0]?.stops === 1);
    await environments.ensure(environment);
    await until(() => {
      domain.advance(1000);
      return runtime.starts.length === 2;
    });
    const [was, now] = runtime.starts.map(({ parts }) => parts.credentials.keyId);
    expect(now).not.toBe(was);
    expect(infoOf(domain)).toMatchObject({ state: "ready" });
  });
});

describe("a stop", () => {
  it("lets what runs end, refuses what comes, and ends the program", async () => {
    const domain = await started();
    const { handlers, environment, runtime } = domain;
    const gate = aGate();
    runtime.answer = async () => {
      await gate.passed;
      return success(1);
    };
    const running = handlers.invoke(environment, "tasks", "1");
    const waiting = handlers.invoke(environment, "tasks", "2");
    await until(() => runtime.invocations.length === 1);
    const stopped = handlers.stop(5000);
    await expect(waiting).rejects.toMatchObject({ code: "unavailable" });
    await expect(handlers.invoke(environment, "tasks", "3")).rejects.toMatchObject({ code: "unavailable" });
    expect(runtime.starts[0]?.stops).toBe(0);
    gate.open();
    await stopped;
    expect(await running).toEqual(success(1));
    expect(runtime.starts[0]?.stops).toBe(1);
  });

  it("lets what began before a secret changed end too, and ends that program as well", async () => {
    const domain = await aDomain([{ concurrency: 2, secrets: { PASSWORD: "db-password" } }]);
    const { handlers, secrets, principal, runtime, environment } = domain;
    await secrets.put(principal, "db-password", "one");
    await handlers.start();
    const gates = [aGate(), aGate()];
    const begin = (gate: (typeof gates)[number] | undefined) => {
      runtime.answer = async () => {
        await gate?.passed;
        return success(1);
      };
      return handlers.invoke(environment, "tasks", "{}");
    };
    const first = begin(gates[0]);
    await secrets.put(principal, "db-password", "two");
    await handlers.checkSecrets();
    const second = begin(gates[1]);
    await until(() => runtime.invocations.length === 2);
    const stopped = handlers.stop(5000);
    gates[1]?.open();
    await second;
    expect(runtime.starts.map(({ stops }) => stops)).toEqual([0, 0]);
    domain.advance(6000);
    await stopped;
    expect(runtime.starts.map(({ stops }) => stops)).toEqual([1, 1]);
    gates[0]?.open();
    await first;
  });

  it("waits for nobody longer than it was told to", async () => {
    const domain = await started();
    const { handlers, environment, runtime } = domain;
    const gate = aGate();
    runtime.answer = async () => {
      await gate.passed;
      return success(1);
    };
    const running = handlers.invoke(environment, "tasks", "1");
    await until(() => runtime.invocations.length === 1);
    const stopped = handlers.stop(3000);
    domain.advance(4000);
    await until(() => runtime.starts[0]?.stops === 1);
    gate.open();
    await Promise.all([stopped, running]);
  });
});

describe("an attached handler", () => {
  const request = () => aDefinition({ name: "mine", variables: { A: "1" }, sources: [fromQueue("tasks")] });

  it("that is there before the others are started is left alone: the port is open first", async () => {
    const domain = await aDomain();
    const { handlers, principal, access } = domain;
    const [attachment] = await Promise.all([handlers.attach(principal, request()), handlers.start()]);
    await access.keys.verify(attachment.credentials.apiKey);
    await domain.queue("tasks");
    await domain.send("tasks", "one");
    domain.advance(2000);
    const invocation = await attachment.next(new AbortController().signal);
    expect(JSON.parse(invocation?.event ?? "")).toMatchObject({ Records: [{ body: "one" }] });
  });

  it("whose environment goes while it is made is gone with it", async () => {
    const { handlers, principal, environment } = await started();
    const attaching = handlers.attach(principal, request());
    handlers.forgetEnvironment(environment);
    await attaching.catch(() => undefined);
    await until(() => handlers.get(environment, "mine") === undefined);
  });

  it("is worked on by who attached it, is fed like any other, and is gone when it is detached", async () => {
    const domain = await started();
    const { handlers, principal, environment, access } = domain;
    await domain.queue("tasks");
    const attachment = await handlers.attach(principal, request());
    expect(attachment).toMatchObject({ environment, name: "mine", environmentVariables: { A: "1" } });
    expect(handlers.attachment(principal, attachment.id)).toBe(attachment);
    await access.keys.verify(attachment.credentials.apiKey);
    await domain.send("tasks", "one");
    const invocation = await attachment.next(new AbortController().signal);
    expect(JSON.parse(invocation?.event ?? "")).toMatchObject({ Records: [{ body: "one" }] });
    attachment.respond(invocation?.id ?? "", success(null));
    await until(async () => (await domain.peek("tasks")).length === 0);
    await attachment.detach();
    expect(handlers.list(principal).map(({ name }) => name)).toEqual(["tasks"]);
    await expect(access.keys.verify(attachment.credentials.apiKey)).rejects.toMatchObject({ code: "unauthenticated" });
    expect(() => handlers.attachment(principal, attachment.id)).toThrow("there is no such attachment");
  });

  it("is gone with a runtime that is silent, and what it had comes back", async () => {
    const domain = await started();
    const { handlers, principal } = domain;
    await domain.queue("tasks");
    const attachment = await handlers.attach(principal, request());
    await domain.send("tasks", "one");
    await attachment.next(new AbortController().signal);
    domain.advance(limits.handler.silenceMs + 1000);
    await until(() => handlers.list(principal).length === 1);
    await until(async () => (await domain.counts("tasks")).inFlight === 1);
    domain.advance(2000);
    expect((await domain.take("tasks")).map(({ body, receiveCount }) => [body, receiveCount])).toEqual([["one", 2]]);
    expect(await domain.keys()).toHaveLength(1);
  });

  it("must have a name that is free, and be what a handler may be", async () => {
    const { handlers, principal } = await started();
    const attach = (changes: Partial<HandlerDefinition>) => handlers.attach(principal, aDefinition(changes));
    await expect(attach({ name: "tasks" })).rejects.toMatchObject({ code: "already_exists" });
    const bad: readonly [Partial<HandlerDefinition>, string][] = [
      [{ name: "a/b" }, 'handler name "a/b" must be of A-Z, a-z, 0-9, - and _'],
      [{ name: "a".repeat(65) }, "handler name has 65 characters; must be <= 64"],
      [{ timeoutMs: 900_001 }, "timeoutMs"],
      [{ concurrency: 0 }, "concurrency"],
      [{ sources: [fromQueue("q"), fromQueue("q")] }, "two sources"],
      [{ sources: [fromQueue("q", { batchSize: 11 })] }, "batchSize"],
      [{ sources: [fromQueue("a b")] }, "queue name"],
      [{ variables: { AWS_REGION: "x" } }, 'the variable "AWS_REGION" of handler "mine" is a variable that the server'],
      [{ variables: { A: "x" }, secrets: { A: "y" } }, "with a value and a secret"],
      [{ grants: [{ resource: "queue", role: "send", queue: { name: "" } }] }, "must not be empty"],
    ];
    for (const [changes, message] of bad) await expect(attach({ name: "mine", ...changes })).rejects.toThrow(message);
    expect(handlers.list(principal)).toHaveLength(1);
  });
});
