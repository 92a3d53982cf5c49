import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../../../test/support/cli.ts";
import { anHttpDoor } from "../../../test/support/http-door.ts";
import { aWebhookReceiver } from "../../../test/support/webhook-receiver.ts";

let door: Awaited<ReturnType<typeof anHttpDoor>>;
beforeAll(async () => {
  door = await anHttpDoor();
});
afterAll(() => door[Symbol.asyncDispose]());

async function run(args: readonly string[], stdin = ""): Promise<[number, string, string]> {
  const command = runCommand(args, { TODOKU_URL: door.url }, [Buffer.from(stdin)]);
  return [await command.done, command.stdout, command.stderr];
}
const webhook = (...args: string[]) => run(["webhook", ...args]);
/** What a delivery worker would have stored. */
async function storePast(name: string) {
  const key = { environment: "dev", cache: "c", name };
  const { id } = door.registry.known(key)?.subscription ?? expect.fail(`no webhook ${name}`);
  const at = { page: 1, topic: "t", atMs: Date.UTC(2026, 0, 2) };
  const value = { isText: true, bytes: Buffer.from("he\nllo") };
  const binary = { isText: false, bytes: Buffer.from("abc") };
  const item = { page: 1, sequence: 2, value, attributes: undefined, tokenId: "", publishedAtMs: 0 };
  const death = { topic: "t", diedAtMs: at.atMs, status: undefined } as const;
  await door.engine.subscriptions.save([
    {
      key: { environment: "dev", id },
      deliveries: [
        { ...at, sequence: 1, outcome: "delivered", attempts: 1, status: 200, latencyMs: 7, isReplay: true },
        { ...at, sequence: 2, outcome: "dead", attempts: 2, status: undefined, latencyMs: 5000, isReplay: false },
      ],
      failures: [{ ...at, sequence: 2, attempt: 1, status: 503, latencyMs: 9, error: "busy", answer: "come\nback" }],
      dead: [
        { ...death, item: item, reason: "deadline", attempts: 2, error: "no answer" },
        {
          ...death,
          item: { ...item, sequence: 3, value: binary },
          reason: "history",
          attempts: 0,
          error: "",
        },
      ],
    },
  ]);
}
const target = "https://mail.example/hook?token=t0";

