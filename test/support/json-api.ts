/** The HTTP API of a server, as the bearer of a credential or as the operator of dev mode. */
export class JsonApi {
  readonly #url: string;
  readonly #credential: string | undefined;

  constructor(port: number, credential?: string) {
    this.#url = `http://127.0.0.1:${port}`;
    this.#credential = credential;
  }

  /** Whatever it answers. @throws TypeError when the connection breaks. */
  send(method: string, path: string, body?: unknown): Promise<Response> {
    const headers = {
      ...(this.#credential === undefined ? {} : { authorization: `Bearer ${this.#credential}` }),
      ...(typeof body === "object" ? { "content-type": "application/json" } : {}),
    };
    const init = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
    return fetch(this.#url + path, { method, headers, ...init });
  }

  /** The JSON of an answer that must be a good one. @throws TypeError when the connection breaks; Error: it is no good one. */
  async call(method: string, path: string, body?: unknown) {
    const response = await this.send(method, path, body);
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : response.json();
  }

  get(path: string) {
    return this.call("GET", path);
  }

  post(path: string, body?: unknown) {
    return this.call("POST", path, body);
  }

  /** The status of an answer whose body does not matter. */
  async status(method: string, path: string, body?: unknown): Promise<number> {
    const response = await this.send(method, path, body);
    await response.arrayBuffer();
    return response.status;
  }
}

/** `valid` or `refused`, as the door says of a credential. */
export async function judge(port: number, credential: string): Promise<string> {
  const status = await new JsonApi(port, credential).status("GET", "/v1/environment");
  if (status !== 200 && status !== 401) throw new Error(`the door answers a credential with ${status}`);
  return status === 200 ? "valid" : "refused";
}

/** What calls say when the server is killed under them. */
export function isBrokenConnection(error: unknown): boolean {
  return (
    error instanceof TypeError && ["fetch failed", "terminated", "the connection is broken"].includes(error.message)
  );
}
