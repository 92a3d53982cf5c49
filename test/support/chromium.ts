import { existsSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { type Browser, chromium } from "playwright-core";
import { build } from "vite";

const executablePath = "/usr/bin/chromium";

/** Why browser tests cannot run here; undefined when they can. With CI set it is never a reason to skip. */
export const noChromium = existsSync(executablePath) ? undefined : `${executablePath} is missing: npm run setup`;

/** Debian's Chromium, headless; `flags` come after those that every test needs. */
export function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-dev-shm-usage",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      ...flags,
    ],
  });
}

/** Builds the page in `test/browser/page` and serves it on an origin of its own. */
export async function servePage(): Promise<{ origin: string; [Symbol.asyncDispose](): Promise<void> }> {
  const root = fileURLToPath(new URL("../browser/page", import.meta.url));
  const built = await build({ root, configFile: false, logLevel: "error", build: { write: false } });
  const files = new Map<string, string | Uint8Array>();
  for (const output of [built].flat()) {
    if (!("output" in output)) throw new Error("vite is watching, not building");
    for (const file of output.output) files.set(`/${file.fileName}`, file.type === "chunk" ? file.code : file.source);
  }
  const server = createServer((request, response) => {
    const path = request.url === "/" ? "/index.html" : (request.url ?? "");
    const body = files.get(path);
    const type = path.endsWith(".js") ? "text/javascript" : "text/html";
    response.writeHead(body === undefined ? 404 : 200, { "content-type": `${type}; charset=utf-8` }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
