// Lambda's REST API, as far as it calls functions: Invoke, and what SDKs ask of functions before they do.
import type { Principal } from "../../../domain/auth/principal.ts";
import type { TodokuError } from "../../../domain/errors.ts";
import { functionArn } from "../../../domain/handlers/handler.ts";
import type { HandlerInfo, Handlers } from "../../../domain/handlers/handlers.ts";
import type { AwsAnswer, AwsCall, AwsService } from "../call.ts";
import { AwsError, toCommonAwsError, unknownAction } from "../errors.ts";
import type { AwsOptions } from "../options.ts";
import { readFunctionName } from "./function-name.ts";
import { answerInvoke } from "./invoke.ts";

const functionsPath = /^\/2015-03-31\/functions(?:\/([^/]*)(?:\/(invocations|configuration))?)?$/;

export function createLambda({ handlers, clock, wheel }: Pick<AwsOptions, "handlers" | "clock" | "wheel">): AwsService {
  return {
    async handle(call) {
      const { method, rawPath, query, principal } = call;
      const [path, segment = "", what] = functionsPath.exec(rawPath) ?? [];
      if (path === undefined) throw unknownAction(`${method} ${rawPath}`, "Lambda");
      if (segment === "" && method === "GET") return listFunctions(handlers, principal);
      if (segment === "") throw unknownAction(`${method} ${rawPath}`, "Lambda");
      const name = readFunctionName(segment, query.get("Qualifier"));
      if (what === "invocations" && method === "POST") return answerInvoke({ handlers, clock, wheel }, call, name);
      if (what === "invocations" || method !== "GET") throw unknownAction(`${method} ${rawPath}`, "Lambda");
      const configuration = toConfiguration(handlers.read(principal, name));
      return toJson(what === "configuration" ? configuration : { Configuration: configuration });
    },
    toAwsError,
  };
}

function listFunctions(handlers: Handlers, principal: Principal): AwsAnswer {
  return toJson({ Functions: handlers.list(principal).map(toConfiguration) });
}

/** What there is of Lambda's FunctionConfiguration. */
function toConfiguration({ name, state, timeoutMs }: HandlerInfo): object {
  return {
    FunctionName: name,
    FunctionArn: functionArn(name),
    Timeout: Math.ceil(timeoutMs / 1000),
    Version: "$LATEST",
    PackageType: "Zip",
    // SDKs have waiters for it; Lambda itself calls a function that starts Pending.
    State: state === "ready" || state === "waiting" ? "Active" : state === "starting" ? "Pending" : "Failed",
    LastUpdateStatus: "Successful",
  };
}

function toJson(value: object): AwsAnswer {
  return { headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}

function toAwsError(error: TodokuError, call: AwsCall): AwsError {
  const { code, message, retryAfterMs } = error;
  const say = (name: string, status: number) => new AwsError(name, message, { status, retryAfterMs });
  switch (code) {
    case "not_found":
      return say("ResourceNotFoundException", 404);
    case "limit_exceeded":
      return say("TooManyRequestsException", 429);
    // It did not run: to try again is safe.
    case "unavailable":
      return say("ServiceException", 503);
    case "invalid_argument":
      return call.method === "POST"
        ? say("InvalidRequestContentException", 400)
        : say("InvalidParameterValueException", 400);
    default:
      return toCommonAwsError(error);
  }
}
