// The wall clock is set by an hour, forward and back, while everything is in use: see docs/design/clocks.md.
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, it as plainIt } from "vitest";
import { limits } from "../../src/domain/limits.ts";
import { SettableMachine } from "../support/clock.ts";
import { localCredential, momentoClients, subscribe } from "../support/momento-node.ts";
import { startDevProcess } from "../support/process.ts";
import { aDirectory, aServer } from "../support/server.ts";
import { follow } from "../support/sse.ts";

const hourMs = 3_600_000;
const visibilitySeconds = 6;

interface MessageJson {
  readonly body: string;
  readonly receiptHandle: string;
  readonly receiveCount: number;
}

/** A server that the tests speak to. */
class Spoken {
  readonly url: string;

  constructor(url: string) {
    this.url = url;
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  async post<T = Record<string, unknown>>(path: string, body: object): Promise<T> {
    const response = await fetch(`${this.url}/v1/${path}`, {
      ...{ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) },
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? ({} as T) : response.json();
  }

  async receive(queue: string, more: object = {}): Promise<MessageJson[]> {
    const answer = await this.post<{ messages: MessageJson[] }>(`queues/${queue}/receive`, {
      maxMessages: 10,
      ...more,
    });
    return answer.messages;
  }

  /** Commits of the data file so far: upkeep makes some each second, and a storm of timers or looks would make many. */
  async commits(): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    return Number(/^todoku_storage_commits_total (\d+)$/m.exec(text)?.[1]);
  }

  /** Publishes without a pause until it is stopped; resolves with how many were acknowledged. */
  publishes(cache: string) {
    let isStopped = false;
    const done = (async () => {
      let count = 0;
      for (; !isStopped; count++) await this.post(`topics/${cache}/t`, { text: `${count}` });
      return count;
    })();
    return {
      stop() {
        isStopped = true;
        return done;
      },
    };
  }

  /** Sends and works off without a pause until it is stopped; then what was sent, and each receive with its count. */
  works(queue: string) {
    let isStopped = false;
    const received: MessageJson[] = [];
    const sender = (async () => {
      let sent = 0;
      for (; !isStopped; sent++) await this.post(`queues/${queue}/send`, { body: `${sent}`, delaySeconds: sent % 2 });
      return sent;
    })();
    const worker = (async () => {
      for (let isOver = false; !isOver; ) {
        const isLast = isStopped;
        const messages = await this.receive(queue, { waitSeconds: 2 });
        received.push(...messages);
        const receiptHandles = messages.map(({ receiptHandle }) => receiptHandle);
        if (receiptHandles.length > 0) await this.post(`queues/${queue}/delete`, { receiptHandles });
        isOver = isLast && messages.length === 0;
      }
    })();
    return {
      received,
      async stop() {
        isStopped = true;
        const sent = await sender;
        await worker;
        return sent;
      },
    };
  }
}

const it = plainIt.extend<{ machine: SettableMachine; server: Spoken }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest asks for a pattern.
  machine: async ({}, use) => use(new SettableMachine()),
  server: async ({ machine }, use) => {
    await using running = await aServer({}, { machineClocks: machine });
    await use(new Spoken(running.url));
  },
});

/** Sets the clock forward by an hour, back by two, and forward again, with load between. */
async function shake(machine: SettableMachine): Promise<void> {
  for (const hours of [1, -2, 1]) {
    await pause(700);
    machine.setBy(hours * hourMs);
    await pause(700);
  }
}

