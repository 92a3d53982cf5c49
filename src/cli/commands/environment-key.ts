import type { CommandIo } from "./io.ts";

/** Long enough for what a person does, short enough that one that is left behind is soon worth nothing. */
const validForSeconds = 600;

/** Calls the server with a credential of its own, or with the one given. */
type Call = (method: string, path: string, body?: unknown, apiKey?: string) => Promise<unknown>;

interface MadeKey {
  readonly keyId: string;
  readonly apiKey: string;
}

/** What is to be done when a command ends, whether it succeeded or not. */
const endings = new WeakMap<CommandIo, (() => Promise<void>)[]>();

/** Takes back what the commands on `io` had made for themselves. */
export async function endClients(io: CommandIo): Promise<void> {
  const list = endings.get(io) ?? [];
  endings.delete(io);
  for (const end of list) await end();
}

/**
 * How an operator acts in an environment that is not its own: with a super-user key of it, made for this command, kept in memory, deleted at
 * its end. Whose credential is of that environment already needs none.
 */
export class EnvironmentKey {
  readonly #environment: string;
  readonly #call: Call;
  readonly #leavesTokens: boolean;
  #made: Promise<MadeKey | undefined> | undefined;

  /** `leavesTokens`: the command issues tokens, which are to live on. */
  constructor(environment: string, call: Call, io: CommandIo, leavesTokens = false) {
    this.#environment = environment;
    this.#call = call;
    this.#leavesTokens = leavesTokens;
    endings.set(io, [...(endings.get(io) ?? []), () => this.#end()]);
  }

  /** The key to use; undefined: the command's own credential will do. Made when it is first asked for. */
  async get(): Promise<string | undefined> {
    this.#made ??= this.#make();
    return (await this.#made)?.apiKey;
  }

  /** It has ended: the next `get` makes another. False when there is none to be made. */
  async renew(): Promise<boolean> {
    const hadOne = (await this.#made) !== undefined;
    this.#made = undefined;
    return hadOne;
  }

  async #make(): Promise<MadeKey | undefined> {
    const own = (await this.#call("GET", "/v1/environment")) as { name: string };
    if (own.name === this.#environment) return undefined;
    const body = { description: "of a todoku --env command", superUser: true, validForSeconds };
    return (await this.#call("POST", `/v1/environments/${this.#environment}/keys`, body)) as MadeKey;
  }

  async #end(): Promise<void> {
    const made = await this.#made?.catch(() => undefined);
    if (!made) return;
    const path = `/v1/keys/${made.keyId}`;
    // A key that is deleted takes the tokens that it issued with it; one that has expired does not.
    const ending = this.#leavesTokens
      ? this.#call("PATCH", path, { expiresInSeconds: 0 }, made.apiKey)
      : this.#call("DELETE", path, undefined, made.apiKey);
    await ending.catch(() => {}); // when that fails it ends by itself
  }
}
