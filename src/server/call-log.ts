import type { IncomingMessage, ServerResponse } from "node:http";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Auth } from "../domain/auth/auth.ts";
import type { Caller, Principal } from "../domain/auth/principal.ts";
import { type LeveledLog, type LogPlace, nothingLeveled } from "../lib/leveled-log.ts";
import type { Log } from "../lib/log.ts";
import { redactUrl } from "../lib/redact-url.ts";

/** One line per call at `debug`, when it is over: what was asked, how it ended, who asked. Costs nothing while nobody wants such lines. */
export class CallLog {
  readonly #log: LeveledLog;
  readonly #monotonicMs: () => number;
  /** By the headers of the call, which is what doors and `Auth` both have of it. */
  readonly #principals = new WeakMap<object, Principal>();

  constructor(log: Log | LeveledLog, monotonicMs: () => number) {
    this.#log = "isOnAnywhere" in log ? log : nothingLeveled;
    this.#monotonicMs = monotonicMs;
  }

  /** `auth`, whose answers are remembered for the lines. */
  watchAuth(auth: Auth): Auth {
    const remember = (known: Principal | Promise<Principal>, { call }: Caller) => {
      if (!call || !this.#log.isOnAnywhere("debug")) return known;
      if (!(known instanceof Promise)) this.#principals.set(call, known);
      else known.then((principal) => this.#principals.set(call, principal)).catch(() => {}); // its caller hears of it
      return known;
    };
    return {
      ...auth,
      authenticate: (credential, caller) => remember(auth.authenticate(credential, caller), caller),
      authenticateSigned: (accessKeyId, caller, isSigned) =>
        remember(auth.authenticateSigned(accessKeyId, caller, isSigned), caller),
    };
  }

  /** A call over HTTP has come. */
  http(
    area: "http" | "momento" | "aws",
    { method, url = "", headers }: IncomingMessage,
    response: ServerResponse,
  ): void {
    if (!this.#log.isOnAnywhere("debug")) return;
    const startMs = this.#monotonicMs();
    response.once("close", () => {
      const status = response.headersSent ? response.statusCode : undefined;
      this.#write(headers, { area, method, path: redactUrl(url), status }, startMs);
    });
  }

  /** A gRPC call has come. */
  grpc(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    if (!this.#log.isOnAnywhere("debug")) return;
    const startMs = this.#monotonicMs();
    stream.once("close", () => {
      const ending = stream.sentTrailers ?? stream.sentHeaders ?? {};
      const status = ending["grpc-status"];
      const path = redactUrl(headers[":path"] ?? "");
      this.#write(headers, { area: "momento", method: "gRPC", path, status }, startMs);
    });
  }

  #write(call: object, facts: LogPlace & Record<string, unknown>, startMs: number): void {
    const principal = this.#principals.get(call);
    const who = principal && {
      environment: principal.environment,
      ...(principal.keyId === undefined ? {} : { keyId: principal.keyId }),
      ...(principal.tokenId === "" ? {} : { tokenId: principal.tokenId }),
    };
    const ms = Math.round((this.#monotonicMs() - startMs) * 10) / 10;
    this.#log.debug({ ...facts, ms, ...who }, "a call is over");
  }
}
