// The events that handlers behind the gateway get: those of an API Gateway WebSocket API, to the letter.
import type { IncomingMessage } from "node:http";
import { awsAccount, awsRegion } from "../../domain/handlers/handler.ts";
import { newId } from "../../lib/random-ids.ts";
import { eventHeaders, pairsOf, requestTime } from "../lambda-events.ts";

/** A handshake, for as long as it is not known who makes it. */
export interface Visit {
  /** Of the connection that may come of it. */
  readonly connectionId: string;
  /** Of the endpoint. */
  readonly path: string;
  /** Host and port, as the client wrote them. */
  readonly domainName: string;
  /** The client's. */
  readonly address: string;
  readonly userAgent: string;
  /** A proxy in front terminates TLS. */
  readonly isBehindTls: boolean;
  /** Wall time. */
  readonly connectedAtMs: number;
}

/** What all events of a connection say of it. */
export interface Scene extends Visit {
  readonly environment: string;
  /** Who it is, and what the authorizer said of them; undefined: nobody. */
  readonly authorizer: Readonly<Record<string, string | number>> | undefined;
}

type EventType = "CONNECT" | "MESSAGE" | "DISCONNECT";

/** Of the API, stage and route: what policies of authorizers name. Region and account are the only ones that there are. */
export function methodArnOf({ path }: Visit, environment: string): string {
  return `arn:aws:execute-api:${awsRegion}:${awsAccount}:${environment}/${stageOf(path)}/$connect`;
}

/** What an authorizer is asked. */
export function authorizerEvent(visit: Visit, environment: string, request: IncomingMessage, query: URLSearchParams) {
  const { headers, multiValueHeaders } = headersOf(visit, request);
  const parameters = pairsOf(query);
  const scene = { ...visit, environment, authorizer: undefined };
  return {
    type: "REQUEST",
    methodArn: methodArnOf(visit, environment),
    ...{ headers, multiValueHeaders },
    queryStringParameters: parameters.last,
    multiValueQueryStringParameters: parameters.all,
    stageVariables: {},
    requestContext: contextOf(scene, "$connect", "CONNECT", newId(), visit.connectedAtMs),
  };
}

export function connectEvent(scene: Scene, request: IncomingMessage, query: URLSearchParams, nowMs: number) {
  const parameters = pairsOf(query);
  return {
    ...headersOf(scene, request),
    ...(query.size > 0 && {
      queryStringParameters: parameters.last,
      multiValueQueryStringParameters: parameters.all,
    }),
    requestContext: contextOf(scene, "$connect", "CONNECT", newId(), nowMs),
    isBase64Encoded: false,
  };
}

export function messageEvent(scene: Scene, routeKey: string, body: string, requestId: string, nowMs: number) {
  const context = contextOf(scene, routeKey, "MESSAGE", requestId, nowMs);
  return { requestContext: { ...context, messageId: newId() }, body, isBase64Encoded: false };
}

export function disconnectEvent(scene: Scene, code: number, reason: string, nowMs: number) {
  const { domainName, userAgent, address } = scene;
  const headers = { Host: domainName, "x-api-key": "", "X-Forwarded-For": address, "User-Agent": userAgent };
  const context = contextOf(scene, "$disconnect", "DISCONNECT", newId(), nowMs);
  const disconnectReason = reason === "" ? (reasons[code] ?? "") : reason;
  return {
    headers,
    multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    requestContext: { ...context, disconnectStatusCode: code, disconnectReason },
    isBase64Encoded: false,
  };
}

/** In the words of API Gateway; a client may say something else. */
const reasons: Readonly<Record<number, string>> = {
  1000: "Connection Closed Normally",
  1001: "Going away",
  1005: "Client-side close frame status not set",
  1006: "Connection Closed Abnormally",
};

function contextOf(scene: Scene, routeKey: string, eventType: EventType, requestId: string, nowMs: number) {
  const { connectionId, path, domainName, address, userAgent, connectedAtMs, environment, authorizer } = scene;
  return {
    routeKey,
    ...(authorizer && { authorizer }),
    eventType,
    extendedRequestId: requestId,
    requestTime: requestTime(nowMs),
    messageDirection: "IN",
    stage: stageOf(path),
    connectedAt: connectedAtMs,
    requestTimeEpoch: nowMs,
    identity: { userAgent, sourceIp: address },
    requestId,
    domainName,
    connectionId,
    apiId: environment,
  };
}

/** A path without its first slash: where the management API of a stage is in the same way. */
function stageOf(path: string): string {
  return path.slice(1);
}

function headersOf({ address, isBehindTls }: Visit, request: IncomingMessage) {
  const { last, all } = pairsOf(eventHeaders(request, address, isBehindTls));
  return { headers: last, multiValueHeaders: all };
}
