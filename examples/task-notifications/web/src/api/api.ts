import type { LiveToken } from "../live/live-token.ts";
import { ApiError, toApiError } from "./api-error.ts";

/** The example's API, called in the name of the signed-in user. */
export interface Api {
  /**
   * Queues a task and gives its id. Calls with one `idempotencyKey` queue it once.
   * @throws ApiError
   */
  postTask(data: string, idempotencyKey: string): Promise<string>;
  /**
   * What is needed to listen to the user's topic.
   * @throws ApiError
   */
  getToken(signal: AbortSignal): Promise<LiveToken>;
}

/** Gives a valid ID token, a new one when `isRefused` says that the last was not taken. @throws ApiError "signed-out" | "unreachable". */
export type IdTokenSource = (options: { isRefused: boolean }) => Promise<string>;

const timeoutMs = 10_000;

/** `apiUrl` is "" when the API serves the page. */
export function createApi(apiUrl: string, idToken: IdTokenSource): Api {
  const call = async (path: string, request: RequestInit) => {
    const first = await send(`${apiUrl}${path}`, request, await idToken({ isRefused: false }));
    if (first.status !== 401) return read(first);
    // This machine's clock may be wrong, so that it takes an expired token for a good one: one more try with a new one.
    return read(await send(`${apiUrl}${path}`, request, await idToken({ isRefused: true })));
  };
  return {
    async postTask(data, idempotencyKey) {
      const headers = { "content-type": "application/json", "idempotency-key": idempotencyKey };
      const answer = await call("/task", { method: "POST", headers, body: JSON.stringify({ data }) });
      if (typeof answer.taskId === "string" && answer.taskId !== "") return answer.taskId;
      throw new ApiError("unexpected", "the answer to POST /task has no taskId");
    },
    async getToken(signal) {
      return toLiveToken(await call("/token", { signal }));
    },
  };
}

async function send(url: string, request: RequestInit, idToken: string): Promise<Response> {
  const signals = [AbortSignal.timeout(timeoutMs), ...(request.signal ? [request.signal] : [])];
  const headers = { ...request.headers, authorization: `Bearer ${idToken}` };
  try {
    return await fetch(url, { ...request, headers, cache: "no-store", signal: AbortSignal.any(signals) });
  } catch (error) {
    throw new ApiError("unreachable", error instanceof Error ? error.message : String(error));
  }
}

async function read(response: Response): Promise<Record<string, unknown>> {
  if (!response.ok) throw toApiError(response.status, response.headers.get("retry-after"));
  try {
    const answer: unknown = await response.json();
    if (typeof answer === "object" && answer !== null) return answer as Record<string, unknown>;
  } catch {
    // Cut off, or not JSON: the parser's words would quote the answer.
  }
  throw new ApiError("unexpected", "the API's answer is not a JSON object");
}

function toLiveToken({ endpoint, token, cacheName, topic, expiresAtMs }: Record<string, unknown>): LiveToken {
  if (
    typeof endpoint === "string" &&
    typeof token === "string" &&
    typeof cacheName === "string" &&
    typeof topic === "string" &&
    typeof expiresAtMs === "number"
  ) {
    return { endpoint, token, cacheName, topic, expiresAtMs };
  }
  throw new ApiError("unexpected", "the answer to GET /token has not all of its fields");
}
