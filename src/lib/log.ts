/** The part of pino that Todoku uses, so that domain and engines need no logging library. Never give it a credential. */
export interface Log {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

/** Says nothing: the default of parts that are used without a server. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
