/** Lets one at a time through for each key: who reads, decides and writes must not be passed by another who does the same. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `act` when all that came before it with this key have ended, well or not. */
  take<T>(key: string, act: () => Promise<T>): Promise<T> {
    const turn = (this.#last.get(key) ?? Promise.resolve()).then(act, act);
    this.#last.set(key, turn);
    const forget = () => {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    };
    turn.then(forget, forget);
    return turn;
  }
}
