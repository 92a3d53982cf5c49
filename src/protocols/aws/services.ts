import type { AwsService, AwsServiceName } from "./call.ts";
import { createConnectionsApi } from "./connections/index.ts";
import { createDynamodb } from "./dynamodb/index.ts";
import { createLambda } from "./lambda/index.ts";
import type { AwsOptions } from "./options.ts";
import { createSecretsManager } from "./secrets-manager/index.ts";
import { createSns } from "./sns/index.ts";
import { createSqs } from "./sqs/index.ts";
import { createSsm } from "./ssm/index.ts";

/** All services that are offered. */
export function createServices(options: AwsOptions): ReadonlyMap<AwsServiceName, AwsService> {
  return new Map<AwsServiceName, AwsService>([
    ["sqs", createSqs(options)],
    ["sns", createSns(options)],
    ["execute-api", createConnectionsApi(options)],
    ["ssm", createSsm(options)],
    ["secretsmanager", createSecretsManager(options)],
    ["lambda", createLambda(options)],
    ["dynamodb", createDynamodb(options)],
  ]);
}
