import type { Kept, Teller } from "../receiver/ports.ts";

/** A cache in memory that answers in a later turn, as the real one does, and tells what was told. */
export class KeptInMemory implements Kept, Teller {
  readonly lists = new Map<string, string[]>();
  readonly items = new Map<string, string>();
  readonly told: { readonly topic: string; readonly message: Record<string, unknown> }[] = [];
  /** Called before each call with its name; what it throws, the call throws. */
  before: (call: string) => void = () => {};

  async get(key: string): Promise<string | undefined> {
    await this.#turn("get");
    return this.items.get(key);
  }
  async set(key: string, value: string): Promise<void> {
    await this.#turn("set");
    this.items.set(key, value);
  }
  async list(name: string): Promise<readonly string[]> {
    await this.#turn("list");
    return [...(this.lists.get(name) ?? [])];
  }
  async push(name: string, value: string, maxLength: number): Promise<void> {
    await this.#turn("push");
    this.lists.set(name, [value, ...(this.lists.get(name) ?? [])].slice(0, maxLength));
  }
  async nameOf(userId: string): Promise<string | undefined> {
    await this.#turn("nameOf");
    return this.items.get(`name/${userId}`);
  }
  async tell(topic: string, message: unknown): Promise<void> {
    await this.#turn("tell");
    this.told.push({ topic, message: structuredClone(message) as Record<string, unknown> });
  }

  async #turn(call: string): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.before(call);
  }
}
