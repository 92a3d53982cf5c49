import { type DestinationStream, type Logger as Pino, pino } from "pino";
import { type Log, silentLog } from "./log.ts";

/** The least serious line that is written; `silent`: none. */
type LogLevel = "debug" | "info" | "warn" | "error" | "silent";

/** By the `environment` of a line, else its `area`, else `level`. */
export interface LogLevels {
  readonly level: LogLevel;
  readonly areas: Readonly<Record<string, LogLevel | undefined>>;
  readonly environments: Readonly<Record<string, LogLevel | undefined>>;
}

/** A log whose levels can be changed at any time, for everybody who has it. */
export interface LeveledLog extends Log {
  setLevels(levels: LogLevels): void;
  /** Would such a line be written? For what costs something to put together. */
  isOn(level: keyof Log, place: LogPlace): boolean;
  /** Is there a place whose lines of this level would be? */
  isOnAnywhere(level: keyof Log): boolean;
}

/** Where a line belongs: fields of the line itself. */
export interface LogPlace {
  readonly area?: string;
  readonly environment?: string | undefined;
}

/** Without what every object inherits: an environment may be called `constructor`. */
function withoutInherited<T extends object>(levels: T): T {
  return Object.assign(Object.create(null), levels);
}

const order: Readonly<Record<LogLevel, number>> = { debug: 0, info: 1, warn: 2, error: 3, silent: 4 };

// Nothing gives the log a credential. If something does by mistake, in fields of these names it gets no further.
const secretNames = [
  ...["authorization", "apiKey", "apiKeyV2", "api_key", "key", "secret", "token", "refreshToken", "refresh_token"],
  ...["ticket", "password", "credential", "masterKey", "cookie"],
];
const redact = {
  paths: secretNames.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
  censor: "REDACTED",
};

/** For parts that are used without a server. */
export const nothingLeveled: LeveledLog = {
  ...silentLog,
  setLevels() {},
  isOn: () => false,
  isOnAnywhere: () => false,
};

/** JSON lines to `destination`; default: stderr, each written before the call returns. */
export function createLog(
  levels: LogLevels,
  destination: DestinationStream = pino.destination({ fd: 2, sync: true }),
): LeveledLog {
  return new PinoLog(levels, pino({ level: "debug", redact }, destination));
}

class PinoLog implements LeveledLog {
  #levels: LogLevels;
  #lowest = order.silent;
  readonly #pino: Pino;

  constructor(levels: LogLevels, logger: Pino) {
    this.#levels = levels;
    this.#pino = logger;
    this.setLevels(levels);
  }

  setLevels(levels: LogLevels): void {
    const { level } = levels;
    const [areas, environments] = [withoutInherited(levels.areas), withoutInherited(levels.environments)];
    this.#levels = { level, areas, environments };
    const all = [level, ...Object.values(areas), ...Object.values(environments)];
    this.#lowest = Math.min(...all.map((one = "silent") => order[one]));
  }

  isOnAnywhere(level: keyof Log): boolean {
    return order[level] >= this.#lowest;
  }

  isOn(level: keyof Log, { area = "", environment = "" }: LogPlace): boolean {
    const { areas, environments } = this.#levels;
    return order[level] >= order[environments[environment] ?? areas[area] ?? this.#levels.level];
  }

  debug(fields: Record<string, unknown>, message: string): void {
    this.#write("debug", fields, message);
  }

  info(fields: Record<string, unknown>, message: string): void {
    this.#write("info", fields, message);
  }

  warn(fields: Record<string, unknown>, message: string): void {
    this.#write("warn", fields, message);
  }

  error(fields: Record<string, unknown>, message: string): void {
    this.#write("error", fields, message);
  }

  #write(level: keyof Log, fields: Record<string, unknown>, message: string): void {
    if (this.isOn(level, fields)) this.#pino[level](fields, message);
  }
}
