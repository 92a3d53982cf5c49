import { type ClientRequest, type IncomingMessage, request } from "node:http";

/** As much of a browser's `XMLHttpRequest` as grpc-web uses, so that the unmodified web SDK runs in Node. */
class NodeXmlHttpRequest {
  readyState = 0;
  status = 0;
  statusText = "";
  responseText = "";
  response = "";
  responseType = "";
  withCredentials = false;
  timeout = 0;
  onreadystatechange: (() => void) | null = null;
  #request: ClientRequest | undefined;
  #response: IncomingMessage | undefined;
  #isAborted = false;

  open(method: string, url: string): void {
    this.#request = request(url, { method });
    this.#request.on("response", (response) => this.#take(response));
    this.#request.on("error", () => this.#end());
    this.readyState = 1;
  }

  setRequestHeader(name: string, value: string): void {
    this.#request?.setHeader(name, value);
  }

  send(body: string | Uint8Array | null): void {
    this.#request?.end(body ?? undefined);
  }

  abort(): void {
    this.#isAborted = true;
    this.#request?.destroy();
  }

  getResponseHeader(name: string): string | null {
    const value = this.#response?.headers[name.toLowerCase()];
    return value === undefined ? null : String(value);
  }

  getAllResponseHeaders(): string {
    const headers = Object.entries(this.#response?.headers ?? {});
    return headers.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  }

  #take(response: IncomingMessage): void {
    this.#response = response;
    this.status = response.statusCode ?? 0;
    this.statusText = response.statusMessage ?? "";
    this.#change(2);
    response.setEncoding("utf8");
    response.on("data", (chunk: string) => {
      this.responseText += chunk;
      this.response = this.responseText;
      this.#change(3);
    });
    response.on("end", () => this.#change(4));
    response.on("error", () => this.#end());
  }

  /** The line broke: a browser then shows status 0. */
  #end(): void {
    if (this.readyState === 4) return;
    this.status = 0;
    this.#change(4);
  }

  #change(readyState: number): void {
    if (this.#isAborted) return;
    this.readyState = readyState;
    this.onreadystatechange?.();
  }
}

/** Makes it the global that libraries look for. */
export function installXmlHttpRequest(): void {
  Object.assign(globalThis, { XMLHttpRequest: NodeXmlHttpRequest });
}
