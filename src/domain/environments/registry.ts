import type { Engine } from "../engine.ts";
import type { StoredRecord } from "../records/store.ts";
import { type Environment, type EnvironmentDocument, readEnvironment } from "./environment.ts";

const recordKind = "environment";

/** An environment's record as it was last seen. */
export interface Kept {
  readonly name: string;
  readonly id: number;
  readonly version: number;
  readonly document: EnvironmentDocument;
}

/** What this node knows of the store's environments, and who wants to hear when one goes. */
export class EnvironmentRegistry {
  readonly #engine: Pick<Engine, "records" | "bus">;
  readonly #kept = new Map<string, Kept>();
  readonly #live = new Map<string, Environment>();
  readonly #listeners: ((name: string) => void)[] = [];

  constructor(engine: Pick<Engine, "records" | "bus">) {
    this.#engine = engine;
    engine.bus.listen((hint) => {
      if (hint.kind !== "record-changed" || hint.recordKind !== recordKind) return;
      this.refresh().catch(() => {}); // as if the hint were lost: the tick of each second comes anyway
    });
  }

  get size(): number {
    return this.#kept.size;
  }

  /** In no time, for each publish. */
  known(name: string): Environment | undefined {
    return this.#live.get(name);
  }

  get(name: string): Kept | undefined {
    return this.#kept.get(name);
  }

  /** All but those that are being made. */
  all(): Environment[] {
    return [...this.#kept.values()].flatMap((kept) => toEnvironment(kept) ?? []);
  }

  /** What somebody began to make or to destroy. */
  unfinished(): Kept[] {
    return [...this.#kept.values()].filter(({ document }) => document.state !== "live");
  }

  onGone(listener: (name: string) => void): void {
    this.#listeners.push(listener);
  }

  async refresh(): Promise<void> {
    const stored = await this.#engine.records.list(recordKind);
    const names = new Set(stored.map(({ name }) => name));
    for (const record of stored) this.#apply(record.name, toKept(record));
    for (const { name, id } of [...this.#kept.values()]) if (!names.has(name)) this.#drop(name, id);
  }

  /** A change of our own is stored. */
  changed(record: StoredRecord): Kept {
    const kept = toKept(record);
    this.#apply(record.name, kept);
    this.#tellNodes(record.name);
    return kept;
  }

  /** All of it is gone. */
  removed(name: string, id: number): void {
    this.#drop(name, id);
    this.#tellNodes(name);
  }

  #apply(name: string, now: Kept): void {
    const was = this.#kept.get(name);
    // A record read before a later change of our own must not bring back what was before it.
    if (was && (now.id < was.id || (now.id === was.id && now.version <= was.version))) return;
    if (was && was.id !== now.id) this.#drop(name, was.id);
    const isLeaving = this.#live.delete(name) && now.document.state !== "live";
    this.#kept.set(name, now);
    const environment = toEnvironment(now);
    if (environment?.state === "live") this.#live.set(name, environment);
    if (isLeaving) this.#tellGone(name);
  }

  #drop(name: string, id: number): void {
    if (this.#kept.get(name)?.id !== id) return;
    this.#kept.delete(name);
    this.#live.delete(name);
    this.#tellGone(name);
  }

  #tellGone(name: string): void {
    for (const listener of this.#listeners) listener(name);
  }

  #tellNodes(name: string): void {
    this.#engine.bus.send({ kind: "record-changed", recordKind, environment: name, name });
  }
}

/** What names the record of an environment. */
export function keyOf(name: string) {
  return { kind: recordKind, environment: name, name };
}

function toKept(record: StoredRecord): Kept {
  return { name: record.name, id: record.id, version: record.version, document: readEnvironment(record) };
}

function toEnvironment({ name, document: { state, ...rest } }: Kept): Environment | undefined {
  return state === "making" ? undefined : { name, ...rest, state };
}
