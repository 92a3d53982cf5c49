import { useCallback, useMemo, useState } from "react";
import type { Api, ViewName } from "../api.ts";
import { type Line, mergeLines, parseLine } from "./lines.ts";
import { useView } from "./use-view.ts";

/** The lines of a view, live. `say` publishes what `message` makes of a text and its key. */
export function useLines(
  api: Api,
  name: ViewName,
  author: string,
  message: (text: string, key: string) => Readonly<Record<string, unknown>>,
) {
  const [lines, setLines] = useState<readonly Line[]>([]);
  const listener = useMemo(() => {
    const take = (values: readonly unknown[]) =>
      setLines((known) => {
        const come = values.map(parseLine).filter((line) => line !== undefined);
        return mergeLines(known, come);
      });
    return {
      onMessage: (value: unknown) => take([value]),
      onItems: ({ comments }: Readonly<Record<string, unknown>>) => take(Array.isArray(comments) ? comments : []),
    };
  }, []);
  const { liveState, userId, send } = useView(api, name, listener);
  const say = useCallback(
    async (text: string, key: string) => {
      await send(message(text, key));
      if (userId === undefined) return;
      const line = { id: `${userId}/${key}`, userId, name: author, text, atMs: Date.now(), isOnItsWay: true };
      setLines((known) => mergeLines(known, [line]));
    },
    [send, message, userId, author],
  );
  return { lines, liveState, userId, say };
}
