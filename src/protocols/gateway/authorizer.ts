import { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import { problemOfUserId } from "../../domain/auth/user-id.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { InvocationResult } from "../../domain/handlers/handler.ts";
import { limits } from "../../domain/limits.ts";
import { answerOf, errorOf, isObject, WrongAnswer } from "../lambda-events.ts";
import { refusedWith } from "./answers.ts";
import { policyAllows } from "./policy.ts";

/** What an authorizer says of somebody whom it lets in. */
export interface Authorized {
  readonly userId: string;
  /** As later events carry it. */
  readonly context: Readonly<Record<string, string>>;
}

/** `route.request.header.<name>` or `route.request.querystring.<name>`. */
const identitySourcePattern = /^route\.request\.(header|querystring)\.(\S{1,128})$/;

/** @throws TodokuError `unauthenticated`: one of the places where the credential may be is empty, so that nobody needs to be asked. */
export function checkIdentitySources(
  sources: readonly string[],
  headers: IncomingHttpHeaders,
  query: URLSearchParams,
): void {
  for (const source of sources) {
    const [, kind, name = ""] = identitySourcePattern.exec(source) ?? [];
    const value = kind === "header" ? headers[name.toLowerCase()] : query.get(name);
    if (value === undefined || value === null || value.length === 0) {
      throw new TodokuError(
        "unauthenticated",
        `${kind === "header" ? "the header" : "the query's"} ${name} is missing`,
      );
    }
  }
}

/**
 * What an authorizer's answer means for whoever wants `methodArn`.
 * @throws TodokuError `unauthenticated`: it said "Unauthorized"; `permission_denied`: its policy does not allow it; `unavailable`: it failed. WrongAnswer.
 */
export function readAuthorization(result: InvocationResult, methodArn: string): Authorized {
  if (result.kind === "error") {
    if (errorOf(result).message !== "Unauthorized") throw refusedWith(500);
    throw new TodokuError("unauthenticated", "the authorizer does not know this caller");
  }
  const answer = answerOf(result)?.value;
  if (!isObject(answer)) throw new WrongAnswer("its answer is no object");
  const { principalId, policyDocument, context = {} } = answer;
  const isAllowed = policyAllows(policyDocument, methodArn);
  if (isAllowed === undefined) throw new WrongAnswer("its policyDocument is no policy that is understood here");
  if (!isAllowed) throw new TodokuError("permission_denied", "the authorizer does not let this caller in");
  if (typeof principalId !== "string") throw new WrongAnswer("its principalId is no text");
  const problem = problemOfUserId(principalId);
  if (problem !== undefined) throw new WrongAnswer(`its principalId ${problem}`);
  return { userId: principalId, context: readContext(context) };
}

/** Numbers and booleans are texts from then on, as in API Gateway. */
function readContext(context: unknown): Readonly<Record<string, string>> {
  if (!isObject(context)) throw new WrongAnswer("its context is no object");
  const entries = Object.entries(context).map(([name, value]): [string, string] => {
    if (!["string", "number", "boolean"].includes(typeof value)) {
      throw new WrongAnswer(`its context's "${name.slice(0, 100)}" is no text, number or boolean`);
    }
    return [name, String(value)];
  });
  const texts = Object.fromEntries(entries);
  const { authorizerContextMaxBytes: max } = limits.gateway;
  const bytes = Buffer.byteLength(JSON.stringify(texts));
  if (bytes > max) throw new WrongAnswer(`its context has ${bytes} bytes as JSON; must be <= ${max}`);
  return texts;
}
