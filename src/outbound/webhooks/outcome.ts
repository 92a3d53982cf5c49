import { Buffer } from "node:buffer";
import { limits } from "../../domain/limits.ts";
import type { Outcome } from "../../domain/subscriptions/destination.ts";
import { permissionHint } from "../../domain/subscriptions/webhook-checks.ts";
import type { GuardedResult } from "../../lib/guarded-client/guarded-client.ts";

type Answer = Extract<GuardedResult, { kind: "answer" }>;
type Verdict = Pick<Exclude<Outcome, { verdict: "delivered" }>, "verdict" | "isOutage">;

/** Request Timeout, Too Early, Too Many Requests: the same call may work later. */
const retried = new Set([408, 425, 429]);
/** The receiver, or what stands before it, works for nobody now. */
const outages = new Set([408, 429, 502, 503, 504]);
const gone = 410;

/** What the result of a call means for its item. `wallMs`: when it came. */
export function outcomeOf(result: GuardedResult, wallMs: number): Outcome {
  const { latencyMs } = result;
  if (result.kind !== "answer") {
    // The form of the URL was checked before it was kept: only its address can be what is blocked.
    const error = result.kind === "blocked" ? `${result.error}; ${permissionHint}` : result.error;
    return { verdict: "retry", isOutage: true, error, latencyMs };
  }
  const { status } = result;
  if (status < 300) return { verdict: "delivered", status, latencyMs };
  const verdict = verdictOf(status);
  const retryAfterMs = verdict.verdict === "retry" ? retryAfterOf(result.headers["retry-after"], wallMs) : undefined;
  const answer = result.isPublic ? keptAnswer(result) : undefined;
  return {
    ...verdict,
    ...{ status, error: sentenceOf(status), latencyMs },
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(answer !== undefined && { answer }),
  };
}

function verdictOf(status: number): Verdict {
  if (status >= 500 || retried.has(status)) return { verdict: "retry", isOutage: outages.has(status) };
  return { verdict: status === gone ? "gone" : "dead", isOutage: false };
}

function sentenceOf(status: number): string {
  if (status === gone) return "it answered 410: it wants nothing more";
  return `it answered ${status}${status < 400 ? ": redirects are not followed" : ""}`;
}

/** RFC 9110 10.2.3: seconds, or a date. Nobody makes a webhook wait for longer than an item may live. */
export function retryAfterOf(header: string | undefined, wallMs: number): number | undefined {
  if (header === undefined) return undefined;
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : dateOf(header) - wallMs;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(0, ms), limits.webhook.deadlineMs);
}

/** Of all three forms that RFC 9110 5.6.7 wants to be read; others, which `Date.parse` would take too, are no answer. */
function dateOf(text: string): number {
  return /^[A-Za-z]{3,9},? [\w :-]+$/.test(text) ? Date.parse(/GMT$/.test(text) ? text : `${text} GMT`) : Number.NaN;
}

/** The beginning of it, as text; a character that was cut off is left out. Undefined when there is none. */
function keptAnswer({ body }: Answer): string | undefined {
  const kept = Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, limits.webhook.answerKeptBytes));
  return kept.length === 0 ? undefined : new TextDecoder().decode(kept, { stream: kept.length < body.byteLength });
}
