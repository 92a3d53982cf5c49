import type { z } from "zod";
import { authorize } from "../../../domain/auth/authorize.ts";
import type { Principal } from "../../../domain/auth/principal.ts";
import type { Connection } from "../../../domain/connections/connection.ts";
import type { TodokuError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import { type AwsCall, type AwsService, accountId } from "../call.ts";
import { AwsError, toCommonAwsError } from "../errors.ts";
import { createJsonService, jsonOperation } from "../json-service.ts";
import type { AwsOptions } from "../options.ts";
import { readExceptions, readUser } from "./expressions.ts";
import * as inputs from "./inputs.ts";

type DynamodbOptions = Pick<AwsOptions, "connections" | "clock" | "settings">;

const { pageMax } = limits.connection;
const { scanMax } = limits.aws.dynamodb;
/** The article's two hours, here always from now on: the row of an open connection is never over, and that of a closed one is gone. */
const rowLifeSeconds = 7200;
const offered = ["Query", "Scan", "BatchWriteItem with DeleteRequest", "DescribeTable"];

/** The article's table of connections, to be read as it reads it; no other table, and nothing can be written. */
export function createDynamodb(options: DynamodbOptions): AwsService {
  const { connections, clock } = options;
  const toItem = ({ id, userId = "" }: Connection) => {
    const deleteAt = Math.ceil(clock.wallMs() / 1000) + rowLifeSeconds;
    return { user_id: { S: userId }, connection_id: { S: id }, delete_at: { N: String(deleteAt) } };
  };
  const operations = {
    Scan: jsonOperation(inputs.scanSchema, (input, call) => {
      checkTable(options, input.TableName, call);
      const { FilterExpression: filter, ExclusiveStartKey: start } = input;
      const exceptions = filter === undefined ? new Set<string>() : readExceptions(filter, input);
      const { page, next } = scan(options, call.principal, start);
      const Items = page.filter(({ userId = "" }) => !exceptions.has(userId)).map(toItem);
      const more = next === undefined ? {} : { LastEvaluatedKey: next };
      return { Items, Count: Items.length, ScannedCount: page.length, ...more };
    }),
    Query: jsonOperation(inputs.querySchema, (input, call) => {
      checkTable(options, input.TableName, call);
      const Items = connections.listOf(call.principal, readUser(input.KeyConditionExpression, input)).map(toItem);
      return { Items, Count: Items.length, ScannedCount: Items.length };
    }),
    // The server itself forgets who is gone, and who is not stays: there is nothing left to do.
    BatchWriteItem: jsonOperation(inputs.batchWriteSchema, ({ RequestItems }, call) => {
      for (const table of Object.keys(RequestItems)) checkTable(options, table, call);
      return { UnprocessedItems: {} };
    }),
    DescribeTable: jsonOperation(inputs.describeTableSchema, ({ TableName }, call) => {
      checkTable(options, TableName, call);
      const count = connections.stats().get(call.principal.environment)?.connections ?? 0;
      return { Table: describeTable(TableName, call.region, count) };
    }),
  };
  const service = createJsonService("DynamoDB", operations, toAwsError);
  return {
    ...service,
    async handle(call) {
      if (Object.hasOwn(operations, call.action)) return service.handle(call);
      const text = `the action "${call.action.slice(0, 100)}" is not offered, only ${offered.join(", ")}`;
      throw new AwsError("ValidationException", text, { isUnknownAction: true });
    },
  };
}

/** @throws AwsError `ResourceNotFoundException`; TodokuError `permission_denied`. */
function checkTable({ settings }: DynamodbOptions, table: string, { principal }: AwsCall): void {
  authorize(principal, "connection.read");
  const { connectionsTable } = settings;
  if (connectionsTable !== undefined && table === connectionsTable) return;
  const there = connectionsTable === undefined ? "aws.connectionsTable is not set" : `only "${connectionsTable}" is`;
  throw new AwsError("ResourceNotFoundException", `table "${table.slice(0, 100)}" is not there: ${there}`);
}

/** Where a scan goes on: clients give it back as it is. */
type StartKey = NonNullable<z.output<typeof inputs.scanSchema>["ExclusiveStartKey"]>;

/** Connections of users, of at most `limits.aws.dynamodb.scanMax` that were looked at. */
function scan({ connections }: DynamodbOptions, principal: Principal, start: StartKey | undefined) {
  const page: Connection[] = [];
  let cursor = start?.connection_id.S;
  for (let seen = 0; seen < scanMax; seen += pageMax) {
    const next = connections.list(principal, { after: cursor, limit: pageMax });
    page.push(...next.connections.filter(({ userId }) => userId !== undefined));
    cursor = next.cursor;
    if (cursor === undefined) break;
  }
  const next = cursor === undefined ? undefined : { user_id: { S: "cursor" }, connection_id: { S: cursor } };
  return { page, next };
}

function describeTable(TableName: string, region: string, ItemCount: number): object {
  return {
    ...{ TableName, TableStatus: "ACTIVE", ItemCount, TableSizeBytes: 0 },
    TableArn: `arn:aws:dynamodb:${region}:${accountId}:table/${TableName}`,
    KeySchema: [
      { AttributeName: "user_id", KeyType: "HASH" },
      { AttributeName: "connection_id", KeyType: "RANGE" },
    ],
    AttributeDefinitions: [
      { AttributeName: "user_id", AttributeType: "S" },
      { AttributeName: "connection_id", AttributeType: "S" },
    ],
  };
}

function toAwsError(error: TodokuError): AwsError {
  if (error.code === "invalid_argument") return new AwsError("ValidationException", error.message);
  return toCommonAwsError(error);
}