describe("todoku webhook", () => {
  it("makes a webhook and prints its secret, and shows the query of its URL only where one webhook is shown", async () => {
    const [code, secret, said] = await webhook("put", "c", "mail", "--topic", "sent", "--to", target, "--unordered");
    expect([code, said]).toEqual([
      0,
      "webhook mail of cache c delivers sent to https://mail.example/hook?...; it signs with what was printed\n",
    ]);
    expect(secret).toMatch(/^whsec_[\w+/]{43}=\n$/);
    expect(await webhook("secret", "c", "mail")).toEqual([0, secret, ""]);
    const list = [
      "CACHE  NAME  TOPIC  ORDERED  STATE   URL",
      "c      mail  sent   no       active  https://mail.example/hook?...",
    ];
    expect(await webhook("list", "c")).toEqual([0, `${list.join("\n")}\n`, ""]);
    const shown = [
      "CACHE  NAME  TOPIC  ORDERED  STATE   URL",
      `c      mail  sent   no       active  ${target}`,
      "",
      expect.stringMatching(/^CIRCUIT {2}CURSOR +WAITING {2}DEAD LETTERS {2}BYTES {2}REPLAYING$/),
      expect.stringMatching(/^closed +\d+-0 +- +0 +0 +0$/),
      "",
      "DELIVERED  FAILED ATTEMPTS  DEAD  REPLAYED  DROPPED  MISSED",
      "0          0                0     0         0        0",
      "",
    ];
    expect((await webhook("show", "c", "mail"))[1].split("\n")).toEqual(shown);
    const [, json] = await webhook("list", "--json");
    expect(JSON.parse(json).webhooks[0]).toMatchObject({ cache: "c", name: "mail", topic: "sent", url: target });
  });

  it("reads the URL from stdin, keeps the order it had, and puts the secret where it is told to", async () => {
    const put = ["webhook", "put", "c", "mail", "--topic", "sent", "--to", "-", "--secret", "mail-hook"];
    const [, stdout] = await run(put, `${target}\n`);
    expect(stdout).toBe(
      "webhook mail of cache c delivers sent to https://mail.example/hook?...; it signs with version 1 of secret mail-hook\n",
    );
    const [, json] = await run([...put, "--json"], `${target}\n`);
    expect(JSON.parse(json)).toEqual({ webhook: expect.objectContaining({ ordered: false }), secretVersion: 1 });
    const [, held] = await run(["secret", "get", "mail-hook"]);
    expect(await webhook("secret", "c", "mail")).toEqual([0, held, ""]);
  });

  it("says what is done and what is not when the secret cannot be written", async () => {
    const grants = [
      { resource: "webhook", role: "read-write", cache: { all: true }, webhook: { all: true } },
      { resource: "topic", role: "subscribe", cache: { all: true }, topic: { all: true } },
    ];
    const made = await run(["key", "create", "--grant", ...grants.map((grant) => JSON.stringify(grant)), "--json"]);
    const apiKey = (JSON.parse(made[1]) as { apiKey: string }).apiKey;
    const put = ["put", "c", "half", "--topic", "t", "--to", target, "--secret", "half-hook", "--api-key", apiKey];
    const [code, stdout, stderr] = await webhook(...put);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/\nthe webhook itself is done; todoku webhook secret prints what the secret should hold\n$/);
    expect((await webhook("secret", "c", "half"))[0]).toBe(0);
  });

  it("rotates the secret, and pauses, resumes and deletes", async () => {
    await webhook("put", "c", "w", "--topic", "t", "--to", target);
    const [, before] = await webhook("secret", "c", "w");
    const [, after, said] = await webhook("rotate", "c", "w", "--overlap", "10m");
    expect(said).toBe(
      "webhook w of cache c has a new secret; it signs with what was printed\n" +
        "copies in the secret store are not changed; --secret NAME changes one\n",
    );
    expect([after, before === after]).toEqual([(await webhook("secret", "c", "w"))[1], false]);
    expect(await webhook("rotate", "c", "w", "--secret", "w-hook")).toEqual([
      0,
      "webhook w of cache c has a new secret; it signs with version 1 of secret w-hook\n",
      "",
    ]);
    expect((await webhook("show", "c", "w"))[1]).toMatch(/^former secrets sign too until \d{4}-[^ ]+Z$/m);

    expect(await webhook("pause", "c", "w")).toEqual([0, "paused webhook w of cache c\n", ""]);
    expect((await webhook("list", "c"))[1]).toMatch(/^c +w +t +yes +paused \(asked\) +https:/m);
    expect(await webhook("resume", "c", "w")).toEqual([0, "resumed webhook w of cache c\n", ""]);
    expect(await webhook("delete", "c", "w")).toEqual([0, "deleted webhook w of cache c\n", ""]);
    expect(await webhook("show", "c", "w")).toEqual([
      1,
      "",
      'error: webhook "w" of cache "c" does not exist\ntodoku webhook list shows the webhooks there are\n',
    ]);
  });

  it("delivers a made-up message, and fails with the reason when it is not taken", async () => {
    await using receiver = await aWebhookReceiver();
    await webhook("put", "c", "tried", "--topic", "t", "--to", receiver.url);
    expect(await webhook("test", "c", "tried")).toEqual([
      0,
      expect.stringMatching(/^delivered: status 200 after \d+(\.\d+)? ms\n$/),
      "",
    ]);
    receiver.answer({ status: 500, body: "not\nyet" });
    const [code, stdout, stderr] = await webhook("test", "c", "tried");
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^error: webhook tried of cache c: .*500.* \(status 500 after \S+ ms\)\n/);
    const [jsonCode, json] = await webhook("test", "c", "tried", "--json");
    expect([jsonCode, JSON.parse(json)]).toEqual([1, expect.objectContaining({ delivered: false, status: 500 })]);
    expect(receiver.calls.map(({ headers }) => headers["todoku-test"])).toEqual(["true", "true", "true"]);
  });

  it("shows what became of deliveries, and of dead letters with their messages", async () => {
    await webhook("put", "c", "past", "--topic", "t", "--to", target);
    await storePast("past");
    expect(await webhook("deliveries", "c", "past", "--limit", "2")).toEqual([
      0,
      [
        "NUMBER  TIME                      TOPIC  POSITION  OUTCOME             ATTEMPTS  STATUS  LATENCY",
        "2       2026-01-02T00:00:00.000Z  t      1-2       dead                2         -       5000 ms",
        "1       2026-01-02T00:00:00.000Z  t      1-1       delivered (replay)  1         200     7 ms",
        "",
      ].join("\n"),
      "",
    ]);
    const [, first] = await webhook("deliveries", "c", "past", "--before", "2", "--json");
    expect(JSON.parse(first)).toMatchObject({ number: 1, position: "1-1", outcome: "delivered", replay: true });
    expect((await webhook("deliveries", "c", "past", "--failures"))[1]).toMatch(
      /^NUMBER .*ERROR\n1 +\S+Z +t +1-2 +1 +503 +9 ms +busy: come\\nback\n$/,
    );
    const [, dead] = await webhook("dead", "c", "past");
    expect(dead).toMatch(/^(\d+) {2}\S+Z {2}t {2}1-2 {2}deadline {2}2 {2}no answer {2}he\\nllo\n/);
    expect(dead).toMatch(/\n\d+ {2}\S+Z {2}t {2}1-3 {2}history {2}0 {2}- {2}<binary 3 bytes>\n$/);

    const [id = ""] = dead.split("  ");
    expect(await webhook("replay", "c", "past", id)).toEqual([0, "replaying 1\n", ""]);
    expect((await webhook("dead", "c", "past"))[1]).toContain("deadline (replaying)");
    expect(await webhook("replay", "c", "past", "--all", "--json")).toEqual([0, '{"replaying":1}\n', ""]);
    expect(await webhook("drop", "c", "past", id)).toEqual([0, "dropped 1\n", ""]);
    expect(await webhook("drop", "c", "past", id)).toEqual([
      1,
      "",
      expect.stringMatching(/^error: .*\ntodoku webhook list and todoku webhook dead show what there is\n$/),
    ]);
    expect(await webhook("drop", "c", "past", "--all")).toEqual([0, "dropped 1\n", ""]);
  });

  it.each([
    [["put", "c", "w", "--topic", "t"], "--to <url>"],
    [["put", "c", "w", "--topic", "t", "--to", "u", "--ordered", "--unordered"], "cannot be used with"],
    [["rotate", "c", "w", "--overlap", "soon"], "must be a time span"],
    [["replay", "c", "w"], "give either the id of a dead letter or --all"],
    [["drop", "c", "w", "7", "--all"], "give either the id of a dead letter or --all"],
    [["drop", "c", "w", "x"], "whole number from 1 on"],
    [["deliveries", "c", "w", "--limit", "0"], "whole number from 1 on"],
  ])("ends with 2 for %j", async (args, message) => {
    expect(await webhook(...args)).toEqual([2, "", expect.stringContaining(message)]);
  });

  it("names the name that no webhook can have, before the server is asked", async () => {
    const put = (cache: string, name: string) => webhook("put", cache, name, "--topic", "t", "--to", target);
    expect(await put("c", "")).toEqual([2, "", "error: webhook name must not be empty\n"]);
    expect(await put("", "w")).toEqual([2, "", "error: cache name must not be empty\n"]);
    expect(await put("..", "w")).toEqual([2, "", 'error: no address of a webhook can hold the cache name ".."\n']);
    const refusal = [2, "", 'error: webhook name must not be ".."\n'];
    expect(await put("c", "..")).toEqual(refusal);
    const verbs = ["show", "delete", "pause", "resume", "secret", "rotate", "test", "deliveries", "dead"];
    for (const verb of verbs) expect([verb, ...(await webhook(verb, "c", ".."))]).toEqual([verb, ...refusal]);
    for (const verb of ["replay", "drop"]) expect(await webhook(verb, "c", "..", "--all")).toEqual(refusal);
  });

  it.each([
    ["", "secret name must not be empty"],
    ["..", 'secret name must not be ".."'],
    ["s".repeat(256), "secret name has 256 bytes; must be <= 255"],
  ])("makes and rotates nothing for a secret that cannot be: %j", async (secret, message) => {
    const put = ["put", "c", "unkept", "--topic", "t", "--to", target];
    expect(await webhook(...put, "--secret", secret)).toEqual([2, "", `error: ${message}\n`]);
    expect((await webhook("show", "c", "unkept"))[0]).toBe(1);
    const [, before] = await webhook(...put);
    expect(await webhook("rotate", "c", "unkept", "--secret", secret)).toEqual([2, "", `error: ${message}\n`]);
    expect((await webhook("secret", "c", "unkept"))[1]).toBe(before);
    await webhook("delete", "c", "unkept");
  });

  it("says how to go on when there is no such cache", async () => {
    const [code, , said] = await webhook("put", "none", "w", "--topic", "t", "--to", target);
    expect([code, said]).toEqual([
      1,
      expect.stringMatching(/^error: .*\ncreate the cache with: todoku cache create none\n$/),
    ]);
  });
});
