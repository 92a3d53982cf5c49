import type { Clock } from "../../lib/clock.ts";
import type { Deadline, TimerWheel } from "../../lib/timer-wheel.ts";
import { expiredError, type Principal } from "../auth/principal.ts";
import type { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";

/** What a pass tells the time with. */
interface PassParts {
  readonly wheel: Pick<TimerWheel, "schedule">;
  readonly clock: Pick<Clock, "wallMs">;
}

/** What it lets go on. */
interface Holder {
  fail(error: TodokuError): void;
}

/** Lets a subscription go on for as long as its principal's credential is good; it is one of the principal's open streams meanwhile. */
export class Pass {
  readonly #principal: Principal;
  readonly #release: () => void;
  readonly #holder: Holder;
  readonly #parts: PassParts;
  #deadline: Deadline | undefined;
  #forget: (() => void) | undefined;

  /** @param release gives back its place among the open streams. */
  constructor(principal: Principal, release: () => void, holder: Holder, parts: PassParts) {
    this.#principal = principal;
    this.#release = release;
    this.#holder = holder;
    this.#parts = parts;
  }

  /** From now on the holder fails when the credential ends: at once when it has. */
  start(): void {
    const { expiresAtMs, withdrawal } = this.#principal;
    if (expiresAtMs !== undefined) this.#watch(expiresAtMs);
    this.#forget = withdrawal?.onDone((error) => this.#holder.fail(error));
  }

  end(): void {
    this.#release();
    this.#deadline?.cancel();
    this.#forget?.();
  }

  // The wall clock may be set, forward or back, while the wheel turns by its own: an expiry is wall time, so that decides,
  // and is looked at often enough that a step forward ends the stream soon.
  #watch(endMs: number): void {
    const { wheel, clock } = this.#parts;
    this.#deadline = wheel.schedule(Math.min(endMs - clock.wallMs(), limits.expiryCheckMs), () => {
      if (clock.wallMs() < endMs) this.#watch(endMs);
      else this.#holder.fail(expiredError(this.#principal));
    });
  }
}
