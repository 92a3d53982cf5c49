// Which requests are AWS's, and of which service: told by what only AWS's clients send.
import type { IncomingMessage } from "node:http";
import { type Address, addressOf, isPresigned } from "./address.ts";
import { type AwsServiceName, type AwsWire, awsServiceNames } from "./call.ts";
import { AwsError } from "./errors.ts";
import { isSignature } from "./signature-v4.ts";

/** What a request is for. */
export interface Target {
  readonly service: AwsServiceName;
  readonly wire: AwsWire;
  /** "" for `rest`. */
  readonly action: string;
}

/** `X-Amz-Target` begins with one of these. */
const targets: Readonly<Record<string, AwsServiceName>> = {
  AmazonSQS: "sqs",
  AmazonSSM: "ssm",
  secretsmanager: "secretsmanager",
  DynamoDB_20120810: "dynamodb",
};

/** The query protocol's `Version`. */
const versions: Readonly<Record<string, AwsServiceName>> = { "2012-11-05": "sqs", "2010-03-31": "sns" };

const connectionPath = /\/(@|%40)connections\//i;
/** Functions, and what feeds them. */
const lambdaPath = /^\/2015-03-31\//;
const certificatePath = /^\/SimpleNotificationService-[0-9a-f]{1,64}\.pem$/;
/** Of a queue: whoever writes forms by hand sends them there. */
const queuePath = /^\/\d{12}\/[^/]{1,80}$/;
/** Of other doors, whatever a request to them brings along. */
const othersPath = /^\/(v1|health|metrics|console|functions|cache|topics)(\/|$)/;

/** Is the request one of an AWS client? Says nothing of whether it is a good one. */
export function isOfAws({ method, url, headers }: Pick<IncomingMessage, "method" | "url" | "headers">): boolean {
  const address = addressOf(url);
  const { rawPath, query } = address;
  if (serviceOfPath(rawPath) || certificatePath.test(rawPath)) return true;
  if (othersPath.test(rawPath)) return false;
  if (isSignature(headers.authorization)) return true;
  if (rawPath !== "/" && !queuePath.test(rawPath)) return false;
  if (headers["x-amz-target"] !== undefined || isPresigned(address) || query.has("Action")) return true;
  return method === "POST" && isForm(headers["content-type"]);
}

/** Is the body form fields? */
export function isForm(contentType: string | undefined): boolean {
  return contentType?.split(";", 1)[0]?.trim().toLowerCase() === "application/x-www-form-urlencoded";
}

/** The service of a path that has one of its own; undefined: another sign tells. */
export function serviceOfPath(rawPath: string): "execute-api" | "lambda" | undefined {
  if (lambdaPath.test(rawPath)) return "lambda";
  return connectionPath.test(rawPath) ? "execute-api" : undefined;
}

/** What a request seems to be for, by its head alone: for the errors of those that go no further. */
export function guessedTarget({ headers }: Pick<IncomingMessage, "headers">, { rawPath }: Address): Target {
  const ofPath = serviceOfPath(rawPath);
  if (ofPath) return { service: ofPath, wire: "rest", action: "" };
  const [prefix = ""] = headers["x-amz-target"]?.toString().split(".", 1) ?? [];
  if (prefix !== "") return { service: serviceOf(targets, prefix) ?? "sqs", wire: "json", action: "" };
  // Nobody serves it, and its clients read no XML.
  if (restScopeOf(headers.authorization)) return { service: "lambda", wire: "rest", action: "" };
  return { service: scopeServiceOf(headers.authorization) ?? "sqs", wire: "query", action: "" };
}

/**
 * @param form fields of body and address.
 * @throws AwsError: it is for nothing that is offered here.
 */
export function targetOf(
  { method = "", headers }: Pick<IncomingMessage, "method" | "headers">,
  { rawPath }: Address,
  form: URLSearchParams,
): Target {
  const ofPath = serviceOfPath(rawPath);
  if (ofPath) return { service: ofPath, wire: "rest", action: "" };
  const target = headers["x-amz-target"]?.toString();
  if (target !== undefined) {
    const [prefix = "", action = ""] = target.split(".", 2);
    const service = serviceOf(targets, prefix);
    if (service) return { service, wire: "json", action };
    throw notOffered(`X-Amz-Target ${target.slice(0, 100)} is not offered`);
  }
  const restScope = restScopeOf(headers.authorization);
  if (restScope !== undefined)
    throw notOffered(`${method} ${rawPath.slice(0, 100)} of the service ${restScope} is not offered`);
  const action = form.get("Action");
  if (action === null) throw notOffered("the request names no action: neither X-Amz-Target nor Action");
  const scopeService = scopeServiceOf(headers.authorization) ?? (queuePath.test(rawPath) ? "sqs" : undefined);
  const service = serviceOf(versions, form.get("Version") ?? "") ?? scopeService;
  if (service) return { service, wire: "query", action };
  throw notOffered(`Version must be one of ${Object.keys(versions).join(", ")}`);
}

function serviceOf(known: Readonly<Record<string, AwsServiceName>>, name: string): AwsServiceName | undefined {
  return Object.hasOwn(known, name) ? known[name] : undefined;
}

/** The service that the signature is for, when it speaks the query protocol. */
function scopeServiceOf(authorization = ""): AwsServiceName | undefined {
  const name = /^AWS4-HMAC-SHA256 +Credential=[\w-]+\/\d+\/[\w-]+\/(sqs|sns)\//.exec(authorization)?.[1];
  return awsServiceNames.find((one) => one === name);
}

/** The service that the signature is for, when it speaks neither of the other wires. */
function restScopeOf(authorization = ""): string | undefined {
  return /^AWS4-HMAC-SHA256 +Credential=[\w-]+\/\d+\/[\w-]+\/(lambda|apigateway|execute-api)\//.exec(
    authorization,
  )?.[1];
}

function notOffered(message: string): AwsError {
  const text = `${message}; docs/reference/aws.md lists what is`;
  return new AwsError("UnknownOperationException", text, { queryCode: "InvalidAction" });
}
