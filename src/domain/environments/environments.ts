import { authorize } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { makeBuiltIns, makeMissingBuiltIns } from "./built-ins.ts";
import { copyContents } from "./copy.ts";
import {
  changeSettings,
  checkEnvironmentName,
  type Environment,
  type EnvironmentDocument,
  type SettingsChanges,
} from "./environment.ts";
import { EnvironmentRegistry, type Kept, keyOf } from "./registry.ts";

// Others who change the same environment at another node: whoever loses more often than this should hear of it.
const maxTries = 5;
/** A copy takes seconds; one that another node has not finished by then has no maker any more. */
const makingMaxMs = 10 * 60 * 1000;

/** What a new environment is to be. */
interface EnvironmentRequest {
  /** The environment whose settings, caches and queues it begins with, all of them empty. */
  readonly from?: string | undefined;
  /** At most `limits.environment.secretsFromMax`, all of them there. */
  readonly secretsFrom?: readonly string[] | undefined;
  /** Beside or instead of those of `from`. */
  readonly settings?: SettingsChanges | undefined;
}

/** What may be changed; what is left out stays. */
type EnvironmentChanges = Pick<EnvironmentRequest, "secretsFrom" | "settings">;

/** The environments of the server. Only operators may see and change them. */
export interface Environments {
  /** Reads the store; environments of older data get their own records. Destroying goes on with {@link Environments.resume}. */
  start(): Promise<void>;
  /** Makes it when it is missing. @throws TodokuError `invalid_argument`. */
  ensure(name: string): Promise<void>;
  /** In no time; undefined also while it is being made or destroyed. */
  known(name: string): Environment | undefined;
  /** @throws TodokuError `already_exists`, `not_found` (`from`), `invalid_argument`, `limit_exceeded`, `permission_denied`. */
  create(principal: Principal, name: string, request?: EnvironmentRequest): Promise<Environment>;
  /** By name, those that are being destroyed too. @throws TodokuError `permission_denied`. */
  list(principal: Principal): readonly Environment[];
  /** @throws TodokuError `not_found`, `invalid_argument`, `permission_denied`. */
  update(principal: Principal, name: string, changes: EnvironmentChanges): Promise<Environment>;
  /**
   * Answers when nothing is left of it in the store. Its credentials are refused at once, and stay refused when the server stops meanwhile: it
   * goes on at the next start. @throws TodokuError `not_found`, `permission_denied`; `failed_precondition`: it is the principal's own.
   */
  destroy(principal: Principal, name: string): Promise<void>;
  /** Called as soon as an environment is being destroyed, and once more when all of it is gone: whoever holds something of it lets go. */
  onGone(listener: (name: string) => void): void;
  /** Called when caches and queues were put into a new environment, before anybody has a credential for it. */
  onFilled(listener: (name: string) => Promise<void>): void;
  /** Compares with the store: for hints of other nodes and the tick each second. */
  refresh(): Promise<void>;
  /** Goes on with what was being destroyed or made when its server stopped. Resolves when that is gone. @throws TodokuError `unavailable`. */
  resume(): Promise<void>;
}

/** @param wallMs the clock that creation times are read from. */
export function createEnvironments(
  engine: Pick<Engine, "records" | "environments" | "bus" | "isSingleNode">,
  wallMs: () => number,
): Environments {
  return new EnvironmentService(engine, wallMs);
}

class EnvironmentService implements Environments {
  readonly #engine: Pick<Engine, "records" | "environments" | "bus" | "isSingleNode">;
  readonly #wallMs: () => number;
  readonly #registry: EnvironmentRegistry;
  readonly #filled: ((name: string) => Promise<void>)[] = [];
  /** Those that are being made or destroyed here. */
  readonly #work = new Map<string, Promise<unknown>>();

  constructor(engine: Pick<Engine, "records" | "environments" | "bus" | "isSingleNode">, wallMs: () => number) {
    this.#engine = engine;
    this.#wallMs = wallMs;
    this.#registry = new EnvironmentRegistry(engine);
  }

