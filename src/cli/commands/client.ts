import { type Command, Option } from "commander";
import { EnvironmentKey } from "./environment-key.ts";
import { type CommandIo, printable } from "./io.ts";
import { readEvents, type ServerEvent } from "./server-events.ts";

const defaultUrl = "http://127.0.0.1:8080";
/** Three of the server's heartbeats: a line that is silent for so long is dead. */
const silenceMs = 45_000;

/** The options that every client command has. */
export interface ConnectionOptions {
  readonly url?: string;
  readonly apiKey?: string;
  /** The environment to act in; default: the credential's own. */
  readonly env?: string | undefined;
  readonly json?: boolean;
}

/** A call that did not succeed. `hint` says what the user may do about it. */
export class CallFailure extends Error {
  /** The server's error code; undefined when it could not be reached or is no Todoku. */
  readonly code: string | undefined;
  /** The same call may succeed later. */
  readonly isTemporary: boolean;

  constructor(message: string, options: { hint?: string | undefined; code?: string; isTemporary: boolean }) {
    super(options.hint === undefined ? message : `${message}\n${options.hint}`);
    this.name = "CallFailure";
    this.code = options.code;
    this.isTemporary = options.isTemporary;
  }
}

/** A running Todoku, as the commands use it. */
export interface Client {
  /** Of the server, without a slash at its end. */
  readonly url: string;
  /** The JSON of the answer; undefined for an empty one. `hints` by error code. @throws CallFailure; what `signal` was aborted with. */
  call(method: string, path: string, body?: unknown, hints?: Hints, signal?: AbortSignal): Promise<unknown>;
  /** Follows an event stream until it ends. @throws CallFailure. */
  follow(path: string, after: string | undefined, signal: AbortSignal, hints?: Hints): AsyncGenerator<ServerEvent>;
}

/** By error code; a function is told why the server refused. */
type Hints = Readonly<Record<string, string | ((reason: string) => string | undefined)>>;

/** Adds `--url`, `--api-key`, `--env` and `--json`. */
export function withConnection(command: Command): Command {
  return withServer(command).option(
    "--env <environment>",
    "act in this environment; only operators may leave their own",
  );
}

/** Adds `--url`, `--api-key` and `--json`, for what is of the whole server. */
export function withServer(command: Command): Command {
  return command
    .addOption(new Option("--url <url>", `address of the server (default: $TODOKU_URL, else ${defaultUrl})`))
    .addOption(new Option("--api-key <key>", "API key or token (default: $TODOKU_API_KEY); other users see arguments"))
    .option("--json", "print JSON");
}

/**
 * The client for a command's options. A wrong address or key ends the command as a usage error that does not repeat it.
 * `leavesTokens`: the command issues tokens, which live on when the key that `--env` makes for it ends.
 */
