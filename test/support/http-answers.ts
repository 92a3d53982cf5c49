import type { IncomingMessage, ServerResponse } from "node:http";
import { isDeepStrictEqual } from "node:util";
import { type ZodType, z } from "zod";
import { routes } from "../../src/protocols/http/api.ts";
import { itemSchema } from "../../src/protocols/http/codec.ts";
import { problemSchema } from "../../src/protocols/http/errors.ts";
import type { Operation } from "../../src/protocols/http/operation.ts";

type Handle = (request: IncomingMessage, response: ServerResponse) => void;

const commonHeaders = {
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};
const gapSchema = z.object({ after: z.string(), now: z.string() });

/** Compares every answer of a door with what its description says. */
export class AnswerCheck {
  readonly #wrong: string[] = [];

  /** `handle`, looking at each of its answers once it is complete. */
  wrap(handle: Handle): Handle {
    return (request, response) => {
      const chunks: Uint8Array[] = [];
      const keep = (chunk: unknown) => {
        if (typeof chunk === "string" || chunk instanceof Uint8Array) chunks.push(Buffer.from(chunk as string));
      };
      const { write, end } = response;
      response.write = ((...args: Parameters<typeof write>) => {
        keep(args[0]);
        return write.apply(response, args);
      }) as typeof write;
      response.end = ((...args: Parameters<typeof end>) => {
        keep(args[0]);
        response.write = write; // HTTP/2's `end` calls it
        return end.apply(response, args);
      }) as typeof end;
      const isStream = () => response.getHeader("content-type") === "text/event-stream";
      const look = () => this.#look(request, response, Buffer.concat(chunks).toString());
      // A stream that its client left has no end, but what it carried is complete. Any other answer may have been cut.
      // Node's HTTP/2 response says `finish` for a stream that was reset before it was answered, too.
      const lookWhole = () => response.writableEnded && !isStream() && look();
      response.once("finish", lookWhole).once("close", () => isStream() && look());
      handle(request, response);
    };
  }

  /** @throws Error that lists every answer that was not as described. */
  verify(): void {
    if (this.#wrong.length > 0)
      throw new Error(`answers that their description does not allow:\n${this.#wrong.join("\n")}`);
  }

  #look({ method = "", url = "" }: IncomingMessage, response: ServerResponse, text: string): void {
    const complain = (what: string) => this.#wrong.push(`${method} ${url} ${response.statusCode}: ${what}`);
    for (const [name, value] of Object.entries(commonHeaders)) {
      if (response.getHeader(name) !== value) complain(`${name} is ${response.getHeader(name)}`);
    }
    if (method === "OPTIONS" || method === "HEAD") return;
    const operation = find(method, url);
    const answer = operation?.answers[response.statusCode];
    const mediaType = String(response.getHeader("content-type") ?? "").split(";", 1)[0];
    const expected = answer
      ? (answer.mediaType ?? (answer.schema ? "application/json" : ""))
      : "application/problem+json";
    if (mediaType !== expected) complain(`the media type is "${mediaType}", described is "${expected}"`);
    else if (mediaType === "text/event-stream") checkEvents(text, complain);
    else if (!answer) checkJson(problemSchema.extend({ status: z.literal(response.statusCode) }), text, complain);
    else if (answer.schema) checkJson(answer.schema, text, complain);
    else if (expected === "" && text !== "") complain("there is a body");
  }
}

function find(method: string, url: string): Operation | undefined {
  const path = url.split("?", 1)[0] as string;
  for (const [route, operations] of Object.entries(routes)) {
    const pattern = new RegExp(`^${route.replaceAll(".", "\\.").replaceAll(/:\w+/g, "[^/]+")}$`);
    if (pattern.test(path)) return Object.entries(operations).find(([known]) => known === method)?.[1];
  }
  return undefined;
}

/** A field that the schema does not name is wrong too. */
function checkJson(schema: ZodType, text: string, complain: (what: string) => void): void {
  const value: unknown = JSON.parse(text);
  const { data, error } = schema.safeParse(value);
  if (error) complain(z.prettifyError(error));
  else if (!isDeepStrictEqual(data, value)) complain(`a field is not described: ${text}`);
}

function checkEvents(text: string, complain: (what: string) => void): void {
  for (const block of text.split("\n\n")) {
    const data = /^data: (.*)$/m.exec(block)?.[1];
    const event = /^event: (.*)$/m.exec(block)?.[1];
    if (data === undefined) continue;
    checkJson(event === "error" ? problemSchema : event === "discontinuity" ? gapSchema : itemSchema, data, complain);
  }
}
