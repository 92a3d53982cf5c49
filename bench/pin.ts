/** The command line that runs `command`, with all threads it starts, on these cores: "0", or "0,1". */
export function onCores(cores: string, command: string, args: readonly string[]): [string, string[]] {
  return ["taskset", ["-c", cores, command, ...args]];
}
