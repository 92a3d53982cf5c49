import type { z } from "zod";
import type { Principal } from "../../../domain/auth/principal.ts";
import { TodokuError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import type { AwsCall, AwsService } from "../call.ts";
import { AwsError, toCommonAwsError } from "../errors.ts";
import { createJsonService, jsonOperation, toEpochSeconds } from "../json-service.ts";
import type { AwsOptions } from "../options.ts";
import { pageOf } from "../page.ts";
import * as inputs from "./inputs.ts";
import { isBelow, readSelector, toArn } from "./names.ts";
import { type ParameterType, type Reading, readParameter, toForm, toParameter, toType } from "./parameter.ts";

const { pageMax, describePageMax } = limits.aws.ssm;

type SsmOptions = Pick<AwsOptions, "secrets">;
type Input<Schema extends z.ZodType> = z.output<Schema>;

/** SSM's Parameter Store: a face of the secret store. */
export function createSsm(options: SsmOptions): AwsService {
  const { secrets } = options;
  const reading = ({ principal, region }: AwsCall, isDecrypted: boolean): Reading => {
    return { secrets, principal, region, isDecrypted };
  };
  const operations = {
    GetParameter: jsonOperation(inputs.getParameterSchema, async ({ Name, WithDecryption }, call) => {
      return { Parameter: await readParameter(reading(call, WithDecryption), readSelector(Name)) };
    }),
    GetParameters: jsonOperation(inputs.getParametersSchema, ({ Names, WithDecryption }, call) => {
      return getParameters(reading(call, WithDecryption), Names);
    }),
    GetParametersByPath: jsonOperation(inputs.getByPathSchema, async (input, call) => {
      const all = await secrets.findAll(call.principal);
      const below = all.filter(({ name }) => isBelow(name, input.Path, input.Recursive));
      const { page, more } = pageOf(below, input, pageMax);
      const read = reading(call, input.WithDecryption);
      return { Parameters: await Promise.all(page.map((details) => toParameter(read, details))), ...more };
    }),
    PutParameter: jsonOperation(inputs.putParameterSchema, (input, call) => putParameter(options, input, call)),
    DeleteParameter: jsonOperation(inputs.deleteParameterSchema, async ({ Name }, { principal }) => {
      await secrets.delete(principal, Name);
      return {};
    }),
    DeleteParameters: jsonOperation(inputs.deleteParametersSchema, ({ Names }, call) => {
      return deleteParameters(options, Names, call);
    }),
    DescribeParameters: jsonOperation(inputs.describeParametersSchema, async (input, { principal, region }) => {
      const { page, more } = pageOf(await secrets.findAll(principal), input, describePageMax);
      const Parameters = page.map(({ name, versions, currentVersion }) => {
        const { createdAtMs = 0, form } = versions.at(-1) ?? {};
        const about = { Type: toType(form), LastModifiedDate: toEpochSeconds(createdAtMs), Version: currentVersion };
        return { Name: name, ARN: toArn(region, name), ...about, Tier: "Standard", Policies: [], DataType: "text" };
      });
      return { Parameters, ...more };
    }),
  };
  return createJsonService("SSM", operations, toAwsError);
}

/** Those that are there, each once, and the names of the others. */
async function getParameters(reading: Reading, names: readonly string[]): Promise<object> {
  const Parameters: object[] = [];
  const InvalidParameters: string[] = [];
  for (const name of new Set(names)) {
    try {
      Parameters.push(await readParameter(reading, readSelector(name)));
    } catch (error) {
      if (!isNotFound(error)) throw error;
      InvalidParameters.push(name);
    }
  }
  return { Parameters, InvalidParameters };
}

async function putParameter(
  { secrets }: SsmOptions,
  { Name, Value, Type, Overwrite }: Input<typeof inputs.putParameterSchema>,
  { principal }: AwsCall,
): Promise<object> {
  const type = Type ?? (await typeOf({ secrets }, Name, principal));
  if (type === undefined) throw new TodokuError("invalid_argument", '"Type": a new parameter must have one');
  const { currentVersion } = await secrets.put(principal, Name, Value, {
    form: toForm(type),
    isNew: Overwrite ? undefined : true,
  });
  return { Version: currentVersion, Tier: "Standard" };
}

/** Of the parameter as it is read; undefined: there is none. Whoever may only write it has to say its type. */
async function typeOf({ secrets }: SsmOptions, name: string, principal: Principal): Promise<ParameterType | undefined> {
  try {
    const { versions } = await secrets.find(principal, name);
    return toType(versions.at(-1)?.form);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

async function deleteParameters({ secrets }: SsmOptions, names: readonly string[], { principal }: AwsCall) {
  const DeletedParameters: string[] = [];
  const InvalidParameters: string[] = [];
  for (const name of names) {
    try {
      await secrets.delete(principal, name);
      DeletedParameters.push(name);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      InvalidParameters.push(name);
    }
  }
  return { DeletedParameters, InvalidParameters };
}

function isNotFound(error: unknown): boolean {
  if (error instanceof AwsError) return error.code === "ParameterVersionNotFound";
  return error instanceof TodokuError && error.code === "not_found";
}

function toAwsError(error: TodokuError): AwsError {
  const { code, message, retryAfterMs } = error;
  if (code === "not_found") return new AwsError("ParameterNotFound", message.replace(/^secret/, "parameter"));
  if (code === "already_exists") {
    return new AwsError(
      "ParameterAlreadyExists",
      `${message.replace(/^secret/, "parameter")}; Overwrite writes over it`,
    );
  }
  if (code === "limit_exceeded" && retryAfterMs === undefined && error.subject === undefined) {
    return new AwsError("ParameterLimitExceeded", message);
  }
  return toCommonAwsError(error);
}