describe.concurrent("while the wall clock is set by an hour, forward and back,", () => {
  it("topics lose and repeat nothing, their streams stay, and their histories keep everything", async ({
    server,
    machine,
  }) => {
    for (const durability of ["memory", "disk"]) await server.post("caches", { name: durability, durability });
    using momento = momentoClients(localCredential(server.port));
    for (const cache of ["memory", "disk"]) {
      const [sdk, stream] = [
        await subscribe(momento.topics, cache, "t"),
        await follow(`${server.url}/v1/topics/${cache}/t`),
      ];
      const load = server.publishes(cache);
      await shake(machine);
      const count = await load.stop();
      const wanted = Array.from({ length: count }, (_, n) => `${n}`);
      const items = (await sdk.waitFor(count)).map((item) => item.value());
      expect(items).toEqual(wanted);
      expect([sdk.discontinuities, sdk.errors, sdk.connectionsLost]).toEqual([[], [], 0]);
      const streamed: { text: string; publishedAtMs: number }[] = [];
      while (streamed.length < count) streamed.push(await stream.nextData());
      expect(streamed.map(({ text }) => text)).toEqual(wanted);
      const times = streamed.map(({ publishedAtMs }) => publishedAtMs);
      expect(times).toEqual(times.toSorted((a, b) => a - b));
      const { items: kept } = (await (await fetch(`${server.url}/v1/topics/${cache}/t/items?limit=1000`)).json()) as {
        items: unknown[];
      };
      expect(kept).toHaveLength(Math.min(count, 1000));
      stream.close();
      sdk.subscription.unsubscribe();
    }
  });

  it("a messageId is known for as long as ever", async ({ server, machine }) => {
    await server.post("caches", { name: "memory", durability: "memory" });
    await server.post("caches", { name: "disk", durability: "disk" });
    await server.post("queues", { name: "q" });
    const again = async () => [
      await server.post("topics/memory/t", { text: "x", messageId: "m" }),
      await server.post("topics/disk/t", { text: "x", messageId: "m" }),
      await server.post("queues/q/send", { body: "x", messageId: "m" }),
    ];
    await again();
    for (const hours of [1, -2, 1]) {
      machine.setBy(hours * hourMs);
      await pause(1200); // upkeep, which forgets what is old, runs each second
      expect(await again()).toMatchObject([{ isRepeat: true }, { isRepeat: true }, { isRepeat: true }]);
    }
  });

  it("queues lose nothing and redeliver nothing, no lease ends early, and none lasts longer", async ({
    server,
    machine,
  }) => {
    await server.post("queues", { name: "load", visibilitySeconds });
    await server.post("queues", { name: "held", visibilitySeconds });
    await server.post("queues/held/send", { body: "held" });
    const [held] = await server.receive("held");
    expect(held?.receiveCount).toBe(1);
    const heldAtMs = performance.now();
    const load = server.works("load");
    await shake(machine);
    expect(await server.receive("held")).toEqual([]);
    const [again] = await server.receive("held", { waitSeconds: visibilitySeconds + 2 });
    const tookMs = performance.now() - heldAtMs;
    expect(again?.receiveCount).toBe(2);
    // A tenth earlier or later: the pace of the steady clock while it comes back to the wall clock.
    expect(tookMs).toBeGreaterThanOrEqual(0.9 * visibilitySeconds * 1000 - 50);
    expect(tookMs).toBeLessThan(1.1 * visibilitySeconds * 1000 + 500);
    const sent = await load.stop();
    const bodies = load.received.map(({ body }) => Number(body)).toSorted((a, b) => a - b);
    expect(bodies).toEqual(Array.from({ length: sent }, (_, n) => n));
    expect(new Set(load.received.map(({ receiveCount }) => receiveCount))).toEqual(new Set([1]));
  });

  it("a receive that waits gets what is delayed when it is due, and no timer runs wild", async ({
    server,
    machine,
  }) => {
    await server.post("queues", { name: "q" });
    const idle = await server.commits();
    await pause(2000);
    const perSecond = ((await server.commits()) - idle) / 2;
    for (const hours of [1, -2]) {
      const before = await server.commits();
      const startMs = performance.now();
      await server.post("queues/q/send", { body: "late", delaySeconds: 2 });
      const waiting = server.receive("q", { waitSeconds: 10 });
      await pause(300);
      machine.setBy(hours * hourMs);
      expect(await waiting).toMatchObject([{ body: "late" }]);
      const tookMs = performance.now() - startMs;
      expect(tookMs).toBeGreaterThanOrEqual(0.9 * 2000 - 50);
      expect(tookMs).toBeLessThan(1.1 * 2000 + 500);
      // A send, a receive, and a few looks when the wheel and the steady clock differ.
      expect((await server.commits()) - before).toBeLessThan((perSecond * tookMs) / 1000 + 20);
    }
  });

  it("items live as long as they were given", async ({ server, machine }) => {
    using momento = momentoClients(localCredential(server.port));
    const caches = ["memory", "disk"];
    for (const name of caches) {
      await server.post("caches", { name, durability: name });
      await momento.cache.set(name, "long", "v", { ttl: 60 });
    }
    const read = (key: string) =>
      Promise.all(caches.map(async (cache) => (await momento.cache.get(cache, key)).value()));
    for (const hours of [1, -2, 1]) {
      for (const cache of caches) await momento.cache.set(cache, "short", "v", { ttl: 2 });
      machine.setBy(hours * hourMs);
      await pause(1200);
      expect([await read("long"), await read("short")]).toEqual([
        ["v", "v"],
        ["v", "v"],
      ]);
      await pause(1200);
      expect([await read("long"), await read("short")]).toEqual([
        ["v", "v"],
        [undefined, undefined],
      ]);
    }
  });

  it("what was taken back stays so, in each way, and what was not is let in as long as it lasts", async ({
    server,
    machine,
  }) => {
    await server.post("caches", { name: "c", durability: "memory" });
    const onTopic = { resource: "topic", role: "publish", cache: { name: "c" }, topic: { name: "t" } };
    const long = { grants: [onTopic], validForSeconds: 4 * 3600 };
    const token = async (more: object = {}) =>
      server.post<{ token: string; jti: string }>("tokens", { ...long, ...more });
    const key = async (more: object = {}) =>
      server.post<{ keyId: string; apiKey: string }>("keys", { grants: [onTopic], ...more });
    const call = (credential: string, path: string, method = "POST", body: object = {}) =>
      fetch(`${server.url}/v1/${path}`, {
        ...{ method, body: JSON.stringify(body) },
        headers: { "content-type": "application/json", authorization: `Bearer ${credential}` },
      });
    const publish = async (credential: string) => {
      const response = await call(credential, "topics/c/t", "POST", { text: "x" });
      await response.arrayBuffer();
      return response.status;
    };
    const takeBack = async (label: string): Promise<Record<string, string>> => {
      const own = (await server.post<{ key: { apiKey: string } }>("environments", { name: `rotated${label}` })).key
        .apiKey;
      const signed = (await (await call(own, "tokens", "POST", long)).json()) as { token: string };
      expect((await call(own, "signing-keys", "POST", { overlapSeconds: 0 })).status).toBe(201);
      const [one, byId, byUser] = [await token(), await token({ tokenId: label }), await token({ userId: label })];
      const [revoked, deleted, ended, rotated] = [await key(), await key(), await key(), await key()];
      await server.post("revocations", { token: one.jti });
      await server.post("revocations", { tokenId: label });
      await server.post("revocations", { userId: label });
      await server.post("revocations", { keyId: revoked.keyId });
      await fetch(`${server.url}/v1/keys/${deleted.keyId}`, { method: "DELETE" });
      const now = { method: "PATCH", headers: { "content-type": "application/json" }, body: '{"expiresInSeconds": 0}' };
      expect((await fetch(`${server.url}/v1/keys/${ended.keyId}`, now)).status).toBe(200);
      await server.post(`secrets/s${label}`, { value: rotated.apiKey });
      await server.post("keys/rotate", { secret: `s${label}`, overlapSeconds: 0 });
      return {
        ...{ "signed by a key that was rotated out": signed.token, "a token": one.token, "of a token id": byId.token },
        ...{ "of a user": byUser.token, "a revoked key": revoked.apiKey, "a deleted key": deleted.apiKey },
        ...{ "a key that was ended": ended.apiKey, "a key that was rotated out": rotated.apiKey },
      };
    };
    const refused: [string, string][] = [];
    const expectAll = async () => {
      for (const [what, credential] of refused) expect([what, await publish(credential)]).toEqual([what, 401]);
    };
    const lasting = [(await token()).token, (await key({ validForSeconds: 4 * 3600 })).apiKey];
    const short = [(await token({ validForSeconds: 1800 })).token, (await key({ validForSeconds: 1800 })).apiKey];
    const load = server.publishes("c");
    for (const [n, hours] of [1, -2, 1].entries()) {
      for (const [what, credential] of Object.entries(await takeBack(`-${n}`)))
        refused.push([`${n}: ${what}`, credential]);
      machine.setBy(hours * hourMs); // at once: before upkeep has looked
      await expectAll();
      for (const credential of lasting) expect(await publish(credential)).toBe(200);
      if (hours === 1 && n === 0) for (const credential of short) expect(await publish(credential)).toBe(401);
      await pause(1200);
      await expectAll();
    }
    await server.post("revocations", { issuedBeforeMs: Date.now() + hourMs });
    expect(await publish(lasting[0] ?? "")).toBe(401);
    machine.setBy(-hourMs);
    expect(await publish(lasting[0] ?? "")).toBe(401);
    expect(await publish((await token()).token)).toBe(200);
    expect(await load.stop()).toBeGreaterThan(50);
  });

  it("streams end whose token or key has expired by the wall clock, within seconds, and no others", async ({
    server,
    machine,
  }) => {
    await server.post("caches", { name: "c", durability: "memory" });
    const grants = [{ resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { name: "t" } }];
    /** One with a token and one with an API key. */
    const streams = async (validForSeconds: number) => {
      const { token } = await server.post<{ token: string }>("tokens", { grants, validForSeconds });
      const { apiKey } = await server.post<{ apiKey: string }>("keys", { grants, validForSeconds });
      const open = (credential: string) =>
        follow(`${server.url}/v1/topics/c/t`, { authorization: `Bearer ${credential}` });
      return [await open(token), await open(apiKey)];
    };
    const [short, long] = [await streams(1800), await streams(7000)];
    machine.setBy(hourMs);
    const startMs = performance.now();
    for (const one of short) while (await one.next());
    expect(performance.now() - startMs).toBeLessThan(limits.expiryCheckMs + 2000);
    machine.setBy(-2 * hourMs);
    await server.post("topics/c/t", { text: "still here" });
    for (const one of long) {
      expect(await one.nextData()).toMatchObject({ text: "still here" });
      one.close();
    }
  });
});

