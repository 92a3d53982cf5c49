/** The states that a change gives to things, by their names. */
export type Changes = Readonly<Record<string, string>>;

/** What something that nobody has made is, and what is left of something that was ended. */
export const gone = "gone";

/**
 * What the answers of a server have promised: each thing has one state once the last change of it was answered, and may have either while
 * it was not. Names stand in messages: they are no secrets.
 */
export class Ledger {
  readonly #possible = new Map<string, readonly string[]>();
  /** Those that have changed since they were last looked at. */
  readonly #changed = new Set<string>();

  /** It was answered that these are so. */
  know(states: Changes): void {
    for (const [name, state] of Object.entries(states)) this.#set(name, [state]);
  }

  /** Makes a change: until `call` is answered, and for good when it rejects, what was before is possible too. */
  async change<T>(to: Changes, call: () => Promise<T>): Promise<T> {
    for (const [name, state] of Object.entries(to)) this.#set(name, [...this.#of(name), state]);
    const answer = await call();
    this.know(to);
    return answer;
  }

  /** Those that have this state for certain. */
  namesOf(state: string): string[] {
    return [...this.#possible].filter(([, states]) => states.length === 1 && states[0] === state).map(([name]) => name);
  }

  /** What is to be looked at: what has changed since the last time, and of the rest every n-th, beginning at `from`. */
  due(n: number, from = 0): string[] {
    const names = [...this.#possible.keys()];
    const due = names.filter((name, i) => this.#changed.has(name) || i % n === from % n);
    this.#changed.clear();
    return due;
  }

  /** What differs from every promise, in words. What was found is what it must be from now on. */
  compare(found: ReadonlyMap<string, string>): string[] {
    return [...found].flatMap(([name, state]) => {
      const possible = this.#of(name);
      this.#possible.set(name, [state]);
      return possible.includes(state) ? [] : [`${name} is "${state}", promised was "${possible.join('" or "')}"`];
    });
  }

  #of(name: string): readonly string[] {
    return this.#possible.get(name) ?? [gone];
  }

  #set(name: string, states: readonly string[]): void {
    this.#possible.set(name, states);
    this.#changed.add(name);
  }
}
