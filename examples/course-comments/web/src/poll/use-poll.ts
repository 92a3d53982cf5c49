import { useCallback, useMemo, useState } from "react";
import { poll } from "../../../shared/catalog.ts";
import type { Api } from "../api.ts";
import { useView } from "../live/use-view.ts";
import { newerStanding, noVotes } from "./standing.ts";

/** The poll, live. */
export function usePoll(api: Api) {
  const [standing, setStanding] = useState(noVotes);
  const [mine, setMine] = useState<string>();
  const [hasFailed, setHasFailed] = useState(false);
  const listener = useMemo(
    () => ({
      onMessage: (value: unknown) => setStanding((known) => newerStanding(known, value)),
      onItems(items: Readonly<Record<string, unknown>>) {
        setStanding((known) => newerStanding(known, items));
        if (typeof items.mine === "string") setMine(items.mine);
      },
    }),
    [],
  );
  const { liveState, send } = useView(api, { view: "poll", id: poll.id }, listener);
  const vote = useCallback(
    async (option: string) => {
      setHasFailed(false);
      const before = mine;
      setMine(option);
      try {
        await send({ pollId: poll.id, option });
      } catch {
        setMine(before);
        setHasFailed(true);
      }
    },
    [send, mine],
  );
  return { standing, mine, hasFailed, liveState, vote };
}
