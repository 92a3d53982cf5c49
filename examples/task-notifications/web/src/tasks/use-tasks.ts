import { useEffect, useState, useSyncExternalStore } from "react";
import type { Api } from "../api/api.ts";
import { ApiError } from "../api/api-error.ts";
import { LiveConnection, type LiveState } from "../live/live-connection.ts";
import type { CheckedNotification } from "./notification.ts";
import { savedKey } from "./saved.ts";
import { TaskStore } from "./task-store.ts";

/** A tab that nobody looks at lets go of its stream after a while: over plain HTTP a browser has six for all tabs together. */
const hiddenMs = 120_000;

/** The tasks of a user, live for as long as the component is mounted. For another user mount it anew. */
export function useTasks(api: Api, userId: string, onNews: (news: readonly CheckedNotification[]) => void) {
  const [store] = useState(() => new TaskStore({ userId, storage: window.localStorage, onNews }));
  const [liveState, setLiveState] = useState<LiveState>("connecting");
  useEffect(() => {
    const connection = new LiveConnection({
      getToken: (signal) => api.getToken(signal),
      isSignedOut: (error) => error instanceof ApiError && error.problem === "signed-out",
      after: store.position,
      onMessage: (message) => store.take(message),
      onState(state) {
        // What was caught up with is there as soon as the page says that it is live.
        if (state === "live") store.flush();
        setLiveState(state);
      },
    });
    connection.start();
    const stopListening = listenToBrowser(connection, store, userId);
    return () => {
      stopListening();
      connection.stop();
      store.close();
    };
  }, [api, store, userId]);
  return { tasks: useSyncExternalStore(store.subscribe, store.read), liveState, store };
}

function listenToBrowser(connection: LiveConnection, store: TaskStore, userId: string): () => void {
  const listening = new AbortController();
  const { signal } = listening;
  let hiddenTimer: ReturnType<typeof setTimeout> | undefined;
  const onVisibility = () => {
    clearTimeout(hiddenTimer);
    if (document.hidden) {
      hiddenTimer = setTimeout(() => connection.stop(), hiddenMs);
      return;
    }
    connection.start();
    connection.hurry();
  };
  document.addEventListener("visibilitychange", onVisibility, { signal });
  window.addEventListener("online", () => connection.hurry(), { signal });
  window.addEventListener("pagehide", () => store.flush(), { signal });
  // A page that comes back from the browser's cache of pages has lost its stream.
  window.addEventListener("pageshow", () => connection.hurry(), { signal });
  window.addEventListener("storage", (event) => event.key === savedKey(userId) && store.share(event.newValue), {
    signal,
  });
  return () => {
    clearTimeout(hiddenTimer);
    listening.abort();
  };
}