describe.concurrent("a restart after the wall clock was set back hides nothing, and brings nothing back that had expired,", () => {
  async function prepare(server: Spoken): Promise<void> {
    await server.post("caches", { name: "c", durability: "disk" });
    await server.post("queues", { name: "q", visibilitySeconds: 1 });
    await server.post("queues/q/send", { messages: [{ body: "taken" }, { body: "delayed", delaySeconds: 1 }] });
    expect(await server.receive("q")).toMatchObject([{ body: "taken" }]);
    using momento = momentoClients(localCredential(server.port));
    await momento.cache.set("c", "short", "v", { ttl: 1 });
    await momento.cache.set("c", "long", "v", { ttl: 60 });
    await server.post("topics/c/t", { text: "x", messageId: "m" });
    await pause(2500); // upkeep frees what has expired
  }

  async function verify(server: Spoken): Promise<void> {
    using momento = momentoClients(localCredential(server.port));
    expect((await momento.cache.get("c", "short")).value()).toBeUndefined();
    expect((await momento.cache.get("c", "long")).value()).toBe("v");
    const received = await server.receive("q", { waitSeconds: 1 });
    if (received.length < 2) received.push(...(await server.receive("q", { waitSeconds: 2 })));
    expect(received.map(({ body }) => body).toSorted()).toEqual(["delayed", "taken"]);
    expect(await server.post("topics/c/t", { text: "x", messageId: "m" })).toMatchObject({ isRepeat: true });
  }

  it("of a server that has ended", async () => {
    await using directory = await aDirectory();
    const run = async (setByMs: number, work: (server: Spoken) => Promise<void>) => {
      const machineClocks = new SettableMachine(setByMs);
      await using server = await aServer({ dataDir: directory.path }, { machineClocks });
      await work(new Spoken(server.url));
    };
    await run(0, prepare);
    await run(-hourMs, verify);
  });

  it("of a process that was stopped for a while, which is no step, and then killed", async () => {
    await using directory = await aDirectory();
    const start = async (setByMs: number) => {
      const setClock = `const now = Date.now; Date.now = () => now() + ${setByMs};`;
      const child = await startDevProcess(["--port", "0", "--data-dir", directory.path], {
        NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --import=data:text/javascript,${encodeURIComponent(setClock)}`,
      });
      return { child, server: new Spoken(`http://127.0.0.1:${child.port}`) };
    };
    const first = await start(0);
    await prepare(first.server);
    first.child.child.kill("SIGSTOP");
    await pause(2000);
    first.child.child.kill("SIGCONT");
    await pause(2500); // two looks at the clocks
    expect(first.child.output().stderr).not.toContain("wall clock");
    await first.child.end("SIGKILL");
    const second = await start(-hourMs);
    await verify(second.server);
    expect(second.child.output().stderr).toMatch(/the wall clock is 3[56]\d\d s behind/);
    await second.child.end("SIGTERM");
  });
});
