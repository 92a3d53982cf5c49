import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { runCommand } from "../../../test/support/cli.ts";
import { anHttpDoor, type TestDoor } from "../../../test/support/http-door.ts";

let door: TestDoor;
beforeEach(async () => {
  door = await anHttpDoor({});
});
afterEach(() => door[Symbol.asyncDispose]());

async function run(args: readonly string[], stdin = ""): Promise<[number, string, string]> {
  const command = runCommand(args, { TODOKU_URL: door.url }, [Buffer.from(stdin)]);
  return [await command.done, command.stdout, command.stderr];
}
const apply = (file: unknown, ...options: string[]) => run(["apply", "-f", "-", ...options], JSON.stringify(file));
async function changesOf(file: unknown, ...options: string[]): Promise<string[]> {
  const [code, stdout, stderr] = await apply(file, "--json", ...options);
  expect([code, stderr]).toEqual([0, ""]);
  const { changes } = JSON.parse(stdout) as { changes: { action: string; kind: string; name: string }[] };
  return changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`);
}

const receive = { resource: "queue", role: "receive", queue: { name: "tasks" } };
const publish = { resource: "topic", role: "publish", cache: { all: true }, topic: { all: true } };
const file = {
  caches: [{ name: "notifications", durability: "memory" }],
  queues: [{ name: "tasks", visibilitySeconds: 60, deadLetter: { queue: "dead", maxReceives: 5 } }, { name: "dead" }],
  keys: [{ name: "worker", grants: [receive], secret: "worker-key" }],
};

describe("todoku apply", () => {
  it("makes what the file says, and nothing the second time", async () => {
    const [code, stdout, stderr] = await apply(file);
    expect([code, stderr]).toEqual([0, "4 changes made in environment dev\n"]);
    expect(stdout.split("\n")).toEqual([
      "+ queue dead",
      "+ queue tasks",
      "+ cache notifications",
      "+ key worker: into secret worker-key",
      "",
    ]);
    expect(await apply(file)).toEqual([0, "", "environment dev has it all: nothing to change\n"]);
  });

  it("puts a key into its secret, which works, and never prints it; without a secret it is printed once", async () => {
    const printed = await apply({ keys: [file.keys[0], { name: "admin", superUser: true }] });
    const [, held] = await run(["secret", "get", "worker-key"]);
    expect(printed[1]).not.toContain(held.trim());
    const [, listed] = await run(["queue", "list", "--json", "--api-key", held.trim()]);
    expect(JSON.parse(listed)).toEqual({ queues: [] });
    const [, admin = ""] = /^\+ key admin\n {2}(\S+)$/m.exec(printed[1]) ?? [];
    expect((await run(["key", "list", "--json", "--api-key", admin]))[0]).toBe(0);
  });

  it("puts what a webhook signs with into its secret, once, and again when the secret has lost it", async () => {
    const webhook = { cache: "c", name: "mail", topic: "sent", url: "https://mail.example/hook?token=t0" };
    const wanted = { webhooks: [{ ...webhook, secret: "mail-hook" }] };
    expect((await apply(wanted))[1]).toBe("+ webhook mail of cache c: into secret mail-hook\n");
    const [, signsWith] = await run(["webhook", "secret", "c", "mail"]);
    expect(await run(["secret", "get", "mail-hook"])).toEqual([0, signsWith, ""]);
    expect(await changesOf(wanted)).toEqual([]);

    await run(["secret", "put", "mail-hook"], "elsewhere");
    const line = "~ webhook mail of cache c: secret another value -> what it signs with, into secret mail-hook\n";
    expect((await apply(wanted))[1]).toBe(line);
    expect((await run(["secret", "get", "mail-hook", "--json"]))[1]).toContain('"version":3');
    await run(["secret", "rm", "mail-hook"]);
    expect(await changesOf(wanted)).toEqual(["update webhook mail"]);
    expect(await run(["secret", "get", "mail-hook"])).toEqual([0, signsWith, ""]);
  });

  it("changes a webhook, shows no query of a URL, and says where it is", async () => {
    const webhook = { cache: "c", name: "mail", topic: "sent", url: "https://mail.example/hook?token=t0" };
    await apply({ webhooks: [webhook] });
    const changed = { ...webhook, url: "https://mail.example/hook?token=t1", ordered: false };
    const line =
      "~ webhook mail of cache c: ordered true -> false, url https://mail.example/hook?... -> https://mail.example/hook?...\n";
    expect((await apply({ webhooks: [changed] }, "--dry-run"))[1]).toBe(line);
    const [, json] = await apply({ webhooks: [changed] }, "--json");
    expect(json).not.toContain("token=");
    const { changes, outputs } = JSON.parse(json) as { changes: unknown[]; outputs: Record<string, unknown> };
    expect(changes).toMatchObject([{ action: "update", kind: "webhook", name: "mail", cache: "c" }]);
    expect(outputs.webhooks).toEqual([{ cache: "c", name: "mail", path: "/v1/webhooks/c/mail" }]);
    expect((await run(["webhook", "list"]))[1]).toMatch(/^c +mail +sent +no /m);
    expect(await changesOf({ webhooks: [] })).toEqual([]);
    expect(await changesOf({ webhooks: [] }, "--prune")).toEqual(["delete webhook mail"]);
  });

  it.each([[[]], [["--dry-run"]]])("refuses a webhook that cannot be before it does anything %j", async (options) => {
    const webhook = { cache: "none", name: "..", topic: "t", url: "nonsense" };
    const problems = [
      'error: webhook "..": webhook name must not be ".."',
      'error: webhook "..": webhook url is no absolute URL, like https://example.com/hook',
      'error: webhook "..": its cache "none" is neither in the file nor there',
      "",
    ];
    expect(await apply({ queues: file.queues, webhooks: [webhook] }, ...options)).toEqual([1, "", problems.join("\n")]);
    expect(await apply({ webhooks: [{ ...webhook, name: "" }] }, ...options)).toEqual([
      2,
      "",
      expect.stringContaining("webhooks[0].name"),
    ]);
    expect(JSON.parse((await run(["queue", "list", "--json"]))[1])).toEqual({ queues: [] });
  });

  it("says of a change that fails that it failed, not that it was made", async () => {
    const webhook = { cache: "c", name: "inner", topic: "t", url: "http://10.0.0.1/" };
    const [code, stdout, stderr] = await apply({ queues: [{ name: "q" }], webhooks: [webhook] });
    expect([code, stdout]).toEqual([1, "+ queue q\n"]);
    expect(stderr).toMatch(/^failed: \+ webhook inner of cache c\nerror: .*not permitted; .*outbound\.allow\n$/);
  });

  it("shows what it would do, and does nothing, when it is asked for", async () => {
    expect((await apply(file, "--dry-run"))[2]).toBe("4 changes would be made in environment dev\n");
    expect((await apply(file, "--dry-run"))[2]).toBe("4 changes would be made in environment dev\n");
  });

  it("changes rights in place, and makes a key anew that its secret has lost", async () => {
    await apply(file);
    const [, held] = await run(["secret", "get", "worker-key"]);
    const wider = { keys: [{ ...file.keys[0], grants: [receive, publish] }] };
    expect(await changesOf(wider)).toEqual(["update key worker"]);
    expect((await run(["cache", "list", "--api-key", held.trim()]))[0]).toBe(1); // a worker's key still
    await run(["topic", "publish", "notifications", "t", "hello", "--api-key", held.trim()]);
    await run(["secret", "rm", "worker-key"]);
    expect(await changesOf(wider)).toEqual(["replace key worker"]);
    expect((await run(["secret", "get", "worker-key"]))[1]).not.toBe(held);
    expect(await changesOf(wider)).toEqual([]);
  });

  it.each([
    ["v1", "apiKey"],
    ["v2", "apiKeyV2"],
  ])("knows the key of a secret in its %s form", async (_, field) => {
    const grant = JSON.stringify(receive);
    const [, made] = await run(["key", "create", "--name", "worker", "--grant", grant, "--json"]);
    await run(["secret", "put", "worker-key"], `${JSON.parse(made)[field]}\n`);
    expect(await changesOf({ keys: file.keys })).toEqual([]);
    await run(["secret", "put", "worker-key"], "no key");
    expect(await changesOf({ keys: file.keys })).toEqual(["replace key worker"]);
  });

  it("makes a key anew that has ended, and leaves the one alone that a rotation has replaced", async () => {
    await apply(file);
    const keyId = async () => {
      const [, stdout] = await apply(file, "--json");
      return (JSON.parse(stdout) as { outputs: { keys: { worker: { keyId: string } } } }).outputs.keys.worker.keyId;
    };
    const first = await keyId();
    await run(["key", "expire", first, "--in", "0s"]);
    expect(await changesOf(file)).toEqual(["create key worker"]);
    const second = await keyId();
    await run(["key", "rotate", "--secret", "worker-key", "--overlap", "10m"]);
    expect(await changesOf(file)).toEqual([]);
    expect(new Set([first, second, await keyId()]).size).toBe(3);
  });

  it("deletes what the file does not have only when it is told to, and never a key without a name", async () => {
    await apply(file);
    await run(["key", "create", "--super-user"]);
    const less = { caches: [{ name: "c" }], queues: [], keys: [] }; // the door has a cache of its own
    expect(await changesOf(less)).toEqual([]);
    expect(await changesOf(less, "--prune")).toEqual([
      "delete key worker",
      "update queue tasks",
      "delete queue dead",
      "delete queue tasks",
      "delete cache notifications",
    ]);
    const { keys } = JSON.parse((await run(["key", "list", "--json"]))[1]) as { keys: unknown[] };
    expect(keys).toHaveLength(1);
  });

  it("does nothing at all when one thing cannot be, or the file is wrong", async () => {
    await apply(file);
    const [code, stdout, stderr] = await apply({
      caches: [{ name: "notifications", durability: "disk" }],
      queues: [{ name: "new" }],
    });
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^error: cache "notifications": durability is memory and cannot become disk/);
    expect(await apply({ queue: [] })).toEqual([2, "", 'error: -: the file: there is nothing called "queue"\n']);
    const missing = await run(["apply", "-f", "missing.yaml"]);
    expect(missing).toEqual([2, "", expect.stringMatching(/^error: missing.yaml: ENOENT/)]);
  });

  it("tells scripts the ids and addresses", async () => {
    const [, stdout] = await apply(file, "--json");
    const { environment, outputs } = JSON.parse(stdout) as { environment: string; outputs: unknown };
    expect(environment).toBe("dev");
    expect(outputs).toEqual({
      caches: { notifications: { path: "/v1/topics/notifications" } },
      queues: { tasks: { path: "/v1/queues/tasks" }, dead: { path: "/v1/queues/dead" } },
      webhooks: [],
      keys: { worker: { keyId: expect.stringMatching(/^dev-[0-9a-f]{16}$/), secret: "worker-key" } },
    });
  });

  it("applies in another environment with --env, its settings too", async () => {
    await run(["env", "create", "FEAT-X"]);
    expect(await changesOf({ ...file, settings: { cacheDurability: "memory" } }, "--env", "FEAT-X")).toContain(
      "update settings FEAT-X",
    );
    expect(await changesOf({ ...file, settings: { cacheDurability: "memory" } }, "--env", "FEAT-X")).toEqual([]);
    expect((await run(["cache", "list"]))[1]).not.toContain("notifications");
  });
});

describe("todoku export", () => {
  it("writes YAML that apply takes and has nothing to do with, and that makes the same elsewhere", async () => {
    const webhook = { cache: "notifications", name: "mail", topic: "sent", url: "https://mail.example" };
    const webhooks = [webhook, { ...webhook, name: "audit", ordered: false }];
    await apply({ ...file, webhooks, keys: [{ name: "worker", grants: [receive], description: "works" }] });
    await run(["key", "create", "--super-user"]);
    const [, yaml] = await run(["export"]);
    expect(await run(["apply", "-f", "-", "--prune"], yaml)).toEqual([
      0,
      "",
      "environment dev has it all: nothing to change\n",
    ]);
    await run(["env", "create", "FEAT-X"]);
    const directory = await mkdtemp(join(tmpdir(), "todoku-test-"));
    await writeFile(join(directory, "todoku.yaml"), yaml);
    expect((await run(["apply", "-f", join(directory, "todoku.yaml"), "--env", "FEAT-X"]))[0]).toBe(0);
    await rm(directory, { recursive: true });
    expect((await run(["export", "--env", "FEAT-X"]))[1]).toBe(yaml);
  });
});

describe("whatever a file says", () => {
  const queueNames = ["a", "b", "c", "d"];
  const aWebhook = fc.record({
    ...{ cache: fc.constant("c"), name: fc.constantFrom("v", "w") },
    topic: fc.constantFrom("t", "u"),
    url: fc.constantFrom("https://mail.example", "https://mail.example/?a=1", "http://MAIL.example:80/a/./b"),
    ordered: fc.option(fc.boolean(), { nil: undefined }),
  });
  const aFile = fc.record({
    caches: fc
      .uniqueArray(fc.constantFrom("x", "y", "z"), { maxLength: 3 })
      .map((names) => ["c", ...names].map((name) => ({ name }))),
    webhooks: fc
      .uniqueArray(aWebhook, { maxLength: 2, selector: ({ name }) => name })
      .map((webhooks) => webhooks.map((webhook) => ({ ...webhook, secret: `${webhook.name}-hook` }))),
    queues: fc
      .uniqueArray(fc.constantFrom(...queueNames), { maxLength: 4 })
      .chain((names) =>
        fc.tuple(
          ...names.map((name) =>
            fc.record({
              name: fc.constant(name),
              delaySeconds: fc.constantFrom(0, 1.5, 9),
              deadLetter: fc.option(
                fc.constantFrom(...names, name).filter((other) => other !== name || names.length === 1),
                { nil: undefined },
              ),
            }),
          ),
        ),
      )
      .map((queues) =>
        queues.map(({ deadLetter, ...queue }) =>
          deadLetter === undefined || deadLetter === queue.name
            ? queue
            : { ...queue, deadLetter: { queue: deadLetter, maxReceives: 2 } },
        ),
      ),
    keys: fc
      .uniqueArray(fc.constantFrom("k", "l"), { maxLength: 2 })
      .map((names) => names.map((name) => ({ name, grants: [receive], secret: `${name}-key` }))),
  });

  it("one apply with --prune leads there from any other, and a second finds nothing to do", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(aFile, { minLength: 1, maxLength: 3 }), async (files) => {
        for (const wanted of files) {
          await changesOf(wanted, "--prune");
          expect(await changesOf(wanted, "--prune")).toEqual([]);
        }
      }),
      { numRuns: 8 },
    );
  });
});
