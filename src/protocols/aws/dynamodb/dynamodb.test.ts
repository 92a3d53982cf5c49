import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { anAwsCall, answerOf } from "../../../../test/support/aws-calls.ts";
import { anEngine, type TestEngine } from "../../../../test/support/engine.ts";
import { aUserDomain, type UserDomain } from "../../../../test/support/users.ts";
import { openPrincipal } from "../../../domain/auth/open-access.ts";
import type { Principal } from "../../../domain/auth/principal.ts";
import { createDynamodb } from "./index.ts";

const TableName = "SumuConnections";
let store: TestEngine;
let domain: UserDomain;
beforeAll(async () => {
  store = await anEngine({ wallMs: () => 1_800_000_000_000 });
});
afterEach(async () => {
  await domain.presence.stop();
  await store.empty();
});
afterAll(() => store[Symbol.asyncDispose]());

async function started(connectionsTable: string | undefined = TableName) {
  domain = await aUserDomain(store.engine, { elapsedMs: 0 });
  await domain.presence.start();
  return withTable(connectionsTable);
}

function withTable(connectionsTable: string | undefined) {
  const { connections, clock } = domain;
  const service = createDynamodb({
    ...{ connections, clock },
    settings: { clockSkewSeconds: 300, acceptedHosts: [], connectionsTable },
  });
  return (action: string, input: object, principal: Principal = openPrincipal) =>
    answerOf(service, anAwsCall("dynamodb", { action, input: { ...input }, principal }));
}

const except = (...ids: string[]) => ({
  TableName,
  ExpressionAttributeNames: { "#user_id": "user_id" },
  FilterExpression: `NOT(#user_id in (${ids.map((_, n) => `:id${n}`).join(", ")}))`,
  ExpressionAttributeValues: Object.fromEntries(ids.map((S, n) => [`:id${n}`, { S }])),
});
const ofUser = (S: string) => ({
  TableName,
  KeyConditionExpression: "#n0 = :v0",
  ExpressionAttributeNames: { "#n0": "user_id" },
  ExpressionAttributeValues: { ":v0": { S } },
});
const row = (user: string, id: string) => ({
  ...{ user_id: { S: user }, connection_id: { S: id }, delete_at: { N: "1800007200" } },
});

describe("the connections table", () => {
  it("shows who is connected, all or all but some, as the article asks", async () => {
    const send = await started();
    const [a, a2, b] = [domain.open("a"), domain.open("a"), domain.open("b"), domain.open(undefined)];
    domain.open("a", { environment: "prod" });
    const rows = [row("a", a.connection.id), row("a", a2.connection.id), row("b", b.connection.id)];
    expect(await send("Scan", { TableName })).toEqual({ Items: rows, Count: 3, ScannedCount: 3 });
    expect(await send("Scan", except("a"))).toEqual({ Items: rows.slice(2), Count: 1, ScannedCount: 3 });
    expect(await send("Scan", except("a", "b"))).toEqual({ Items: [], Count: 0, ScannedCount: 3 });
    const byBoto3 = { ...except("b"), FilterExpression: "(NOT #user_id IN (:id0))" };
    expect(await send("Scan", byBoto3)).toMatchObject({ Items: rows.slice(0, 2) });
    expect(await send("Query", ofUser("a"))).toEqual({ Items: rows.slice(0, 2), Count: 2, ScannedCount: 2 });
    expect(await send("Query", ofUser("nobody"))).toMatchObject({ Items: [] });
    a.close();
    expect(await send("Query", ofUser("a"))).toMatchObject({ Items: [row("a", a2.connection.id)] });
  });

  it("is read page by page when it is large", async () => {
    const send = await started();
    for (let n = 0; n < 10_001; n++) domain.open(`user ${n}`);
    const first = (await send("Scan", { TableName })) as { Count: number; LastEvaluatedKey: object };
    expect(first.Count).toBe(10_000);
    const last = await send("Scan", { TableName, ExclusiveStartKey: first.LastEvaluatedKey });
    expect(last).toMatchObject({ Items: [{ user_id: { S: "user 10000" } }], Count: 1 });
    expect(last).not.toHaveProperty("LastEvaluatedKey");
  });

  it("takes deletions of who is gone, and keeps who is there", async () => {
    const send = await started();
    const { connection } = domain.open("a");
    const deletion = (id: string) => ({ DeleteRequest: { Key: { user_id: { S: "a" }, connection_id: { S: id } } } });
    const RequestItems = { [TableName]: [deletion(connection.id), deletion("gone")] };
    expect(await send("BatchWriteItem", { RequestItems })).toEqual({ UnprocessedItems: {} });
    expect(await send("DescribeTable", { TableName })).toMatchObject({
      Table: { TableStatus: "ACTIVE", ItemCount: 1 },
    });
  });

  it("is for those who may read the connections of all users, and there only when it has a name", async () => {
    const send = await started();
    const limited: Principal = {
      ...{ ...openPrincipal, kind: "key", isSuperUser: false, isOperator: false },
      grants: [{ resource: "connection", role: "read", user: { name: "a" } }],
    };
    await expect(send("Query", ofUser("a"), limited)).rejects.toMatchObject({ code: "AccessDeniedException" });
    const all: Principal = { ...limited, grants: [{ resource: "connection", role: "read", user: { all: true } }] };
    expect(await send("Scan", { TableName }, all)).toMatchObject({ Count: 0 });
    await expect(send("Scan", { TableName: "Other" })).rejects.toMatchObject({
      ...{ code: "ResourceNotFoundException", message: 'table "Other" is not there: only "SumuConnections" is' },
    });
    await expect(withTable(undefined)("Scan", { TableName })).rejects.toMatchObject({
      ...{ code: "ResourceNotFoundException", message: expect.stringContaining("aws.connectionsTable is not set") },
    });
  });

  it("says by name what it does not offer", async () => {
    const send = await started();
    const filter = (FilterExpression: string) => ({ ...except("a"), FilterExpression });
    const [names, values] = [{ "#n": "connection_id" }, { ":v": { N: "1" } }];
    for (const [action, input, message] of [
      ["PutItem", { TableName, Item: {} }, /"PutItem" is not offered, only Query, Scan, BatchWriteItem/],
      ["Scan", filter("attribute_exists(user_id)"), /"FilterExpression": only "NOT\(user_id in/],
      ["Scan", filter("NOT(delete_at in (:id0))"), /"FilterExpression"/],
      ["Scan", filter("NOT(#toString in (:id0))"), /"FilterExpression"/],
      ["Scan", filter("NOT(user_id in (:other))"), /":other" must be {"S"/],
      ["Scan", { TableName, Limit: 1 }, /Limit/],
      ["Query", { TableName, KeyConditionExpression: "user_id > :v" }, /"KeyConditionExpression": only "user_id =/],
      ["Query", { ...ofUser("a"), KeyConditionExpression: "#n = :v0", ExpressionAttributeNames: names }, /only/],
      ["Query", { TableName, KeyConditionExpression: "user_id = :v", ExpressionAttributeValues: values }, /":v" must/],
      ["BatchWriteItem", { RequestItems: { [TableName]: [{ PutRequest: {} }] } }, /DeleteRequest|PutRequest/],
      ["BatchWriteItem", { RequestItems: { A: [], B: [] } }, /"RequestItems/],
    ] as const) {
      await expect(send(action, input)).rejects.toMatchObject({
        ...{ code: "ValidationException", message: expect.stringMatching(message) },
      });
    }
  });
});