  async start(): Promise<void> {
    await this.refresh();
    const names = await this.#engine.environments.names();
    await Promise.all(names.filter((name) => !this.#registry.get(name)).map((name) => this.#add(name, {})));
    const live = this.#registry.all().filter(({ state }) => state === "live");
    const { records } = this.#engine;
    await makeMissingBuiltIns(
      records,
      live.map(({ name }) => name),
      this.#wallMs(),
    );
  }

  async ensure(name: string): Promise<void> {
    checkEnvironmentName(name);
    if (this.known(name)) return;
    if (this.#registry.get(name)) await this.resume();
    await this.#make(name, {}).catch((error: unknown) => {
      if (!(error instanceof TodokuError) || error.code !== "already_exists") throw error;
    });
  }

  known(name: string): Environment | undefined {
    return this.#registry.known(name);
  }

  async create(principal: Principal, name: string, request: EnvironmentRequest = {}): Promise<Environment> {
    authorize(principal, "environment.create");
    checkEnvironmentName(name);
    const { from } = request;
    const source = from === undefined ? undefined : this.#registry.get(from);
    if (from !== undefined && source?.document.state !== "live") throw notFound(from);
    const settings = changeSettings(source?.document.settings ?? {}, request.settings ?? {});
    const secretsFrom = this.#checkSecretsFrom(name, request.secretsFrom ?? []);
    if (this.#registry.size >= limits.environment.max) {
      throw new TodokuError(
        "limit_exceeded",
        `this server has ${limits.environment.max} environments, the most it may have`,
      );
    }
    if (this.#work.has(name)) throw alreadyExists(name);
    return this.#inWork(name, async () => {
      if (from === undefined) await this.#make(name, { settings, secretsFrom });
      else await this.#copy(name, { settings, secretsFrom, copiedFrom: from, state: "making" }, from);
      await this.#leaveGone(name);
      return this.#known(name);
    });
  }

