// Webhooks from the outside to the outside: a server that is a process, the commands, and receivers that verify what they get.
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCommand } from "../support/cli.ts";
import { type DevProcess, startDevProcess } from "../support/process.ts";
import { aDirectory, aServer } from "../support/server.ts";
import { aWebhookReceiver, type ReceivedCall, type WebhookReceiver } from "../support/webhook-receiver.ts";

let directory: Awaited<ReturnType<typeof aDirectory>>;
let server: DevProcess;
let receiver: WebhookReceiver;
let made = 0;
beforeAll(async () => {
  directory = await aDirectory();
  server = await startServer(0);
  await run("cache", "create", "c");
});
afterAll(async () => {
  await server?.end("SIGKILL");
  await receiver?.stop();
  await directory?.[Symbol.asyncDispose]();
});

const startServer = (port: number) =>
  startDevProcess(["--port", String(port), "--data-dir", join(directory.path, "data")]);

/** What the command prints. */
async function run(...args: string[]): Promise<string> {
  const command = runCommand(args, { TODOKU_URL: `http://127.0.0.1:${server.port}` });
  expect(await command.done, command.stderr).toBe(0);
  return command.stdout;
}

/** A topic, a webhook of the same name, and a receiver of its own. */
async function aWebhook(...options: string[]) {
  await receiver?.stop();
  receiver = await aWebhookReceiver();
  const name = `t${++made}`;
  const secret = (await run("webhook", "put", "c", name, "--topic", name, "--to", receiver.url, ...options)).trim();
  const publish = (text: string) => run("topic", "publish", "c", name, text);
  const state = async () =>
    JSON.parse(await run("webhook", "show", "c", name, "--json")) as {
      paused?: { reason: string };
      counters: Record<string, number>;
      deadLetters: Record<string, number>;
    };
  return { name, secret, publish, state, receiver };
}

const messageOf = ({ body }: ReceivedCall) => JSON.parse(body.toString()) as Record<string, unknown>;
const textsOf = (calls: readonly ReceivedCall[]) => calls.map((call) => messageOf(call).text);
const idOf = ({ headers }: ReceivedCall) => headers["webhook-id"];
const distinct = <T>(values: readonly T[]) => [...new Set(values)];
const momentoSignature = (secret: string, body: Buffer) => createHmac("sha3-256", secret).update(body).digest("hex");
const verifies = (secret: string, { body, headers }: ReceivedCall) => {
  try {
    return new Webhook(secret).verify(body.toString(), headers as Record<string, string>) !== undefined;
  } catch {
    return false;
  }
};
/** Texts `first` to `last`. */
const numbers = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, n) => String(first + n));

