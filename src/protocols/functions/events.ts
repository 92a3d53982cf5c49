// The events of functions: payload 2.0 of function URLs, and 1.0 of REST APIs, to the letter.
import { awsAccount } from "../../domain/handlers/handler.ts";
import { pairsOf, requestTime, toEventBody } from "../lambda-events.ts";
import { type FunctionCall, labelOf } from "./call.ts";
import { claimTexts } from "./caller.ts";
import type { FoundRoute } from "./rest-routes.ts";

const commaJoined = (values: readonly string[]) => values.join(",");

/** The event of `/functions/<handler>`. */
export function functionUrlEvent(call: FunctionCall, handler: string): object {
  const { method, path, rawQuery, address, userAgent, domainName, protocol, requestId, claims, nowMs } = call;
  const query = joined(new URLSearchParams(rawQuery));
  const lowerCase = call.headers.map(([name, value]) => [name.toLowerCase(), value] as const);
  const headers = joined(lowerCase.filter(([name]) => name !== "cookie"));
  const cookies = lowerCase.flatMap(([name, value]) => (name === "cookie" ? value.split(/; */) : []));
  const body = call.body.length === 0 ? { isBase64Encoded: false } : toEventBody(call.body, call.contentType);
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString: rawQuery,
    ...(cookies.length > 0 && { cookies }),
    headers,
    ...(rawQuery !== "" && { queryStringParameters: query }),
    requestContext: {
      accountId: awsAccount,
      apiId: handler,
      ...(claims && { authorizer: { jwt: { claims: claimTexts(claims, bracketed), scopes: scopesOf(claims.scope) } } }),
      domainName,
      domainPrefix: labelOf(domainName),
      http: { method, path, protocol, sourceIp: address, userAgent },
      requestId,
      routeKey: "$default",
      stage: "$default",
      time: requestTime(nowMs),
      timeEpoch: nowMs,
    },
    ...body,
  };
}

/** The event of a REST API with path `stagePath`. */
export function proxyEvent(
  call: FunctionCall,
  stagePath: string,
  { resource, pathParameters }: Pick<FoundRoute, "resource" | "pathParameters">,
): object {
  const { method, path, rawQuery, address, userAgent, domainName, protocol, requestId, claims, nowMs } = call;
  const { last: headers, all: multiValueHeaders } = pairsOf(call.headers);
  const query = pairsOf(new URLSearchParams(rawQuery));
  const body =
    call.body.length === 0 ? { body: null, isBase64Encoded: false } : toEventBody(call.body, call.contentType);
  return {
    ...{ resource, path, httpMethod: method, headers, multiValueHeaders },
    queryStringParameters: nullIfEmpty(query.last),
    multiValueQueryStringParameters: nullIfEmpty(query.all),
    pathParameters: nullIfEmpty(pathParameters),
    stageVariables: null,
    requestContext: {
      resourceId: resource,
      // Both places are in use: Cognito's claims, and the principal of other authorizers.
      ...(claims && { authorizer: { claims: claimTexts(claims, commaJoined), principalId: String(claims.sub) } }),
      resourcePath: resource,
      httpMethod: method,
      extendedRequestId: requestId,
      requestTime: requestTime(nowMs),
      path: stagePath + path,
      accountId: awsAccount,
      protocol,
      stage: stagePath.slice(1),
      domainPrefix: labelOf(domainName),
      requestTimeEpoch: nowMs,
      requestId,
      identity: { ...nobody, sourceIp: address, userAgent },
      domainName,
      apiId: call.environment,
    },
    ...body,
  };
}

/** Of callers by AWS's own credentials. */
const nobody = {
  ...{ cognitoIdentityPoolId: null, accountId: null, cognitoIdentityId: null, caller: null, principalOrgId: null },
  ...{
    accessKey: null,
    cognitoAuthenticationType: null,
    cognitoAuthenticationProvider: null,
    userArn: null,
    user: null,
  },
};

function joined(pairs: Iterable<readonly [string, string]>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(pairsOf(pairs).all).map(([name, values]) => [name, values.join(",")]));
}

/** As HTTP APIs write lists of claims. */
function bracketed(values: readonly string[]): string {
  return `[${values.join(" ")}]`;
}

function scopesOf(scope: unknown): readonly string[] | null {
  return typeof scope === "string" && scope !== "" ? scope.split(" ") : null;
}

function nullIfEmpty<T extends object>(values: T): T | null {
  return Object.keys(values).length === 0 ? null : values;
}
