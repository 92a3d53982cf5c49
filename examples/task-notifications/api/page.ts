import { readFile } from "node:fs/promises";
import { extname, join, normalize, sep } from "node:path";
import type { Context } from "hono";
import { ApiError } from "./api-error.ts";
import type { ApiEnvironment } from "./headers.ts";

/** What the page needs. */
export interface PageOptions {
  /** The built page. */
  readonly directory: string;
  /** Origins that the page may talk to besides its own: Todoku and the identity provider. */
  connectOrigins(): Promise<readonly string[]>;
}

const mediaTypes: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".ico": "image/x-icon",
  ".jpg": "image/jpeg",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".map": "application/json",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".webmanifest": "application/manifest+json",
  ".webp": "image/webp",
  ".woff2": "font/woff2",
};

/** Serves the built page; a path that is no file and looks like one of the page's own leads to index.html. */
export function servePage(options: PageOptions) {
  return async (context: Context<ApiEnvironment>) => {
    const path = fileOf(context.req.path);
    const file = path === "/" ? undefined : await read(join(options.directory, path));
    if (file !== undefined && path !== "/index.html") {
      // Vite puts a hash of the content into the names below assets/.
      const isHashed = path.startsWith("/assets/");
      context.header("cache-control", isHashed ? "public, max-age=31536000, immutable" : "no-cache");
      context.header("content-type", mediaTypes[extname(path)] ?? "application/octet-stream");
      return context.body(file);
    }
    if (extname(path) !== "" && path !== "/index.html") throw new ApiError(404, "Not found");
    const index = await read(join(options.directory, "index.html"));
    if (index === undefined) throw new ApiError(404, "The page is not built; see the README of the example");
    context.header("content-security-policy", contentSecurityPolicy(await options.connectOrigins()));
    return context.html(Buffer.from(index).toString("utf8"));
  };
}

/** The path inside the directory, never outside of it. @throws ApiError 404. */
function fileOf(urlPath: string): string {
  try {
    const path = normalize(decodeURIComponent(urlPath)).replaceAll(sep, "/");
    if (path.startsWith("/") && !path.includes("\0")) return path;
  } catch {
    // Not percent-encoded as it should be: nothing of ours.
  }
  throw new ApiError(404, "Not found");
}

async function read(path: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "EISDIR" || code === "ENOTDIR" || code === "ENAMETOOLONG") return undefined;
    throw error;
  }
}

/** Scripts come from our files only; Mantine writes styles at run time. */
function contentSecurityPolicy(connectOrigins: readonly string[]): string {
  return [
    "default-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    ["connect-src 'self'", ...connectOrigins].join(" "),
    "object-src 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}
