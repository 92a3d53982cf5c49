/** The command line that runs `command` on one core, with all threads it starts. */
export function onCore(core: number, command: string, args: readonly string[]): [string, string[]] {
  return ["taskset", ["-c", String(core), command, ...args]];
}
