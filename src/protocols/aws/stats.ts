import type { AwsCall, AwsServiceName } from "./call.ts";
import type { AwsError } from "./errors.ts";

/** How many calls there were, of one action of a service and with one outcome. */
export interface AwsCallCount {
  readonly service: string;
  /** Of `rest` the method. "unknown" for those that the service does not have, and for callers who are not known: clients may invent any. */
  readonly action: string;
  /** `refused`: the caller is to blame. */
  readonly outcome: "ok" | "refused" | "failed";
  readonly calls: number;
}

/** More than all actions of all services with all outcomes. */
const countsMax = 500;
const methods = new Set(["GET", "POST", "DELETE"]);

/** Counts calls. */
export class AwsCounters {
  readonly #counts = new Map<string, AwsCallCount>();

  /** @param call undefined: the caller is not known. @param error how it ended; undefined: well. */
  add(service: AwsServiceName, call: AwsCall | undefined, error?: AwsError): void {
    const outcome = error === undefined ? "ok" : error.status >= 500 ? "failed" : "refused";
    const named = (error?.isUnknownAction ? undefined : call && labelOf(call)) ?? "unknown";
    const isCounted = this.#counts.has(`${service} ${named} ${outcome}`) || this.#counts.size < countsMax;
    const action = isCounted ? named : "unknown";
    const key = `${service} ${action} ${outcome}`;
    const calls = (this.#counts.get(key)?.calls ?? 0) + 1;
    this.#counts.set(key, { service, action, outcome, calls });
  }

  all(): readonly AwsCallCount[] {
    return [...this.#counts.values()];
  }
}

/** HTTP/2 takes whatever a client calls a method. */
function labelOf({ wire, method, action }: AwsCall): string | undefined {
  if (wire !== "rest") return action;
  return methods.has(method) ? method : undefined;
}