export function createClient(
  command: Command,
  options: ConnectionOptions,
  io: CommandIo,
  { leavesTokens = false }: { readonly leavesTokens?: boolean } = {},
): Client {
  const base = parseUrl(command, options.url ?? (io.env.TODOKU_URL || defaultUrl));
  const apiKey = (options.apiKey ?? io.env.TODOKU_API_KEY ?? "").trim();
  if (!/^[\x21-\x7e]*$/.test(apiKey)) command.error("error: the API key has characters that no key has");
  if (options.env !== undefined && !/^[A-Za-z0-9-]{1,63}$/.test(options.env)) {
    command.error("error: the name of an environment is 1 to 63 of A-Z, a-z, 0-9 and -");
  }
  const key =
    options.env === undefined
      ? undefined
      : new EnvironmentKey(
          options.env,
          (method, path, body, given = apiKey) => callAs(given, method, path, body, environmentHints),
          io,
          leavesTokens,
        );

  async function request(apiKey: string, path: string, init: RequestInit, hints: Hints): Promise<Response> {
    const headers = { ...(apiKey === "" ? {} : { authorization: `Bearer ${apiKey}` }), ...init.headers };
    const response = await fetch(base + path, { ...init, headers, redirect: "error" }).catch((error: unknown) => {
      throw init.signal?.aborted ? error : unreachable(base, error);
    });
    if (!response.ok) throw toFailure(await response.json().catch(() => undefined), response.status, base, hints);
    return response;
  }

  async function callAs(
    apiKey: string,
    method: string,
    path: string,
    body: unknown,
    hints: Hints,
    signal: AbortSignal | null = null,
  ): Promise<unknown> {
    const json = { headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
    const response = await request(apiKey, path, { method, signal, ...(body === undefined ? {} : json) }, hints);
    if (response.status === 204) return undefined;
    return response.json().catch(() => {
      throw notTodoku(base, response.status);
    });
  }

  return {
    url: base,
    async call(method, path, body, hints = {}, signal = undefined) {
      return callAs((await key?.get()) ?? apiKey, method, path, body, hints, signal);
    },
    async *follow(path, after, signal, hints = {}) {
      const silence = new AbortController();
      const timer = setTimeout(() => silence.abort(), silenceMs);
      const init = {
        headers: { accept: "text/event-stream", ...(after === undefined ? {} : { "last-event-id": after }) },
        signal: AbortSignal.any([signal, silence.signal]),
      };
      try {
        const response = await request((await key?.get()) ?? apiKey, path, init, hints);
        if (!response.body || !response.headers.get("content-type")?.startsWith("text/event-stream")) {
          throw notTodoku(base, response.status);
        }
        for await (const event of readEvents(response.body, () => timer.refresh())) {
          if (event.type === "error") throw toFailure(JSON.parse(event.data ?? "{}"), 0, base, hints);
          yield event;
        }
      } catch (error) {
        if (!(error instanceof CallFailure) && !signal.aborted) throw unreachable(base, error);
        // A stream may outlive the key that was made for it: with another one it goes on.
        const isOver = error instanceof CallFailure && error.code === "unauthenticated" && (await key?.renew());
        throw isOver ? new CallFailure(error.message, { code: "unauthenticated", isTemporary: true }) : error;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

function parseUrl(command: Command, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) {
    return command.error("error: the address of the server must begin with http:// or https://");
  }
  if (url.username !== "" || url.password !== "") {
    return command.error("error: the address of the server must not contain a key; use --api-key or TODOKU_API_KEY");
  }
  return url.origin + url.pathname.replace(/\/+$/, "");
}

function unreachable(base: string, error: unknown): CallFailure {
  const cause = error instanceof Error ? ((error.cause as NodeJS.ErrnoException | undefined) ?? error) : undefined;
  const reason = (cause as NodeJS.ErrnoException | undefined)?.code;
  return new CallFailure(`cannot reach ${base}${typeof reason === "string" ? ` (${reason})` : ""}`, {
    hint: "is Todoku running? start it with npm start, or name another server with --url",
    isTemporary: true,
  });
}

function notTodoku(base: string, status: number): CallFailure {
  return new CallFailure(`${base} answers (status ${status}), but not as Todoku does`, {
    hint: "name the right server with --url",
    isTemporary: status >= 500,
  });
}

const environmentHints: Hints = {
  not_found: "todoku env list shows the environments there are",
  permission_denied: "use the key of an operator, or one of that environment, without --env",
};

const generalHints: Hints = {
  unauthenticated: "give an API key or a token with --api-key or TODOKU_API_KEY",
  permission_denied: "use a key or token that has this permission",
  unavailable: "try again; /health/ready of the server says more",
};

function toFailure(problem: unknown, status: number, base: string, hints: Hints): CallFailure {
  const { detail, code } = (problem ?? {}) as { detail?: unknown; code?: unknown };
  if (typeof detail !== "string" || typeof code !== "string") return notTodoku(base, status);
  const hint = hints[code] ?? generalHints[code];
  return new CallFailure(printable(detail), {
    hint: typeof hint === "function" ? hint(detail) : hint,
    code,
    isTemporary: ["unavailable", "internal", "limit_exceeded"].includes(code),
  });
}
