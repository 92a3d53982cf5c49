import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** A process of `npm start`. */
export interface ChildPlan {
  readonly name: string;
  /** The path of its main file. */
  readonly file: string;
  /** By the URL that it listened on before; undefined at the first start. A child that starts again must not move. */
  args(url: string | undefined): readonly string[];
  env(url: string | undefined): Readonly<Record<string, string | undefined>>;
  /** The last line that it prints when it is ready. */
  readonly ready: RegExp;
}

/** A child ended before it was ready. */
export class StartFailure extends Error {
  override readonly name = "StartFailure";
  readonly exitCode: number;
  /** Some other process has its port. */
  readonly isPortTaken: boolean;
  /** What it printed to stdout. */
  readonly stdout: string;

  constructor(name: string, options: { exitCode: number; isPortTaken: boolean; stdout: string }) {
    super(`${name} did not start (exit ${options.exitCode})`);
    this.exitCode = options.exitCode;
    this.isPortTaken = options.isPortTaken;
    this.stdout = options.stdout;
  }
}

const lifeline = new URL("../lifeline.ts", import.meta.url).href;
/** After this a child that was told to end is killed. */
const stopGraceMs = 4000;
/** Pauses before new starts double up to this; a life as long as this makes the next pause the first again. */
const restartPauseMs = { first: 500, longest: 30_000 };

/** Keeps one process alive until it is told to stop. */
export class Child {
  readonly #plan: ChildPlan;
  #process: ChildProcess | undefined;
  #isStopping = false;
  #url: string | undefined;
  #pauseMs = restartPauseMs.first;
  #restart: NodeJS.Timeout | undefined;

  constructor(plan: ChildPlan) {
    this.#plan = plan;
  }

  /** What it printed until it was ready, lines without an end. From then on it is started again whenever it ends. @throws StartFailure. */
  async start(): Promise<string> {
    const printed = await this.#spawn();
    this.#url = /https?:\/\/\S+/.exec(printed)?.[0];
    return printed;
  }

  /** Resolves when it is gone. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restart);
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), stopGraceMs);
    await exited;
    clearTimeout(timer);
  }

  /** At once. */
  kill(): void {
    this.#isStopping = true;
    this.#process?.kill("SIGKILL");
  }

  async #spawn(): Promise<string> {
    const { name, file, args, env, ready } = this.#plan;
    const startedAtMs = performance.now();
    const child = spawn(process.execPath, ["--import", lifeline, file, ...args(this.#url)], {
      // A group of its own: Ctrl-C reaches us alone, and we end the children in order.
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: env(this.#url),
    });
    this.#process = child;
    if (child.stdout === null || child.stderr === null) throw new Error("a child without pipes");
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const printed: string[] = [];
    let isReady = false;
    let isPortTaken = false;
    createInterface(child.stdout).on("line", (line) => {
      if (this.#url !== undefined) process.stdout.write(`[${name}] ${line}\n`);
      printed.push(line);
      if (isReady || !ready.test(line)) return;
      isReady = true;
      resolve(printed.join("\n"));
    });
    createInterface(child.stderr).on("line", (line) => {
      isPortTaken ||= line.includes("EADDRINUSE");
      process.stderr.write(`[${name}] ${line}\n`);
    });
    child.once("close", (code, signal) => {
      const failure = { exitCode: code ?? 1, isPortTaken, stdout: printed.join("\n") };
      if (this.#url === undefined && !isReady) reject(new StartFailure(name, failure));
      else this.#startAgain(signal ?? `exit ${code}`, performance.now() - startedAtMs);
    });
    return promise;
  }

  #startAgain(how: string, livedMs: number): void {
    if (this.#isStopping) return;
    if (livedMs > restartPauseMs.longest) this.#pauseMs = restartPauseMs.first;
    process.stderr.write(`[${this.#plan.name}] ended (${how}); again in ${this.#pauseMs / 1000} s\n`);
    this.#restart = setTimeout(() => void this.#spawn(), this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, restartPauseMs.longest);
  }
}

/** Where a file of the repository is. */
export function repositoryPath(path: string): string {
  return fileURLToPath(new URL(`../../${path}`, import.meta.url));
}