  list(principal: Principal): readonly Environment[] {
    authorize(principal, "environment.list");
    return this.#registry.all().sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async update(principal: Principal, name: string, changes: EnvironmentChanges): Promise<Environment> {
    authorize(principal, "environment.update");
    const settings = changes.settings ?? {};
    changeSettings({}, settings); // what is wrong in itself needs no store
    const secretsFrom = changes.secretsFrom && this.#checkSecretsFrom(name, changes.secretsFrom);
    if (!this.known(name)) throw notFound(name);
    await this.#change(name, (was) => {
      if (was.state !== "live") throw notFound(name);
      return { ...was, settings: changeSettings(was.settings, settings), ...(secretsFrom && { secretsFrom }) };
    });
    await this.#leaveGone(name);
    return this.#known(name);
  }

  async destroy(principal: Principal, name: string): Promise<void> {
    authorize(principal, "environment.delete");
    if (name === principal.environment) {
      throw new TodokuError(
        "failed_precondition",
        `environment "${name}" is the one of your own credential: destroy it with an operator's of another`,
      );
    }
    if (!this.#engine.isSingleNode) await this.refresh();
    const kept = this.#registry.get(name);
    if (!kept || kept.document.state === "making") throw notFound(name);
    // Somebody may still be making it, or destroying it already: then it is gone with that.
    for (let work = this.#work.get(name); work; work = this.#work.get(name)) await work.catch(() => {});
    if (this.#registry.get(name)?.id === kept.id) await this.#inWork(name, () => this.#remove(kept));
  }

  onGone(listener: (name: string) => void): void {
    this.#registry.onGone(listener);
  }

  onFilled(listener: (name: string) => Promise<void>): void {
    this.#filled.push(listener);
  }

  refresh(): Promise<void> {
    return this.#registry.refresh();
  }

  async resume(): Promise<void> {
    const abandoned = this.#registry.unfinished().filter(({ name, document }) => {
      if (this.#work.has(name)) return false;
      const isOurs = this.#engine.isSingleNode || this.#wallMs() - document.createdAtMs > makingMaxMs;
      return document.state === "destroying" || isOurs;
    });
    await Promise.all(abandoned.map((kept) => this.#inWork(kept.name, () => this.#remove(kept))));
  }

  async #inWork<T>(name: string, work: () => Promise<T>): Promise<T> {
    const done = work();
    this.#work.set(name, done);
    try {
      return await done;
    } finally {
      this.#work.delete(name);
    }
  }

  async #add(name: string, more: Partial<EnvironmentDocument>): Promise<Kept> {
    const document = { createdAtMs: this.#wallMs(), secretsFrom: [], settings: {}, state: "live", ...more };
    const record = await this.#engine.records.create(keyOf(name), document).catch((error: unknown) => {
      if (!(error instanceof TodokuError) || error.code !== "already_exists") throw error;
      throw alreadyExists(name);
    });
    return this.#registry.changed(record);
  }

  /** With what every environment has. Asked for in one turn of the loop, so that the embedded engine commits it together. */
  async #make(name: string, more: Partial<EnvironmentDocument>): Promise<void> {
    const added = this.#add(name, more);
    const builtIns = makeBuiltIns(this.#engine.records, name, this.#wallMs());
    builtIns.catch(() => {}); // when it is there already, its maker hears of that
    await added;
    await builtIns;
    await this.#tellFilled(name);
  }

  /** Until it is filled nobody may see it: a copy that does not come to its end is no environment. */
  async #copy(name: string, document: Partial<EnvironmentDocument>, from: string): Promise<void> {
    const kept = await this.#add(name, document);
    try {
      await copyContents(this.#engine.records, from, name, this.#wallMs());
      await makeBuiltIns(this.#engine.records, name, this.#wallMs());
      await this.#tellFilled(name);
      await this.#change(name, (was) => ({ ...was, state: "live" }));
    } catch (error) {
      await this.#remove(kept).catch(() => {}); // the worker tries again
      throw error;
    }
  }

  async #tellFilled(name: string): Promise<void> {
    for (const listener of this.#filled) await listener(name);
  }

  async #remove({ name, id }: Kept): Promise<void> {
    if (this.#registry.get(name)?.document.state !== "destroying") {
      await this.#change(name, (was) => ({ ...was, state: "destroying" }));
    }
    for (const { name: other, secretsFrom } of this.#registry.all()) {
      if (!secretsFrom.includes(name)) continue;
      await this.#change(other, (was) => ({ ...was, secretsFrom: was.secretsFrom.filter((one) => one !== name) }));
    }
    while (await this.#engine.environments.forget({ name, id }));
    this.#registry.removed(name, id);
  }

  /** Puts a new document in place of the one that is there now, whoever else changes it. @throws TodokuError `not_found`. */
  async #change(name: string, change: (was: EnvironmentDocument) => EnvironmentDocument): Promise<void> {
    for (let tries = 1; ; tries++) {
      const was = this.#registry.get(name);
      if (!was) throw notFound(name);
      try {
        const document = { ...change(was.document) };
        this.#registry.changed(await this.#engine.records.replace(keyOf(name), document, was.version));
        return;
      } catch (error) {
        if (!(error instanceof TodokuError) || error.code !== "failed_precondition" || tries === maxTries) throw error;
        await this.refresh();
      }
    }
  }

  /** Who was destroyed between the look at `secretsFrom` and its commit must not be named in it: another may get the name. */
  async #leaveGone(name: string): Promise<void> {
    const here = (secretsFrom: readonly string[]) => secretsFrom.filter((other) => this.known(other));
    const { secretsFrom } = this.#known(name);
    if (here(secretsFrom).length === secretsFrom.length) return;
    await this.#change(name, (was) => ({ ...was, secretsFrom: here(was.secretsFrom) }));
  }

  #known(name: string): Environment {
    const environment = this.known(name);
    if (!environment) throw notFound(name);
    return environment;
  }

  #checkSecretsFrom(name: string, secretsFrom: readonly string[]): readonly string[] {
    const { secretsFromMax } = limits.environment;
    const names = [...new Set(secretsFrom)];
    if (names.length > secretsFromMax) {
      throw new TodokuError(
        "invalid_argument",
        `secretsFrom names ${names.length} environments; must be <= ${secretsFromMax}`,
      );
    }
    for (const other of names) {
      if (other === name) throw new TodokuError("invalid_argument", "secretsFrom must not name the environment itself");
      if (!this.known(other))
        throw new TodokuError("invalid_argument", `secretsFrom: environment "${other}" does not exist`);
    }
    return names;
  }
}

function notFound(name: string): TodokuError {
  return new TodokuError("not_found", `environment "${name}" does not exist`, { subject: "environment" });
}

function alreadyExists(name: string): TodokuError {
  return new TodokuError("already_exists", `environment "${name}" exists already`, { subject: "environment" });
}
