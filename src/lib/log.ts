/** The part of pino that Todoku uses, so that domain and engines need no logging library. Never give it a credential. */
export interface Log {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

/** Says nothing: the default of parts that are used without a server. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };

/** `log` for one part of the server: its lines carry `fields`, and their levels follow from them. */
export function logWith(log: Log, fields: Readonly<Record<string, unknown>>): Log {
  const write = (level: keyof Log) => (more: Record<string, unknown>, message: string) =>
    log[level]({ ...fields, ...more }, message);
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}
