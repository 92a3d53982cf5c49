import { randomUUID } from "node:crypto";
import { authorize } from "../auth/authorize.ts";
import { type Principal, serverPrincipal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { isConflict } from "../records/conflict.ts";
import type { QueueMessages } from "./messages.ts";
import { moveKeyOf, moveRecordKind, type QueueMove, type StoredMove, toMoveDocument, toStoredMove } from "./move.ts";
import type { Queues } from "./queues.ts";
import { checkWhole } from "./settings.ts";

// A rate is made up for after a run of upkeep that took long, but not without bound.
const catchUpMaxMs = 5000;

/** What is to be moved. */
interface MoveRequest {
  /** Default: each message goes back to the queue that it came from. */
  readonly to?: string | undefined;
  /** Default: as fast as it goes. */
  readonly perSecond?: number | undefined;
}

/** Moves of dead letters, one at a time for each source. */
export interface QueueMoves {
  /** Reads the store; those that a stop of the server interrupted go on. */
  start(): Promise<void>;
  /** @throws TodokuError `permission_denied`, `not_found`, `invalid_argument`; `failed_precondition`: one is running, or the source is nobody's dead-letter queue. */
  begin(principal: Principal, source: string, request?: MoveRequest): Promise<QueueMove>;
  /** Those of the queue that are kept, the newest first. @throws TodokuError `permission_denied`, `not_found`. */
  list(principal: Principal, source: string): Promise<readonly QueueMove[]>;
  /** What was moved stays moved. @throws TodokuError `permission_denied`, `not_found`; `failed_precondition`: it has ended. */
  cancel(principal: Principal, source: string, id: string): Promise<QueueMove>;
  /** One bounded step of each that is running. `nowMs` is of the steady clock. @throws TodokuError `unavailable`. */
  runOnce(nowMs: number): Promise<void>;
  /** The environment is being destroyed. */
  forgetEnvironment(environment: string): void;
}

interface MoveParts {
  readonly engine: Pick<Engine, "records">;
  readonly queues: Pick<Queues, "get" | "known" | "all">;
  readonly queueMessages: Pick<QueueMessages, "move" | "counts">;
  readonly wallMs: () => number;
}

export function createQueueMoves(parts: MoveParts): QueueMoves {
  return new Mover(parts);
}

class Mover implements QueueMoves {
  readonly #parts: MoveParts;
  /** All that are kept, by environment and id. */
  readonly #moves = new Map<string, StoredMove>();
  /** Until when each has had what its rate allows; steady clock. */
  readonly #spentUntilMs = new Map<string, number>();
  /** Sources whose move is being written. */
  readonly #beginning = new Set<string>();

  constructor(parts: MoveParts) {
    this.#parts = parts;
  }

  async start(): Promise<void> {
    for (const record of await this.#parts.engine.records.list(moveRecordKind)) this.#keep(toStoredMove(record));
  }

  async begin(principal: Principal, source: string, { to, perSecond }: MoveRequest = {}): Promise<QueueMove> {
    authorize(principal, "queue.redrive", "", source);
    if (perSecond !== undefined) checkWhole("perSecond", perSecond, 1, limits.queue.move.perSecondMax);
    if (to === source) throw new TodokuError("invalid_argument", `messages of queue "${source}" cannot move to itself`);
    const { environment } = principal;
    const { queues, queueMessages } = this.#parts;
    await queues.get(environment, source);
    if (to !== undefined) await queues.get(environment, to);
    else if (!queues.all(environment).some(({ deadLetter }) => deadLetter?.queue === source)) {
      throw new TodokuError("failed_precondition", `queue "${source}" is no queue's dead-letter queue`);
    }
    const place = `${environment}/${source}`;
    if (this.#beginning.has(place) || this.#of(environment, source).some(isRunning)) {
      throw new TodokuError("failed_precondition", `messages of queue "${source}" are being moved already`);
    }
    this.#beginning.add(place);
    try {
      const { ready, delayed, inFlight } = await queueMessages.counts(serverPrincipal(environment), source);
      const document = toMoveDocument({
        ...{ source, to, perSecond, status: "running", moved: 0, toMove: ready + delayed + inFlight },
        startedAtMs: this.#parts.wallMs(),
      });
      const key = moveKeyOf({ environment, id: randomUUID() });
      const move = toStoredMove(await this.#parts.engine.records.create(key, document));
      this.#keep(move);
      await this.#dropOldest(environment, source);
      return move;
    } finally {
      this.#beginning.delete(place);
    }
  }

  async list(principal: Principal, source: string): Promise<readonly QueueMove[]> {
    authorize(principal, "queue.read", "", source);
    await this.#parts.queues.get(principal.environment, source);
    return this.#of(principal.environment, source);
  }

  async cancel(principal: Principal, source: string, id: string): Promise<QueueMove> {
    authorize(principal, "queue.redrive", "", source);
    const { environment } = principal;
    const move = this.#moves.get(pathOf({ environment, id }));
    if (move?.source !== source) {
      throw new TodokuError("not_found", `there is no move "${id}" of queue "${source}"`, { subject: "move" });
    }
    return this.#change(move, (was) => {
      if (isRunning(was)) return { ...was, status: "cancelled" };
      throw new TodokuError("failed_precondition", `move "${id}" of queue "${source}" has ended: it is ${was.status}`);
    });
  }

  async runOnce(nowMs: number): Promise<void> {
    for (const move of [...this.#moves.values()]) {
      if (!this.#parts.queues.known(move.environment, move.source)) await this.#drop(move);
      else if (isRunning(move)) await this.#step(move, nowMs);
    }
  }

  forgetEnvironment(environment: string): void {
    for (const move of this.#moves.values()) if (move.environment === environment) this.#forget(move);
  }

  async #step(move: StoredMove, nowMs: number): Promise<void> {
    const { environment, source, to, perSecond } = move;
    const target = to === undefined ? undefined : this.#parts.queues.known(environment, to);
    if (to !== undefined && !target) {
      await this.#change(move, (was) => ({ ...was, status: "failed" }));
      return;
    }
    const left = Math.max(move.toMove - move.moved, 0);
    const most = Math.min(
      left,
      perSecond === undefined ? limits.queue.move.stepMaxMessages : this.#allowed(move, nowMs),
    );
    if (most === 0 && left > 0) return;
    const moved = most === 0 ? 0 : await this.#parts.queueMessages.move(environment, source, { to, maxMessages: most });
    // Nothing goes to a queue that is purged in the same moment: then there may be more.
    const isPurged = target !== undefined && this.#parts.queues.known(environment, target.queue) !== target;
    await this.#change(move, (was) => {
      const isDone = isRunning(was) && ((moved < most && !isPurged) || moved === left);
      return { ...was, moved: was.moved + moved, status: isDone ? "completed" : was.status };
    });
  }

  /** As many as the rate allows since the last step; in the first one a second's worth. */
  #allowed(move: StoredMove, nowMs: number): number {
    const { perSecond = 0 } = move;
    const path = pathOf(move);
    const fromMs = Math.max(this.#spentUntilMs.get(path) ?? nowMs - 1000, nowMs - catchUpMaxMs);
    const allowed = Math.floor((perSecond * (nowMs - fromMs)) / 1000);
    this.#spentUntilMs.set(path, fromMs + (allowed * 1000) / perSecond);
    return Math.max(allowed, 0);
  }

  /** Whoever changed it meanwhile is not overwritten: a cancellation counts, and so does what was moved. */
  async #change(move: StoredMove, change: (was: StoredMove) => StoredMove): Promise<StoredMove> {
    const { records } = this.#parts.engine;
    for (let was = move; ; ) {
      try {
        const stored = toStoredMove(await records.replace(moveKeyOf(was), toMoveDocument(change(was)), was.version));
        this.#keep(stored);
        return stored;
      } catch (error) {
        if (!isConflict(error)) throw error;
        const record = await records.read(moveKeyOf(was));
        const now = record && toStoredMove(record);
        if (!now || now.version === was.version) throw error;
        was = now;
      }
    }
  }

  /** The newest first. */
  #of(environment: string, source: string): readonly StoredMove[] {
    const all = [...this.#moves.values()].filter((move) => move.environment === environment && move.source === source);
    return all.sort((a, b) => b.number - a.number);
  }

  async #dropOldest(environment: string, source: string): Promise<void> {
    const surplus = this.#of(environment, source).slice(limits.queue.move.keptPerSource);
    await Promise.all(surplus.map((move) => this.#drop(move)));
  }

  async #drop(move: StoredMove): Promise<void> {
    await this.#parts.engine.records.remove(moveKeyOf(move));
    this.#forget(move);
  }

  #keep(move: StoredMove): void {
    const known = this.#moves.get(pathOf(move));
    if (!known || known.version <= move.version) this.#moves.set(pathOf(move), move);
    if (!isRunning(move)) this.#spentUntilMs.delete(pathOf(move));
  }

  #forget(move: StoredMove): void {
    this.#moves.delete(pathOf(move));
    this.#spentUntilMs.delete(pathOf(move));
  }
}

function isRunning({ status }: QueueMove): boolean {
  return status === "running";
}

// The names of environments have no slash.
function pathOf({ environment, id }: Pick<QueueMove, "environment" | "id">): string {
  return `${environment}/${id}`;
}
