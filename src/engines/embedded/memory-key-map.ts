/** Past so many entries for each map, one map is divided: 2 to 5 ms. */
const entriesPerMap = 8192;

/**
 * A map of many texts: linear hashing over small maps. One `Map` moves all its entries when it grows or shrinks, which holds up everybody for
 * two seconds at a million; here it is those of one map at a time.
 */
export class MemoryKeyMap<T> {
  readonly #maps = [new Map<string, T>()];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(key: string): T | undefined {
    return this.#mapOf(key).get(key);
  }

  set(key: string, value: T): void {
    const map = this.#mapOf(key);
    const { size } = map;
    map.set(key, value);
    this.#size += map.size - size;
    if (this.#size > this.#maps.length * entriesPerMap) this.#divide();
  }

  delete(key: string): void {
    if (!this.#mapOf(key).delete(key)) return;
    this.#size--;
    if (this.#maps.length > 1 && this.#size < (this.#maps.length * entriesPerMap) / 4) this.#unite();
  }

  #mapOf(key: string): Map<string, T> {
    return this.#maps[this.#indexOf(key)] as Map<string, T>;
  }

  #indexOf(key: string): number {
    const count = this.#maps.length;
    if (count === 1) return 0;
    const hash = hashOf(key);
    // The least power of two that is not below the count: 2 ** n maps, of which the last are not there yet.
    const whole = 2 ** (32 - Math.clz32(count - 1));
    const index = hash & (whole - 1);
    return index < count ? index : index - whole / 2;
  }

  /** The next map gets its share of the one that had it so far. */
  #divide(): void {
    const index = this.#maps.length;
    const from = this.#maps[index - highestBit(index)] as Map<string, T>;
    const to = new Map<string, T>();
    this.#maps.push(to);
    for (const [key, value] of from) {
      if (this.#indexOf(key) !== index) continue;
      to.set(key, value);
      from.delete(key);
    }
  }

  #unite(): void {
    const last = this.#maps.pop();
    const index = this.#maps.length;
    const to = this.#maps[index - highestBit(index)] as Map<string, T>;
    for (const [key, value] of last ?? []) to.set(key, value);
  }
}

function highestBit(value: number): number {
  return 2 ** (31 - Math.clz32(value));
}

/** FNV-1a, and its high bits into the low ones. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return hash ^ (hash >>> 15);
}
