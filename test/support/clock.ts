import type { MachineClocks } from "../../src/lib/clock.ts";

/** A machine whose clocks stand still but for what a test does to them. */
export class TestMachine implements MachineClocks {
  #elapsedMs = 0;
  #sleptMs = 0;
  #wallMs: number;

  constructor(wallMs = Date.UTC(2026, 0, 2)) {
    this.#wallMs = wallMs;
  }

  readonly monotonicMs = () => this.#elapsedMs;
  readonly uptimeMs = () => 1_000_000 + this.#elapsedMs + this.#sleptMs;
  readonly wallMs = () => Math.floor(this.#wallMs);

  /** Time goes on. */
  pass(ms: number): void {
    this.#elapsedMs += ms;
    this.#wallMs += ms;
  }

  /** Time goes on while the machine sleeps. */
  sleep(ms: number): void {
    this.#sleptMs += ms;
    this.#wallMs += ms;
  }

  /** Sets the wall clock forward, or back. */
  setBy(ms: number): void {
    this.#wallMs += ms;
  }
}

/** This machine, but for a wall clock that a test sets, and for time that it lets pass at once. */
export class SettableMachine implements MachineClocks {
  #setByMs: number;
  #passedMs = 0;

  constructor(setByMs = 0) {
    this.#setByMs = setByMs;
  }

  readonly monotonicMs = () => performance.now() + this.#passedMs;
  readonly uptimeMs = () => performance.now() + this.#passedMs;
  readonly wallMs = () => Math.floor(Date.now() + this.#setByMs + this.#passedMs);

  setBy(ms: number): void {
    this.#setByMs += ms;
  }

  /** Time goes on. */
  pass(ms: number): void {
    this.#passedMs += ms;
  }
}
