import { z } from "zod";
import { type Credential, CredentialRefused } from "./credential.ts";

/** A call to Todoku did not succeed. */
export class TodokuFailure extends Error {
  override readonly name = "TodokuFailure";
  /** HTTP status; undefined when Todoku could not be reached or did not answer in time. */
  readonly status: number | undefined;

  constructor(message: string, status: number | undefined) {
    super(message);
    this.status = status;
  }

  /** The same call may succeed later. */
  get isTemporary(): boolean {
    return this.status === undefined || this.status === 429 || this.status >= 500;
  }
}

/** How a call may be bounded. */
export interface CallOptions {
  /** Default 5000. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Todoku's JSON API. `fetch` keeps its connections open between calls. */
export class Todoku {
  readonly #url: string;
  readonly #credential: Credential;

  constructor(url: string, credential: Credential) {
    this.#url = url;
    this.#credential = credential;
  }

  /**
   * The checked JSON of the answer.
   * @throws TodokuFailure; CredentialRefused; the signal's reason.
   */
  async call<T>(
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    body: unknown,
    answer: z.ZodType<T>,
    options: CallOptions = {},
  ): Promise<T> {
    return this.#credential.use(async (apiKey) => {
      const { status, json } = await this.#request(method, path, body, apiKey, options);
      if (status === 401) throw new CredentialRefused(`Todoku refuses the key for ${method} ${path}`);
      if (status >= 400)
        throw new TodokuFailure(`Todoku answers ${status} to ${method} ${path}: ${detail(json)}`, status);
      return answer.parse(json);
    });
  }

  async #request(method: string, path: string, body: unknown, apiKey: string | undefined, options: CallOptions) {
    const timeout = AbortSignal.timeout(options.timeoutMs ?? 5000);
    const init: RequestInit = {
      method,
      headers: {
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: "error",
      signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    };
    try {
      const response = await fetch(this.#url + path, init);
      const text = await response.text();
      return { status: response.status, json: text === "" ? undefined : (JSON.parse(text) as unknown) };
    } catch (error) {
      options.signal?.throwIfAborted();
      throw new TodokuFailure(`Todoku cannot be reached at ${this.#url} (${reason(error)})`, undefined);
    }
  }
}

const problem = z.object({ detail: z.string() });

function detail(json: unknown): string {
  return problem.safeParse(json).data?.detail ?? "no problem details";
}

function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error && "code" in cause ? String(cause.code) : error.name;
}

/** The answer of calls whose body nobody reads. */
export const anyAnswer = z.unknown();
