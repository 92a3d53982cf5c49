import { Buffer } from "node:buffer";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { anAwsCall, answerOf } from "../../../../test/support/aws-calls.ts";
import { aConnection } from "../../../../test/support/connections.ts";
import { anEngine, type TestEngine } from "../../../../test/support/engine.ts";
import { aUserDomain, type UserDomain } from "../../../../test/support/users.ts";
import type { Grant } from "../../../domain/auth/grants.ts";
import { openPrincipal } from "../../../domain/auth/open-access.ts";
import type { Principal } from "../../../domain/auth/principal.ts";
import { TodokuError } from "../../../domain/errors.ts";
import type { AwsService } from "../call.ts";
import { createConnectionsApi } from "./index.ts";

let store: TestEngine;
let domain: UserDomain;
let api: AwsService;
beforeAll(async () => {
  store = await anEngine({ wallMs: () => 1_800_000_000_000 });
  domain = await aUserDomain(store.engine, { elapsedMs: 0 });
  await domain.presence.start();
  api = createConnectionsApi({ connections: domain.connections, gatewayPaths: ["/push", "/other"] });
});
afterEach(() => domain.connections.kick(openPrincipal, { everyone: true }, { reason: "", reconnect: true }));
afterAll(async () => {
  await domain.presence.stop();
  await store[Symbol.asyncDispose]();
});

const open = (userId: string | undefined, about = {}) => aConnection(domain.connections, userId, about);
const send = (method: string, rawPath: string, body: Uint8Array | string = "", principal: Principal = openPrincipal) =>
  answerOf(api, anAwsCall("execute-api", { wire: "rest", method, rawPath, body: Buffer.from(body), principal }));
const pathOf = (id: string, prefix = "/push") => `${prefix}/@connections/${encodeURIComponent(id)}`;
const granted = (...grants: Grant[]): Principal => ({
  ...{ ...openPrincipal, kind: "key", isSuperUser: false, isOperator: false, grants },
});
const gone = { code: "GoneException", status: 410, message: expect.stringContaining("there is no connection") };
const forbidden = { code: "ForbiddenException", status: 403 };

describe("a message", () => {
  it("reaches the connection as it was sent, however its id and the @ are written", async () => {
    const one = open("alice");
    const other = open("alice");
    const { id } = one.connection;
    await send("POST", pathOf(id), '{"type": "x"}');
    await send("POST", `/push/@connections/${id}`, "\ufeffzwei ü 🎉");
    await send("POST", `/push/%40connections/${encodeURIComponent(id)}`, "");
    expect([one.frames, other.frames]).toEqual([['{"type": "x"}', "\ufeffzwei ü 🎉", ""], []]);
  });

  it("may be sent under any stage, but under a path of the gateway only to connections of that path", async () => {
    const one = open("alice", { path: "/push" });
    const { id } = one.connection;
    for (const prefix of ["", "/mvp", "/push", "/a/b"]) await send("POST", pathOf(id, prefix), prefix);
    expect(one.frames).toEqual(["", "/mvp", "/push", "/a/b"]);
    await expect(send("POST", pathOf(id, "/other"), "x")).rejects.toMatchObject(gone);
    await expect(send("POST", pathOf(id, "/%6fther"), "x")).rejects.toMatchObject(gone);
    expect(one.frames).toHaveLength(4);
  });

  it("to one that is closed, is of another environment or was never there finds it gone", async () => {
    const closed = open("alice");
    closed.close();
    const elsewhere = open("alice", { environment: "prod" });
    for (const { connection } of [closed, elsewhere]) {
      for (const method of ["POST", "GET", "DELETE"]) {
        await expect(send(method, pathOf(connection.id), "x")).rejects.toMatchObject(gone);
      }
    }
    expect([elsewhere.frames, elsewhere.ended]).toEqual([[], undefined]);
    elsewhere.close();
    await expect(send("POST", pathOf(`${encodeURIComponent(closed.connection.id)}`))).rejects.toMatchObject(gone);
  });

  it("that the connection does not take, for its client does not read, finds it gone", async () => {
    const one = open("alice");
    one.takes = false;
    await expect(send("POST", pathOf(one.connection.id), "x")).rejects.toMatchObject(gone);
  });

  it("is text of at most 128 KiB", async () => {
    const one = open("alice");
    const path = pathOf(one.connection.id);
    await send("POST", path, "x".repeat(131_072));
    await expect(send("POST", path, "x".repeat(131_073))).rejects.toMatchObject({
      ...{ code: "PayloadTooLargeException", status: 413 },
      message: "the message has 131073 bytes; must be <= 131072",
    });
    await expect(send("POST", path, Buffer.from([0xff]))).rejects.toMatchObject({
      ...{ code: "BadRequestException", status: 400, message: expect.stringContaining("UTF-8") },
    });
    expect(one.frames).toHaveLength(1);
  });
});