describe("a webhook", () => {
  it("delivers what is published, signed in both ways, with the token id of who published it", async () => {
    const { name, secret, receiver } = await aWebhook();
    const grant = { resource: "topic", role: "publish", cache: { name: "c" }, topic: { name } };
    const token = await run(
      "token",
      "create",
      "--grant",
      JSON.stringify(grant),
      "--token-id",
      "alice",
      "--valid-for",
      "1m",
    );
    const text = '{"token_id":"mallory"} 届く';
    await run("topic", "publish", "c", name, text, "--api-key", token.trim());
    const [call] = await receiver.received(1);
    if (!call) throw new Error("there is no call");
    expect(messageOf(call)).toMatchObject({
      cache: "c",
      topic: name,
      token_id: "alice",
      text,
      topic_sequence_number: 1,
    });
    expect(verifies(secret, call)).toBe(true);
    expect(call.headers["momento-signature"]).toBe(momentoSignature(secret, call.body));
    expect(verifies(`whsec_${Buffer.alloc(32).toString("base64")}`, call)).toBe(false);
  });

  it("loses nothing, and keeps the order, while its receiver is away", async () => {
    const { publish, state, receiver } = await aWebhook();
    for (const text of numbers(1, 5)) await publish(text);
    await receiver.received(5);
    await receiver.stop();
    for (const text of numbers(6, 10)) await publish(text);
    await expect.poll(async () => (await state()).counters.failures, { timeout: 5000 }).toBeGreaterThan(0);
    await receiver.start();
    await receiver.until((calls) => distinct(calls.map(idOf)).length === 10);
    expect(distinct(textsOf(receiver.calls))).toEqual(numbers(1, 10));
  });

  it("loses nothing when the server is killed in the middle, and repeats only under the same webhook-id", async () => {
    const { publish, receiver } = await aWebhook();
    receiver.answer((_, n) => (n < 20 ? 200 : { status: 200, hold: true }));
    for (const text of numbers(1, 30)) await publish(text);
    await receiver.received(20); // the last one is under way, and the ones before it may not be stored as done
    await server.end("SIGKILL");
    receiver.answer(200);
    server = await startServer(server.port);
    await publish("31");
    await receiver.until((calls) => textsOf(calls).includes("31"));

    expect(distinct(textsOf(receiver.calls))).toEqual(numbers(1, 31));
    const pairs = distinct(receiver.calls.map((call) => `${idOf(call)} ${messageOf(call).text}`));
    expect(pairs).toHaveLength(31);
    expect(distinct(receiver.calls.map(idOf))).toHaveLength(31);
  });

  it("signs with both secrets after a rotation, and calls a receiver that has the old one again", async () => {
    const { name, secret, publish, receiver } = await aWebhook();
    const fresh = (await run("webhook", "rotate", "c", name, "--overlap", "1h")).trim();
    // As Momento's SDK does it, with the secret of before.
    const isGenuine = ({ headers, body }: ReceivedCall) =>
      headers["momento-signature"] === momentoSignature(secret, body);
    receiver.answer((call) => (isGenuine(call) ? 200 : 401));
    await publish("first");
    const calls = await receiver.received(2);
    expect(calls.map(isGenuine)).toEqual([false, true]);
    expect(distinct(calls.map(idOf))).toHaveLength(1);
    expect(calls.map((call) => [verifies(secret, call), verifies(fresh, call)])).toEqual([
      [true, true],
      [true, true],
    ]);
    await publish("second");
    const [, , third] = await receiver.received(3);
    expect(third && [messageOf(third).text, isGenuine(third)]).toEqual(["second", true]);
  });

  it("keeps what its receiver refuses as a dead letter, and delivers that again when it is told to", async () => {
    const { name, publish, state, receiver } = await aWebhook();
    receiver.answer((call) => (messageOf(call).text === "refused" ? 404 : 200));
    await publish("refused");
    await publish("taken");
    await receiver.until((calls) => textsOf(calls).includes("taken"));
    await expect.poll(async () => (await state()).deadLetters.count, { timeout: 5000 }).toBe(1);
    expect(await run("webhook", "dead", "c", name)).toMatch(/ refused {2}1 {2}it answered 404 {2}refused\n$/);

    receiver.answer(200);
    expect(await run("webhook", "replay", "c", name, "--all")).toBe("replaying 1\n");
    const [first, , replayed] = await receiver.received(3);
    expect(replayed && [messageOf(replayed).text, idOf(replayed)]).toEqual(["refused", first && idOf(first)]);
    await expect.poll(async () => (await state()).counters.replayed, { timeout: 5000 }).toBe(1);
    expect(await run("webhook", "dead", "c", name)).toBe("");
  });

  it("delivers nothing while it is paused, by somebody or by 410, and goes on with the message that was due", async () => {
    const { name, publish, state, receiver } = await aWebhook();
    await run("webhook", "pause", "c", name);
    await publish("while paused");
    await run("webhook", "test", "c", name);
    receiver.answer((call) => (messageOf(call).text === "while paused" ? 410 : 200));
    await run("webhook", "resume", "c", name);
    const [tried, held] = await receiver.received(2);
    expect(tried?.headers["todoku-test"]).toBe("true"); // and it was the first call
    await expect.poll(async () => (await state()).paused?.reason, { timeout: 5000 }).toBe("gone");
    await publish("behind it");
    receiver.answer(200);
    await run("webhook", "resume", "c", name);
    const calls = await receiver.received(4);
    expect(textsOf(calls.slice(2))).toEqual(["while paused", "behind it"]);
    expect(calls[2] && idOf(calls[2])).toBe(held && idOf(held));
  });
});

describe("a server for production", () => {
  it("calls no private address but those that the operator allows", async () => {
    await using data = await aDirectory();
    await using receiver = await aWebhookReceiver();
    const [dataDir, masterKeyFile] = [join(data.path, "data"), join(data.path, "master.key")];
    const init = runCommand(["init", "--data-dir", dataDir, "--master-key-file", masterKeyFile]);
    expect(await init.done, init.stderr).toBe(0);
    const config = { dataDir, masterKeyFile, outbound: { allow: ["127.0.0.1"] } };
    await using production = await aServer(config, { mode: "production" });
    const env = { TODOKU_URL: production.url, TODOKU_API_KEY: init.stdout.trim() };
    const put = (to: string) => runCommand(["webhook", "put", "c", "w", "--topic", "t", "--to", to], env);
    expect(await runCommand(["cache", "create", "c"], env).done).toBe(0);
    for (const host of ["10.0.0.1", "[::1]", "169.254.169.254", "127.0.0.2", "[::ffff:10.0.0.1]"]) {
      const refused = put(`http://${host}:${receiver.port}/hook`);
      expect([host, await refused.done, refused.stdout]).toEqual([host, 1, ""]);
      expect(refused.stderr).toMatch(
        /^error: webhook url\b.*not permitted; the operator can permit it with outbound\.allow\n$/,
      );
    }
    expect(await put(receiver.url).done).toBe(0);
    expect(await runCommand(["topic", "publish", "c", "t", "allowed"], env).done).toBe(0);
    expect(textsOf(await receiver.received(1))).toEqual(["allowed"]);
  });
});
