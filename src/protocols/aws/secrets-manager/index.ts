import type { z } from "zod";
import { TodokuError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import type { SecretDetails } from "../../../domain/secrets/secret.ts";
import type { AwsCall, AwsService } from "../call.ts";
import { AwsError, toCommonAwsError } from "../errors.ts";
import { createJsonService, jsonOperation, toEpochSeconds } from "../json-service.ts";
import type { AwsOptions } from "../options.ts";
import { pageOf } from "../page.ts";
import * as inputs from "./inputs.ts";
import { readSecretId, toArn } from "./names.ts";
import { stagesOf, versionIdOf, versionOf } from "./versions.ts";

type SecretsManagerOptions = Pick<AwsOptions, "secrets" | "clock">;

/** A value as a client sends it. */
interface ValueInput {
  readonly SecretString?: string | undefined;
  readonly SecretBinary?: string | undefined;
  readonly ClientRequestToken?: string | undefined;
}

/** AWS Secrets Manager: a face of the secret store. */
export function createSecretsManager(options: SecretsManagerOptions): AwsService {
  const { secrets, clock } = options;
  const find = ({ principal }: AwsCall, secretId: string) => secrets.find(principal, readSecretId(secretId));
  const operations = {
    GetSecretValue: jsonOperation(inputs.getValueSchema, async (input, call) => {
      return getValue(options, await find(call, input.SecretId), input, call);
    }),
    CreateSecret: jsonOperation(inputs.createSchema, (input, call) => put(options, input.Name, input, call, true)),
    PutSecretValue: jsonOperation(inputs.putValueSchema, async (input, call) => {
      const made = await put(options, readSecretId(input.SecretId), input, call, false);
      return { ...made, VersionStages: ["AWSCURRENT"] };
    }),
    UpdateSecret: jsonOperation(inputs.updateSchema, async (input, call) => {
      const hasValue = input.SecretString !== undefined || input.SecretBinary !== undefined;
      if (hasValue) return put(options, readSecretId(input.SecretId), input, call, false);
      const { name } = await find(call, input.SecretId);
      return { ARN: toArn(call.region, name), Name: name };
    }),
    DescribeSecret: jsonOperation(inputs.describeSchema, async ({ SecretId }, call) => {
      return toDescription(await find(call, SecretId), call.region, "VersionIdsToStages");
    }),
    ListSecrets: jsonOperation(inputs.listSchema, async (input, { principal, region }) => {
      const { page, more } = pageOf(await secrets.findAll(principal), input, limits.aws.secretsPageMax);
      const SecretList = page.map((details) => toDescription(details, region, "SecretVersionsToStages"));
      return { SecretList, ...more };
    }),
    ListSecretVersionIds: jsonOperation(inputs.listVersionsSchema, async (input, call) => {
      return toVersions(await find(call, input.SecretId), call.region, input.IncludeDeprecated);
    }),
    DeleteSecret: jsonOperation(inputs.deleteSchema, async ({ SecretId }, { principal, region }) => {
      const name = readSecretId(SecretId);
      await secrets.delete(principal, name);
      return { ARN: toArn(region, name), Name: name, DeletionDate: toEpochSeconds(clock.wallMs()) };
    }),
  };
  return createJsonService("Secrets Manager", operations, toAwsError);
}

async function getValue(
  { secrets }: SecretsManagerOptions,
  details: SecretDetails,
  wanted: z.output<typeof inputs.getValueSchema>,
  { principal, region }: AwsCall,
): Promise<object> {
  const { name } = details;
  const found = versionOf(details, wanted);
  const { value } = await secrets.get(principal, name, found.version);
  return {
    ...{ ARN: toArn(region, name), Name: name, VersionId: versionIdOf(found) },
    ...(found.form === "bytes" ? { SecretBinary: value } : { SecretString: value }),
    ...{ VersionStages: stagesOf(details, found), CreatedDate: toEpochSeconds(found.createdAtMs) },
  };
}

async function put(
  { secrets }: SecretsManagerOptions,
  name: string,
  { SecretString, SecretBinary, ClientRequestToken: token }: ValueInput,
  { principal, region }: AwsCall,
  isNew: boolean,
): Promise<object> {
  const value = SecretString ?? SecretBinary;
  if (value === undefined || (SecretString !== undefined && SecretBinary !== undefined)) {
    throw new TodokuError("invalid_argument", 'there must be either "SecretString" or "SecretBinary"');
  }
  const form = SecretString === undefined ? "bytes" : undefined;
  const { currentVersion } = await secrets.put(principal, name, value, { form, token, isNew });
  return { ARN: toArn(region, name), Name: name, VersionId: versionIdOf({ version: currentVersion, token }) };
}

function toDescription(details: SecretDetails, region: string, stagesField: string): object {
  const { name, versions } = details;
  const staged = versions.map((version) => [versionIdOf(version), stagesOf(details, version)] as const);
  return {
    ...{ ARN: toArn(region, name), Name: name },
    CreatedDate: toEpochSeconds(versions[0]?.createdAtMs ?? 0),
    LastChangedDate: toEpochSeconds(versions.at(-1)?.createdAtMs ?? 0),
    [stagesField]: Object.fromEntries(staged.filter(([, stages]) => stages.length > 0)),
  };
}

function toVersions(details: SecretDetails, region: string, isDeprecatedToo: boolean): object {
  const Versions = details.versions
    .map((version) => ({
      VersionId: versionIdOf(version),
      VersionStages: stagesOf(details, version),
      CreatedDate: toEpochSeconds(version.createdAtMs),
    }))
    .filter(({ VersionStages }) => isDeprecatedToo || VersionStages.length > 0);
  return { ARN: toArn(region, details.name), Name: details.name, Versions };
}

function toAwsError(error: TodokuError): AwsError {
  const { code, message, retryAfterMs } = error;
  if (code === "invalid_argument") return new AwsError("InvalidParameterException", message);
  if (code === "failed_precondition") return new AwsError("InvalidRequestException", message);
  if (code === "already_exists") return new AwsError("ResourceExistsException", message);
  if (code === "limit_exceeded" && retryAfterMs === undefined && error.subject === undefined) {
    return new AwsError("LimitExceededException", message);
  }
  return toCommonAwsError(error);
}
