import { useCallback, useEffect, useRef, useState } from "react";
import { ApiError } from "../../../../task-notifications/web/src/api/api-error.ts";
import { LiveConnection, type LiveState } from "../../../../task-notifications/web/src/live/live-connection.ts";
import type { Api, ViewName, ViewToken } from "../api.ts";
import { publish } from "./publish.ts";

/** What a view is told. Both may tell the same again: whoever listens knows what it has by its id or version. */
export interface ViewListener {
  /** JSON of the view's topic, unchecked; also what was said before the page was opened, as far as Todoku keeps it. */
  onMessage(message: unknown): void;
  /** What the API keeps of it. */
  onItems(items: Readonly<Record<string, unknown>>): void;
}

/** The rest of a token's life with which it is used to publish. */
const minLifeMs = 10_000;

/** Follows a view for as long as the component is mounted, and publishes to it. For another view, or with another listener, mount it anew. */
export function useView(api: Api, { view, id }: ViewName, listener: ViewListener) {
  const [liveState, setLiveState] = useState<LiveState>("connecting");
  const [userId, setUserId] = useState<string>();
  const token = useRef<ViewToken>(undefined);
  const getToken = useCallback(
    async (signal: AbortSignal) => {
      token.current = await api.getToken({ view, id }, signal);
      setUserId(token.current.userId);
      return token.current;
    },
    [api, view, id],
  );
  useEffect(() => {
    const closing = new AbortController();
    const loadItems = () =>
      void api.getItems({ view, id }, closing.signal).then(listener.onItems, () => undefined /* with the next line */);
    const connection = new LiveConnection({
      getToken,
      isSignedOut: (error) => error instanceof ApiError && error.problem === "signed-out",
      after: undefined,
      onMessage: ({ text }) => listener.onMessage(parse(text)),
      onState(state) {
        // Also behind a lost line: what fell out of the topic's history meanwhile is in the items.
        if (state === "live") loadItems();
        setLiveState(state);
      },
    });
    connection.start();
    const hurry = () => connection.hurry();
    window.addEventListener("online", hurry, { signal: closing.signal });
    document.addEventListener("visibilitychange", hurry, { signal: closing.signal });
    return () => {
      closing.abort();
      connection.stop();
    };
  }, [api, view, id, getToken, listener]);
  const send = useCallback(
    async (message: unknown) => {
      const known = token.current;
      const isGood = known !== undefined && known.expiresAtMs - Date.now() > minLifeMs;
      await publish(isGood ? known : await getToken(AbortSignal.timeout(minLifeMs)), message);
    },
    [getToken],
  );
  return { liveState, userId, send };
}

function parse(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "null");
  } catch {
    return null;
  }
}