describe("a connection", () => {
  it("is described with the times and names that SDKs read", async () => {
    const one = open("alice", { userAgent: "ua" });
    expect(await send("GET", pathOf(one.connection.id))).toEqual({
      connectedAt: "2027-01-15T08:00:00.000Z",
      identity: { sourceIp: "127.0.0.1", userAgent: "ua" },
      lastActiveAt: "1970-01-01T00:00:00.000Z",
    });
  });

  it("is ended, and told that it may come back", async () => {
    const one = open("alice");
    const { status } = await api.handle(
      anAwsCall("execute-api", { wire: "rest", method: "DELETE", rawPath: pathOf(one.connection.id) }),
    );
    expect([status, one.ended]).toEqual([204, { reason: "deleted", reconnect: true }]);
  });

  it("is for those who may do this to its user; one that is gone is gone for those who may do it to anybody", async () => {
    const one = open("alice");
    const nobody = open(undefined);
    const path = pathOf(one.connection.id);
    const sender = granted({ resource: "connection", role: "send", user: { name: "alice" } });
    await send("POST", path, "x", sender);
    await expect(send("GET", path, "", sender)).rejects.toMatchObject(forbidden);
    await expect(send("DELETE", path, "", sender)).rejects.toMatchObject(forbidden);
    await expect(send("POST", pathOf(nobody.connection.id), "x", sender)).rejects.toMatchObject(forbidden);
    await expect(send("POST", pathOf("gone"), "x", sender)).rejects.toMatchObject(gone);
    await expect(send("DELETE", pathOf("gone"), "", sender)).rejects.toMatchObject(forbidden);
    const reader = granted({ resource: "connection", role: "read", user: { all: true } });
    await send("GET", path, "", reader);
    await expect(send("POST", path, "x", reader)).rejects.toMatchObject(forbidden);
    await expect(send("POST", pathOf("gone"), "x", reader)).rejects.toMatchObject(forbidden);
    const owner = granted({ resource: "connection", role: "read-write", user: { all: true } });
    await send("POST", pathOf(nobody.connection.id), "x", owner);
    await send("DELETE", path, "", owner);
    await expect(send("DELETE", path, "", owner)).rejects.toMatchObject(gone);
    await expect(send("DELETE", path, "", granted())).rejects.toMatchObject(forbidden);
  });
});

it.each(["/push/@connections", "/push/@connections/", "/push/@connections/a/b", "/push/@connections/%ff", "/push"])(
  "the path %s is refused",
  async (path) => {
    await expect(send("POST", path, "x")).rejects.toMatchObject({ code: "BadRequestException", status: 400 });
  },
);

it("other methods are refused", async () => {
  await expect(send("PUT", pathOf("a"))).rejects.toMatchObject({ code: "BadRequestException" });
});

it("who is refused for the rate hears when to come back", () => {
  const error = new TodokuError("limit_exceeded", "too many calls", { retryAfterMs: 100 });
  expect(api.toAwsError(error, anAwsCall("execute-api"))).toMatchObject({
    ...{ code: "LimitExceededException", status: 429, retryAfterMs: 100 },
  });
});
