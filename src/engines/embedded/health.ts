import type { EngineHealth } from "../../domain/engine.ts";

/** The engine's health and who wants to know. `failed` is for ever. */
export class Health {
  readonly #listeners: ((health: EngineHealth) => void)[] = [];
  #current: EngineHealth = { status: "open", reason: undefined };

  get current(): EngineHealth {
    return this.#current;
  }

  listen(listener: (health: EngineHealth) => void): void {
    this.#listeners.push(listener);
  }

  change(status: EngineHealth["status"], reason: string | undefined): void {
    if (this.#current.status === "failed" || this.#current.status === status) return;
    this.#current = { status, reason };
    for (const listener of this.#listeners) listener(this.#current);
  }
}
