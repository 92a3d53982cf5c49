const nameMaxLength = 80;
/** Past it the one that was told longest ago is forgotten. */
const namesMax = 10_000;

/** What users are called, as their ID tokens say it. In memory: who connects anew tells it anew, and until then the id stands for the name. */
export class DisplayNames {
  readonly #names = new Map<string, string>();

  get(userId: string): string | undefined {
    return this.#names.get(userId);
  }

  /** Without what cannot be seen; nothing of it left is no name. */
  set(userId: string, name: string): void {
    const cleaned = name.replace(/\p{C}/gu, "").trim().slice(0, nameMaxLength).toWellFormed();
    this.#names.delete(userId);
    if (cleaned !== "") this.#names.set(userId, cleaned);
    for (const oldest of this.#names.keys()) {
      if (this.#names.size <= namesMax) break;
      this.#names.delete(oldest);
    }
  }
}
