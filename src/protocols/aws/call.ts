import type { Buffer } from "node:buffer";
import type { IncomingHttpHeaders } from "node:http";
import type { Principal } from "../../domain/auth/principal.ts";
import type { TodokuError } from "../../domain/errors.ts";
import type { Receiver } from "../../domain/queues/poll-line.ts";
import type { AwsError } from "./errors.ts";

/** The services of AWS that are spoken here, by the names that signatures give them. */
export const awsServiceNames = ["sqs", "sns", "execute-api", "ssm", "secretsmanager", "dynamodb", "lambda"] as const;

/** One of {@link awsServiceNames}. */
export type AwsServiceName = (typeof awsServiceNames)[number];

/** `json`: the header X-Amz-Target and a JSON object. `query`: form fields, answered in XML. `rest`: path and method say it all. */
export type AwsWire = "json" | "query" | "rest";

export { accountId } from "../../domain/event-topics/arns.ts";

/** One request of an AWS client: read, and its caller known. */
export interface AwsCall {
  readonly service: AwsServiceName;
  readonly wire: AwsWire;
  readonly principal: Principal;
  /** "SendMessage"; "" for `rest`. */
  readonly action: string;
  /** Of `json`, 1.0 or 1.1: the object. Else empty. */
  readonly input: Readonly<Record<string, unknown>>;
  /** Of `query`: all fields of body and address, at most `limits.aws.formMaxFields`. Else empty. */
  readonly form: URLSearchParams;
  readonly method: string;
  /** As it was sent, without the query. */
  readonly rawPath: string;
  /** Fields of the address. */
  readonly query: URLSearchParams;
  /** At most `limits.aws.bodyMaxBytes`. */
  readonly body: Buffer;
  readonly headers: IncomingHttpHeaders;
  /** A UUID. */
  readonly requestId: string;
  /** Any: what the signature says, `us-east-1` without one. */
  readonly region: string;
  /** `http(s)://host` of the request, without a slash at the end: what URLs that are returned begin with. */
  readonly baseUrl: string;
  /** For answers that wait: tells when the client has left. */
  readonly receiver: Receiver;
}

/** What a service answers. */
export interface AwsAnswer {
  /** Default 200. */
  readonly status?: number;
  /** `content-type` is the wire's unless it stands here. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: nothing. */
  readonly body?: string | Uint8Array;
}

/** A request that anybody may make: what it asks for is its own credential, or no secret. */
export interface AwsPublicRequest {
  readonly method: string;
  readonly rawPath: string;
  readonly query: URLSearchParams;
  readonly requestId: string;
  readonly baseUrl: string;
}

/** One service of AWS. */
export interface AwsService {
  /** @throws AwsError; TodokuError, which becomes one by {@link AwsService.toAwsError}. */
  handle(call: AwsCall): Promise<AwsAnswer>;
  /** In this service's words; internal errors, and those of signatures and of the size of a request, do not come here. */
  toAwsError(error: TodokuError, call: Pick<AwsCall, "method">): AwsError;
  /** Asked before anybody is authenticated; undefined: it is no such request. @throws AwsError, TodokuError. */
  handlePublic?(request: AwsPublicRequest): Promise<AwsAnswer | undefined>;
}
