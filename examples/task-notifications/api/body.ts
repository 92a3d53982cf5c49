import type { Context } from "hono";
import type { z } from "zod";
import { ApiError } from "./api-error.ts";

/** JSON may write each of 1000 characters in six bytes. */
const bodyMaxBytes = 16 * 1024;

/** The checked JSON of a body. @throws ApiError 415, 413, 400. */
export async function readJson<T>(context: Context, schema: z.ZodType<T>): Promise<T> {
  const type = context.req.header("content-type")?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") throw new ApiError(415, "Content-Type must be application/json");
  const bytes = await readBytes(context.req.raw);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    // The parser's own words quote the body.
    throw new ApiError(400, "The body is not valid JSON in UTF-8");
  }
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue?.path.length ? `"${issue.path.map(String).join(".")}"` : "The body";
  throw new ApiError(400, `${field}: ${issue?.message}`);
}

async function readBytes(request: Request): Promise<Uint8Array> {
  const tooLarge = () => new ApiError(413, `The body must have at most ${bodyMaxBytes} bytes`);
  if (Number(request.headers.get("content-length") ?? 0) > bodyMaxBytes) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.length;
    if (bytes > bodyMaxBytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
