import { checkHandlerName } from "../../../domain/handlers/handler.ts";
import { AwsError } from "../errors.ts";

/** Name, `account:function:name` or whole ARN, each perhaps with a version behind it. Region and account are not compared: there is one of each. */
const pattern = /^(?:(?:arn:[\w-]+:lambda:[\w-]*:)?\d{12}:function:|function:)?([^:]+)(?::([^:]+))?$/;

/**
 * The handler that a path's segment names; `qualifier`: of the query.
 * @throws AwsError: it is no name, or names a version that there is not; TodokuError `invalid_argument`.
 */
export function readFunctionName(segment: string, qualifier: string | null): string {
  const text = decode(segment);
  const [, name, version = "$LATEST"] = pattern.exec(text) ?? [];
  if (name === undefined) {
    throw new AwsError("InvalidParameterValueException", `function name "${text.slice(0, 200)}" is no name and no ARN`);
  }
  checkHandlerName(name);
  for (const asked of [version, qualifier ?? "$LATEST"]) {
    if (asked === "$LATEST") continue;
    const problem = `handlers have no versions and no aliases: "${asked.slice(0, 100)}" of "${name}" is not there`;
    throw new AwsError("ResourceNotFoundException", problem, { status: 404 });
  }
  return name;
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new AwsError("InvalidParameterValueException", "the function name in the path is not encoded as an address");
  }
}
