import { Buffer } from "node:buffer";
import type { IncomingMessage, ServerResponse } from "node:http";
import { commonHeaders, isGone } from "../../lib/response.ts";
import type { AwsAnswer, AwsWire } from "./call.ts";
import type { AwsError } from "./errors.ts";
import type { Target } from "./routing.ts";
import { errorXml } from "./xml.ts";

/** Of every answer. SDKs set their clocks by its date: it is that of the clock which signatures are compared with. */
export function commonHeadersOf(requestId: string, wallMs: number): Readonly<Record<string, string>> {
  return { ...commonHeaders, "x-amzn-requestid": requestId, date: new Date(wallMs).toUTCString() };
}

/** @param common {@link commonHeadersOf}: all headers in one call, for each one that is set before costs as much as all of them. */
export function sendAnswer(
  request: IncomingMessage,
  response: ServerResponse,
  wire: AwsWire,
  answer: AwsAnswer,
  common: Readonly<Record<string, string>>,
): void {
  if (isGone(response)) return;
  const { status = 200, headers = {}, body } = answer;
  const contentType = headers["content-type"] ?? (body === undefined ? undefined : contentTypeOf(request, wire));
  const sized = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
  response.writeHead(status, {
    ...common,
    ...headers,
    ...sized,
    ...(contentType !== undefined && { "content-type": contentType }),
  });
  if (body === undefined) response.end();
  else response.end(body);
}

/** What the wire tells of an error: SDKs find its name in a header, in the body, or in XML. */
export function errorAnswer(error: AwsError, target: Target, requestId: string): AwsAnswer {
  const { code, queryCode, status, fault, message, retryAfterMs } = error;
  const retry = retryAfterMs === undefined ? {} : { "retry-after": String(Math.ceil(retryAfterMs / 1000)) };
  const { service, wire } = target;
  if (wire === "query")
    return { status, headers: retry, body: errorXml(service, { fault, queryCode, message }, requestId) };
  const headers: Record<string, string> = { ...retry, "x-amzn-errortype": code };
  // Of the service that began with the query protocol: its clients tell errors apart by the names of that time.
  if (service === "sqs") headers["x-amzn-query-error"] = `${queryCode};${fault}`;
  const body = wire === "json" ? { __type: code, message } : { message };
  return { status, headers, body: JSON.stringify(body) };
}

function contentTypeOf({ headers }: IncomingMessage, wire: AwsWire): string {
  if (wire === "query") return "text/xml";
  if (wire === "rest") return "application/json";
  return /^application\/x-amz-json-1\.1\b/.test(headers["content-type"] ?? "")
    ? "application/x-amz-json-1.1"
    : "application/x-amz-json-1.0";
}
