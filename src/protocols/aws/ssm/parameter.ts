import type { Principal } from "../../../domain/auth/principal.ts";
import { TodokuError } from "../../../domain/errors.ts";
import type { SecretDetails, SecretForm, SecretVersion } from "../../../domain/secrets/secret.ts";
import type { Secrets } from "../../../domain/secrets/secrets.ts";
import { AwsError } from "../errors.ts";
import { toEpochSeconds } from "../json-service.ts";
import { type ParameterSelector, toArn } from "./names.ts";

export const parameterTypes = ["String", "StringList", "SecureString"] as const;

/** How SSM calls what a value is. */
export type ParameterType = (typeof parameterTypes)[number];

const forms: Readonly<Record<ParameterType, SecretForm>> = {
  String: "plain",
  StringList: "list",
  SecureString: undefined,
};

export function toForm(type: ParameterType): SecretForm {
  return forms[type];
}

/** What other doors have put is a SecureString. */
export function toType(form: SecretForm): ParameterType {
  return parameterTypes.find((type) => forms[type] === form) ?? "SecureString";
}

/** Stands for the value of a SecureString that is asked for without its decryption, where AWS gives its ciphertext. */
const encryptedText = "(encrypted: ask for it with WithDecryption)";

/** How a caller wants to see parameters. */
export interface Reading {
  readonly secrets: Pick<Secrets, "find" | "get">;
  readonly principal: Principal;
  readonly region: string;
  readonly isDecrypted: boolean;
}

/** The first of its names that is there. @throws TodokuError `not_found`, `permission_denied`; AwsError. */
export async function readParameter(reading: Reading, selector: ParameterSelector): Promise<object> {
  const { secrets, principal } = reading;
  let firstError: unknown;
  for (const name of selector.names) {
    try {
      return await toParameter(reading, await secrets.find(principal, name), selector);
    } catch (error) {
      if (!isMissing(error)) throw error;
      firstError ??= error;
    }
  }
  throw firstError;
}

/** One that was found. @throws TodokuError `not_found`: it was deleted meanwhile; AwsError `ParameterVersionNotFound`. */
export async function toParameter(
  { secrets, principal, region, isDecrypted }: Reading,
  details: SecretDetails,
  { version, suffix }: Omit<ParameterSelector, "names"> = { version: undefined, suffix: "" },
): Promise<object> {
  const found = versionOf(details, version);
  const { name } = details;
  const Type = toType(found.form);
  const isHidden = Type === "SecureString" && !isDecrypted;
  const Value = isHidden ? encryptedText : (await secrets.get(principal, name, found.version)).value;
  return {
    ...{ Name: name, Type, Value, Version: found.version },
    ...(suffix === "" ? {} : { Selector: suffix }),
    ...{ LastModifiedDate: toEpochSeconds(found.createdAtMs), ARN: toArn(region, name), DataType: "text" },
  };
}

/** Not there, or not for this caller: of two names that an ARN may mean, the other may be. */
function isMissing(error: unknown): boolean {
  return error instanceof TodokuError && (error.code === "not_found" || error.code === "permission_denied");
}

function versionOf({ name, versions, currentVersion }: SecretDetails, wanted: number | undefined): SecretVersion {
  const found = versions.find(({ version }) => version === (wanted ?? currentVersion));
  if (found) return found;
  const kept = `kept are ${versions[0]?.version} to ${currentVersion}`;
  throw new AwsError("ParameterVersionNotFound", `parameter "${name}" has no version ${wanted}; ${kept}`);
}
