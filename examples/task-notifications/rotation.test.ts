// The keys of a running application are rotated under load, as cron would: nothing is restarted, and no request fails.
import { join } from "node:path";
import { expect, it, vi } from "vitest";
import { z } from "zod";
import { runCommand } from "../../test/support/cli.ts";
import { names } from "./shared/names.ts";
import { keyFileIn } from "./shared/settings.ts";
import { type Application, anApplication } from "./testing/application.ts";
import { aLog } from "./testing/log.ts";
import { aUser, type TestUser } from "./testing/user.ts";
import { startWorker } from "./worker/start-worker.ts";

vi.setConfig({ testTimeout: 90_000 });

const users = ["alice", "bob", "carol", "dave"];
const unbounded = { burst: 1e9, perMinute: 1e9 };

/** What the users of a page did, and how the API answered. */
class Load {
  readonly #app: Application;
  readonly #loops: Promise<unknown>;
  #isStopping = false;
  readonly taskIds = new Map<string, string[]>(users.map((user) => [user, []]));
  readonly failures: string[] = [];
  tokens = 0;

  constructor(app: Application) {
    this.#app = app;
    this.#loops = Promise.all(users.flatMap((user) => [this.#queue(user), this.#getTokens(user)]));
  }

  async #queue(user: string): Promise<void> {
    while (!this.#isStopping) {
      const response = await this.#app.call(user, "POST", "/task", { data: "paint" });
      const answer = (await response.json()) as { taskId: string };
      if (response.status === 202) this.taskIds.get(user)?.push(answer.taskId);
      else this.failures.push(`POST /task ${response.status}`);
    }
  }

  async #getTokens(user: string): Promise<void> {
    while (!this.#isStopping) {
      const response = await this.#app.call(user, "GET", "/token");
      await response.arrayBuffer();
      if (response.status === 200) this.tokens++;
      else this.failures.push(`GET /token ${response.status}`);
    }
  }

  /** Resolves when each user has had so many more answers of both kinds, or one has failed. */
  async goOn(count: number): Promise<void> {
    const of = () => [...[...this.taskIds.values()].map(({ length }) => length), this.tokens / users.length];
    const before = of();
    const isShort = () => of().some((value, at) => value < (before[at] ?? 0) + count);
    do await new Promise((resolve) => setTimeout(resolve, 5));
    while (isShort() && this.failures.length === 0);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#loops;
  }
}

const rotated = z.object({ keyId: z.string(), oldKeyId: z.string(), oldExpiresAtMs: z.number() });

/** `todoku key rotate`. */
async function rotate(app: Application, secret: string, overlap: string): Promise<z.output<typeof rotated>> {
  const command = runCommand(["key", "rotate", "--secret", secret, "--overlap", overlap, "--json"], {
    TODOKU_URL: app.todoku.url,
  });
  expect(await command.done, command.stderr).toBe(0);
  return rotated.parse(JSON.parse(command.stdout));
}

/** Each task was worked on once, and each user told once. */
async function allDone(load: Load, listeners: readonly TestUser[]): Promise<void> {
  for (const listener of listeners) {
    const taskIds = load.taskIds.get(listener.userId) ?? [];
    const done = () => listener.notifications.filter(({ status }) => status === "done");
    while (done().length < taskIds.length) await listener.next();
    expect(
      done()
        .map(({ taskId }) => taskId)
        .sort(),
    ).toEqual([...taskIds].sort());
    expect(done().filter(({ attempt }) => attempt !== 1)).toEqual([]);
  }
}

it("keys that are rotated five times with a short overlap, and once with none, are followed without one failed request", async () => {
  const api = aLog();
  const worker = aLog();
  await using app = await anApplication({ taskRate: unbounded, tokenRate: unbounded }, api.log);
  const { url: todokuUrl, stateDir } = app.todoku;
  // Their tokens are issued by the first key, and outlive it.
  const listeners = await Promise.all(
    users.map(async (user) => {
      const { token } = (await (await app.call(user, "GET", "/token")).json()) as { token: string };
      return aUser(app.todoku, user, token);
    }),
  );
  const running = startWorker(
    {
      ...{ todokuUrl, keyFile: keyFileIn(stateDir, "worker"), cursorFile: join(stateDir, "dead-letters.json") },
      ...{ concurrency: 8, taskMs: 5, drainMs: 10_000, deadLetterPollMs: 20 },
    },
    worker.log,
  );
  const load = new Load(app);
  await load.goOn(5); // with the first keys
  for (const overlap of ["300ms", "300ms", "0", "300ms", "300ms", "300ms"]) {
    const ended = await Promise.all(
      [names.apiSecret, names.workerSecret].map((secret) => rotate(app, secret, overlap)),
    );
    const endMs = Math.max(...ended.map(({ oldExpiresAtMs }) => oldExpiresAtMs));
    // Until the old keys have ended, and then some.
    while (Date.now() <= endMs) await load.goOn(1);
    await load.goOn(5);
  }
  await load.stop();
  expect(load.failures).toEqual([]);
  await allDone(load, listeners);
  await running.close();
  for (const listener of listeners) listener[Symbol.dispose]();

  const seen = (lines: readonly string[]) => lines.filter((line) => line.includes('"another text"')).length;
  expect([seen(api.lines), seen(worker.lines)]).toEqual([6, 6]);
  const complaints = [...api.lines, ...worker.lines].filter((line) => JSON.parse(line).level > 30);
  expect(complaints).toEqual([]);
});
