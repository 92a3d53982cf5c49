/** One block of an event stream, field by field; comments under "". */
export type Block = Readonly<Record<string, string>>;

/** An open event stream whose blocks are asked for one by one. */
export interface Follower {
  readonly response: Response;
  /** The next block; undefined at the stream's end. */
  next(): Promise<Block | undefined>;
  /** The next event that has data, parsed. */
  nextData<T = Record<string, unknown>>(): Promise<T>;
  close(): void;
}

/** Follows an event stream, and has read its opening block when it resolves. */
export async function follow(
  url: string,
  headers: Record<string, string> = {},
): Promise<Follower & { opening: Block }> {
  const abort = new AbortController();
  const response = await fetch(url, { headers: { accept: "text/event-stream", ...headers }, signal: abort.signal });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  async function next(): Promise<Block | undefined> {
    while (!text.includes("\n\n")) {
      const chunk = await reader?.read();
      if (!chunk || chunk.done) return undefined;
      text += chunk.value;
    }
    const end = text.indexOf("\n\n");
    const lines = text.slice(0, end).split("\n");
    text = text.slice(end + 2);
    return Object.fromEntries(lines.map((line) => line.split(/: ?(.*)/s, 2)));
  }
  const opening = (await next()) ?? {};
  return {
    ...{ response, next, opening },
    async nextData<T>() {
      for (;;) {
        const block = await next();
        if (!block) throw new Error("the stream has ended");
        if (block.data !== undefined) return JSON.parse(block.data) as T;
      }
    },
    close: () => abort.abort(),
  };
}
