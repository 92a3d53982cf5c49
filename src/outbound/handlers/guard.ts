import { type ChildProcess, spawn } from "node:child_process";

/**
 * Reads `add <group>` and `remove <group>` until its input ends, which it does when this process ends, however: then it kills what is left. A shell
 * with nothing but what is built in: it takes 1 MB, and no time.
 */
const script = `
groups=" "
while read -r verb group; do
  case $verb in
    add) groups="$groups$group " ;;
    remove) groups="\${groups%% $group *} \${groups#* $group }" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
exit 0
`;

const startAgainMs = 500;

/** Ends groups of processes when this process is killed: no handler goes on without its server. */
export class ProcessGuard {
  #shell: ChildProcess | undefined;
  readonly #groups = new Set<number>();

  /** `group`: the id of a process that leads one. */
  add(group: number): void {
    this.#groups.add(group);
    if (this.#shell) this.#write(`add ${group}`);
    else this.#start();
  }

  /** It has ended. */
  remove(group: number): void {
    if (!this.#groups.delete(group)) return;
    this.#write(`remove ${group}`);
    if (this.#groups.size > 0) return;
    this.#shell?.stdin?.end();
    this.#shell = undefined;
  }

  #start(): void {
    // A group of its own: Ctrl-C in a terminal is not for it.
    const shell = spawn("/bin/sh", ["-c", script], { stdio: ["pipe", "ignore", "ignore"], detached: true });
    this.#shell = shell;
    shell.unref();
    shell.stdin.on("error", () => {});
    const onEnd = () => {
      if (this.#shell !== shell) return;
      this.#shell = undefined;
      // Somebody has killed it. Later, for a machine that cannot start a shell.
      const again = () => this.#groups.size > 0 && !this.#shell && this.#start();
      setTimeout(again, startAgainMs).unref();
    };
    shell.on("error", onEnd).on("exit", onEnd);
    for (const group of this.#groups) this.#write(`add ${group}`);
  }

  #write(line: string): void {
    this.#shell?.stdin?.write(`${line}\n`);
  }
}
