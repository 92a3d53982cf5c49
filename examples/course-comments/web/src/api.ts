import type { IdTokenSource } from "../../../task-notifications/web/src/api/api.ts";
import { ApiError, toApiError } from "../../../task-notifications/web/src/api/api-error.ts";
import type { LiveToken } from "../../../task-notifications/web/src/live/live-token.ts";

/** Something that a page shows: its kind, and which one. */
export interface ViewName {
  readonly view: "comments" | "poll" | "chat";
  readonly id: string;
}

/** The right to follow what a view shows, and to publish what its users write. */
export interface ViewToken extends LiveToken {
  readonly publishTopic: string;
  /** What is published with it carries this. */
  readonly userId: string;
}

/** The example's API, called in the name of the signed-in user. Its calls throw ApiError. */
export interface Api {
  getToken(name: ViewName, signal: AbortSignal): Promise<ViewToken>;
  /** What is kept of a view. */
  getItems(name: ViewName, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>>;
}

const timeoutMs = 10_000;

/** `apiUrl` is "" when the API serves the page. */
export function createApi(apiUrl: string, idToken: IdTokenSource): Api {
  const get = async (path: string, signal: AbortSignal) => {
    const first = await send(`${apiUrl}${path}`, signal, await idToken({ isRefused: false }));
    if (first.status !== 401) return read(first);
    // This machine's clock may be wrong, so that it takes an expired token for a good one: one more try with a new one.
    return read(await send(`${apiUrl}${path}`, signal, await idToken({ isRefused: true })));
  };
  const pathOf = ({ view, id }: ViewName) => `${view}/${encodeURIComponent(id)}`;
  return {
    getToken: async (name, signal) => toViewToken(await get(`/token/${pathOf(name)}`, signal)),
    getItems: (name, signal) => get(`/items/${pathOf(name)}`, signal),
  };
}

async function send(url: string, signal: AbortSignal, idToken: string): Promise<Response> {
  const headers = { authorization: `Bearer ${idToken}` };
  try {
    const signals = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    return await fetch(url, { headers, cache: "no-store", signal: signals });
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

const textFields = ["endpoint", "token", "cacheName", "topic", "publishTopic", "userId"] as const;

function toViewToken(answer: Record<string, unknown>): ViewToken {
  const isWhole = textFields.every((field) => typeof answer[field] === "string");
  if (isWhole && typeof answer.expiresAtMs === "number") return answer as unknown as ViewToken;
  throw new ApiError("unexpected", "the answer to GET /token has not all of its fields");
}
