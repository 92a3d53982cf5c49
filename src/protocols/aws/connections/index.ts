import type { Connection } from "../../../domain/connections/connection.ts";
import { SharedMessage } from "../../../domain/connections/connection.ts";
import { TodokuError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import type { AwsAnswer, AwsCall, AwsService } from "../call.ts";
import { AwsError, toCommonAwsError } from "../errors.ts";
import type { AwsOptions } from "../options.ts";
import { readAddress } from "./address.ts";

type ConnectionsOptions = Pick<AwsOptions, "connections" | "gatewayPaths">;

const { messageMaxBytes } = limits.gateway;

/** API Gateway's management API of WebSockets. */
export function createConnectionsApi(options: ConnectionsOptions): AwsService {
  return {
    handle: async (call) => handle(options, call),
    toAwsError,
  };
}

function handle(options: ConnectionsOptions, call: AwsCall): AwsAnswer {
  const { connections } = options;
  const { principal, method } = call;
  const connectionId = wantedConnection(options, call);
  switch (method) {
    case "POST":
      connections.send(principal, connectionId, new SharedMessage(toText(call.body)));
      return {};
    case "GET":
      return { body: JSON.stringify(toJson(connections.find(principal, connectionId))) };
    case "DELETE":
      if (connections.kick(principal, { connectionId }, { reason: "deleted", reconnect: true }) === 0) {
        throw gone(connectionId);
      }
      return { status: 204 };
    default:
      throw new AwsError("BadRequestException", `method ${method} must be POST, GET or DELETE`);
  }
}

/** A prefix that is an endpoint of the gateway names it: a connection of another one is not there. Any other prefix says nothing. */
function wantedConnection({ connections, gatewayPaths }: ConnectionsOptions, { principal, rawPath }: AwsCall): string {
  const { prefix, connectionId } = readAddress(rawPath);
  const connection = connections.get(principal.environment, connectionId);
  const isElsewhere = connection && gatewayPaths.includes(prefix) && connection.path !== prefix;
  if (isElsewhere) throw gone(connectionId);
  return connectionId;
}

/** @throws TodokuError `limit_exceeded`, `invalid_argument`. */
function toText(body: Uint8Array): string {
  if (body.length > messageMaxBytes) {
    throw new TodokuError("limit_exceeded", `the message has ${body.length} bytes; must be <= ${messageMaxBytes}`, {
      subject: "message_size",
    });
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
  } catch {
    throw new TodokuError("invalid_argument", "the message must be UTF-8: it is sent as a text frame");
  }
}

function toJson({ connectedAtMs, outlet, address, userAgent }: Connection): object {
  return {
    connectedAt: new Date(connectedAtMs).toISOString(),
    identity: { sourceIp: address, userAgent },
    lastActiveAt: new Date(outlet.lastActiveAtMs).toISOString(),
  };
}

function gone(connectionId: string): AwsError {
  return new AwsError("GoneException", `there is no connection "${connectionId.slice(0, 100)}"`, { status: 410 });
}

function toAwsError(error: TodokuError): AwsError {
  const { code, subject, message, retryAfterMs } = error;
  if (subject === "message_size") {
    return new AwsError("PayloadTooLargeException", message, { status: 413 });
  }
  switch (code) {
    case "not_found":
      return new AwsError("GoneException", message, { status: 410 });
    case "permission_denied":
      return new AwsError("ForbiddenException", message, { status: 403 });
    case "invalid_argument":
      return new AwsError("BadRequestException", message);
    case "limit_exceeded":
      return new AwsError("LimitExceededException", message, { status: 429, retryAfterMs });
    default:
      return toCommonAwsError(error);
  }
}
