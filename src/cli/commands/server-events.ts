/** One event of a server-sent event stream. A block that only sets the id comes with `data` undefined. */
export interface ServerEvent {
  /** "message" when the stream does not name it. */
  readonly type: string;
  readonly id: string | undefined;
  readonly data: string | undefined;
}

/**
 * Reads an event stream (https://html.spec.whatwg.org/multipage/server-sent-events.html); comments count as a sign of life only.
 * @param onBytes called for whatever arrives.
 */
export async function* readEvents(
  body: AsyncIterable<Uint8Array>,
  onBytes: () => void = () => {},
): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  let fields = new Map<string, string>();
  for await (const chunk of body) {
    onBytes();
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      const text = line.endsWith("\r") ? line.slice(0, -1) : line;
      if (text !== "") {
        readField(text, fields);
        continue;
      }
      const event = { type: fields.get("event") ?? "message", id: fields.get("id"), data: fields.get("data") };
      fields = new Map();
      if (event.id !== undefined || event.data !== undefined) yield event;
    }
  }
}

function readField(line: string, fields: Map<string, string>): void {
  const colon = line.indexOf(":");
  if (colon === 0) return; // a comment
  const name = colon === -1 ? line : line.slice(0, colon);
  const value = colon === -1 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
  const before = fields.get(name);
  fields.set(name, name === "data" && before !== undefined ? `${before}\n${value}` : value);
}
