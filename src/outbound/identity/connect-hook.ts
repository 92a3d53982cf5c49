import { Buffer } from "node:buffer";
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { ConnectAnswer, ConnectHook, ConnectRequest } from "../../domain/auth/connect-hook.ts";
import { checkGrants, tokenGrantSchema } from "../../domain/auth/grants.ts";
import { problemOfUserId } from "../../domain/auth/user-id.ts";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";
import type { Clock } from "../../lib/clock.ts";
import type { GuardedClient, GuardedResult } from "../../lib/guarded-client/guarded-client.ts";
import type { Log } from "../../lib/log.ts";
import { redactUrl } from "../../lib/redact-url.ts";
import { Signer } from "../webhooks/signatures.ts";

/** What a backend is asked with. */
export interface ConnectHookOptions {
  readonly client: Pick<GuardedClient, "call">;
  readonly url: string;
  /** `whsec_` and base64: signs the question as Standard Webhooks does; undefined: it is not signed. */
  readonly secret?: string | undefined;
  /** Default: `limits.connectHook.timeoutMs`. */
  readonly timeoutMs?: number | undefined;
  readonly clock: Pick<Clock, "wallMs">;
  readonly log: Log;
  /** Of this server, for the header `user-agent`. */
  readonly version: string;
}

/** What backends know people by. All else is between the client and whoever stands in front of this server. */
const passedHeaders = ["accept-language", "cookie", "origin", "user-agent"] as const;

const answerSchema = z.object({
  userId: z.string().superRefine((id, context) => {
    const message = problemOfUserId(id);
    if (message !== undefined) context.addIssue({ code: "custom", message });
  }),
  grants: z.array(tokenGrantSchema).nullish(),
  expiresAtMs: z.number().positive().nullish(),
});

/** Asks by POST, once for each connection. */
export function createConnectHook(options: ConnectHookOptions): ConnectHook {
  const { client, url, secret, clock, log, version, timeoutMs = limits.connectHook.timeoutMs } = options;
  const signer = new Signer();
  let inFlight = 0;
  let hasFailed = false;

  function sign(body: Buffer): Readonly<Record<string, string>> {
    const id = `connect_${randomUUID()}`;
    const timestamp = String(Math.floor(clock.wallMs() / 1000));
    const signature = secret === undefined ? undefined : signer.standard([secret], id, timestamp, body);
    return {
      ...{ "webhook-id": id, "webhook-timestamp": timestamp },
      ...(signature !== undefined && { "webhook-signature": signature }),
    };
  }

  /** The client hears that it does not work; why is for the operator, who is warned once until it works again: thousands may want to connect. */
  function unavailable(reason: string): TodokuError {
    const level = hasFailed ? "debug" : "warn";
    hasFailed = true;
    log[level]({ area: "auth", hook: redactUrl(url) }, `the hook that decides who connects failed: ${reason}`);
    return new TodokuError("unavailable", "the application's backend could not say who this is: try again later");
  }

  function read(result: GuardedResult): ConnectAnswer {
    if (result.kind !== "answer") throw unavailable(result.error);
    if (result.status === 401 || result.status === 403) hasFailed = false;
    if (result.status === 401) throw refusal("unauthenticated", "does not know this credential");
    if (result.status === 403) throw refusal("permission_denied", "does not let this connection in");
    if (result.status !== 200) throw unavailable(`it answered ${result.status}`);
    const problem = (path: string, message: string) => unavailable(`its answer is not right: ${path}${message}`);
    const answer = answerSchema.safeParse(parseJson(result.body));
    if (!answer.success) {
      const [issue] = answer.error.issues;
      throw problem(issue?.path.length ? `${issue.path.join(".")}: ` : "", issue?.message ?? "");
    }
    const { userId, grants, expiresAtMs } = answer.data;
    if (grants && grants.length > 0) {
      try {
        checkGrants(grants);
      } catch (error) {
        throw problem("grants: ", (error as Error).message);
      }
    }
    if (expiresAtMs && expiresAtMs <= clock.wallMs())
      throw problem("expiresAtMs: ", "is not in the future, in milliseconds");
    hasFailed = false;
    return { userId, ...(grants && { grants }), ...(expiresAtMs && { expiresAtMs }) };
  }

  return {
    async authorize(request) {
      if (inFlight >= limits.connectHook.inFlightMax) throw unavailable(`${inFlight} questions wait for an answer`);
      const body = Buffer.from(JSON.stringify(toQuestion(request)));
      const headers = {
        ...{ "content-type": "application/json", "user-agent": `Todoku/${version} (Connect)` },
        ...sign(body),
      };
      inFlight++;
      try {
        const { answerMaxBytes } = limits.connectHook;
        return read(await client.call({ method: "POST", url, headers, body, timeoutMs, answerMaxBytes }));
      } finally {
        inFlight--;
      }
    },
  };
}

function toQuestion({ headers, ...request }: ConnectRequest): object {
  const passed = passedHeaders.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]]));
  return { type: "connect", ...request, headers: Object.fromEntries(passed) };
}

function refusal(code: "unauthenticated" | "permission_denied", what: string): TodokuError {
  return new TodokuError(code, `the application's backend ${what}`);
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}
