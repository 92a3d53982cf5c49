import { createHash, randomBytes } from "node:crypto";
import type { Clock } from "../../lib/clock.ts";
import type { TimerWheel } from "../../lib/timer-wheel.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Principal } from "./principal.ts";

/**
 * Tickets let a caller in who cannot send a header, like the browser's EventSource. An address stands in logs and histories,
 * so a ticket is worth little there: it is used once, soon, for one method on one path. They are kept in memory only.
 */
export interface Tickets {
  /**
   * A ticket for `path`, which begins with /v1/ and is percent-encoded, or is one where WebSockets are taken. It has the rights and the expiry of `principal`.
   * @throws TodokuError `invalid_argument`; `limit_exceeded`: `limits.ticketsMax` wait to be used, or `limits.ticketsPerPrincipal` of the principal's.
   */
  issue(principal: Principal, method: "GET", path: string): { ticket: string; expiresAtMs: number };
  /**
   * Who made it. Whatever comes of it, the ticket is used up.
   * @throws TodokuError `unauthenticated`; the message never repeats the ticket.
   */
  redeem(ticket: string, method: string, path: string): Principal;
}

interface Entry {
  readonly principal: Principal;
  readonly target: string;
  /** Of the monotonic clock. */
  readonly dueMs: number;
  free(): void;
}

export function createTickets(
  clock: Pick<Clock, "monotonicMs" | "wallMs">,
  wheel: Pick<TimerWheel, "schedule">,
  gatewayPaths: readonly string[] = [],
): Tickets {
  const entries = new Map<string, Entry>();
  /** How many tickets of each principal wait. */
  const waiting = new WeakMap<Principal, number>();
  const count = (principal: Principal, change: number) => waiting.set(principal, waitingOf(principal) + change);
  const waitingOf = (principal: Principal) => waiting.get(principal) ?? 0;
  return {
    issue(principal, method, path) {
      checkPath(path, gatewayPaths);
      if (entries.size >= limits.ticketsMax) {
        throw new TodokuError("limit_exceeded", `${limits.ticketsMax} tickets wait to be used; must be fewer`, {
          subject: "tickets",
        });
      }
      if (waitingOf(principal) >= limits.ticketsPerPrincipal) {
        const text = `${limits.ticketsPerPrincipal} tickets of this credential wait to be used; must be fewer`;
        throw new TodokuError("limit_exceeded", text, { subject: "tickets" });
      }
      const ticket = randomBytes(32).toString("base64url");
      const id = sha256(ticket);
      const forget = () => {
        if (entries.delete(id)) count(principal, -1);
      };
      const deadline = wheel.schedule(limits.ticketMs, forget);
      count(principal, 1);
      const expiresAtMs = Math.min(clock.wallMs() + limits.ticketMs, principal.expiresAtMs ?? Number.POSITIVE_INFINITY);
      entries.set(id, {
        ...{ principal, target: toTarget(method, path) },
        dueMs: clock.monotonicMs() + limits.ticketMs,
        free() {
          deadline.cancel();
          forget();
        },
      });
      return { ticket, expiresAtMs };
    },

    redeem(ticket, method, path) {
      const entry = entries.get(sha256(ticket));
      entry?.free();
      if (!entry || entry.dueMs <= clock.monotonicMs()) {
        throw refused("it is unknown, has been used, or has expired: make a new one for each request");
      }
      if (entry.target !== toTarget(method, path)) {
        throw refused("it was made for another method or path; it is used up all the same");
      }
      const { principal } = entry;
      const { expiresAtMs = Number.POSITIVE_INFINITY } = principal;
      if (principal.withdrawal?.isDone) throw refused("the credential that it was made with has been taken back");
      if (expiresAtMs <= clock.wallMs()) throw refused("the token that it was made with has expired");
      return principal;
    },
  };
}

function refused(why: string): TodokuError {
  return new TodokuError("unauthenticated", `this ticket is not accepted: ${why}`);
}

/** Looked up by its hash: how long a look-up takes then says nothing of the ticket. It also bounds what a long path takes. */
function sha256(text: string): string {
  return createHash("sha256").update(text).digest("base64");
}

function checkPath(path: string, gatewayPaths: readonly string[]): void {
  if (gatewayPaths.includes(path)) return;
  if (path.startsWith("/v1/") && !/[?#]/.test(path) && new URL(path, base).pathname.startsWith("/v1/")) return;
  const others = gatewayPaths.length === 0 ? "" : ` or be ${gatewayPaths.slice(0, 10).join(", ")}`;
  throw new TodokuError("invalid_argument", `"path": must begin with /v1/ and have no query${others}`);
}

// Any origin does: only the path is taken from it.
const base = "http://localhost";

/** Method and path as one text of a fixed length, the same for each spelling of the path. `%2F` is no separator. */
function toTarget(method: string, path: string): string {
  const segments = new URL(path, base).pathname.split("/").map(decode);
  return sha256(JSON.stringify([method, ...segments]));
}

/** Run by run, as the door's router reads a path: beside an escape that is no UTF-8, others count all the same. */
function decode(segment: string): string {
  return segment.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
    try {
      return decodeURIComponent(run);
    } catch {
      return run;
    }
  });
}
