import { describe, expect, it } from "vitest";
import type { LiveMessage } from "../live/live-connection.ts";
import { aStorage } from "../testing/storage.ts";
import type { CheckedNotification } from "./notification.ts";
import { savedKey } from "./saved.ts";
import { TaskStore } from "./task-store.ts";

/** The page of a user, opened on `storage`. */
function aStore(storage = aStorage(), userId = "alice") {
  const news: CheckedNotification[][] = [];
  const store = new TaskStore({ userId, storage, onNews: (batch) => news.push([...batch]) });
  return {
    store,
    storage,
    toasts: () => news.map((batch) => batch.map(({ taskId, status }) => `${status}:${taskId}`)),
  };
}

function message(sequence: number, taskId: string, status: string, options: Partial<LiveMessage> = {}): LiveMessage {
  const text = JSON.stringify({ type: "task", taskId, status, data: `text of ${taskId}`, attempt: 1 });
  return { position: { page: 1, sequence }, text, isOld: false, ...options };
}

describe("TaskStore", () => {
  it("makes one change and one batch of news of what comes together", async () => {
    const { store, toasts } = aStore();
    const changed = new Promise<void>((resolve) => store.subscribe(resolve));
    for (let i = 1; i <= 5; i++) store.take(message(i, `t-${i}`, "done"));
    expect(store.read().list).toEqual([]);
    await changed;
    expect(store.read().list).toHaveLength(5);
    expect(toasts()).toEqual([["done:t-1", "done:t-2", "done:t-3", "done:t-4", "done:t-5"]]);
  });

  it("tells each end once, also over a reload, and goes on behind it", () => {
    const first = aStore();
    first.store.take(message(1, "a", "working"));
    first.store.take(message(2, "a", "done"));
    first.store.take(message(3, "a", "done"));
    first.store.flush();
    expect(first.toasts()).toEqual([["done:a"]]);
    const second = aStore(first.storage);
    expect(second.store.position).toEqual({ page: 1, sequence: 3 });
    second.store.take(message(4, "a", "done"));
    second.store.flush();
    expect(second.toasts()).toEqual([]);
    expect(second.store.read().list).toHaveLength(1);
  });

  it("loses nothing of what had not been taken in when the tab died", () => {
    const first = aStore();
    first.store.take(message(1, "a", "done"));
    first.store.close();
    const second = aStore(first.storage);
    expect(second.store.position).toBeUndefined();
    second.store.take(message(1, "a", "done"));
    second.store.flush();
    expect(second.toasts()).toEqual([["done:a"]]);
  });

  it("shows no old ends on a new device, in however many batches they come", () => {
    const { store, toasts } = aStore();
    for (let i = 1; i <= 3; i++) {
      store.take(message(i, `t-${i}`, "done", { isOld: true }));
      store.flush();
    }
    store.take(message(4, "t-4", "failed"));
    store.flush();
    expect(toasts()).toEqual([["failed:t-4"]]);
    expect(store.read().list).toHaveLength(4);
  });

  it("keeps no text after signing out, and tells at the next sign-in only what came meanwhile", () => {
    const { store, storage } = aStore();
    store.addQueued("b", "my secret plan");
    store.take(message(1, "a", "done"));
    store.flush();
    store.forget();
    expect(store.read().list).toEqual([]);
    expect(storage.getItem(savedKey("alice"))).not.toContain("text of a");
    expect(storage.getItem(savedKey("alice"))).not.toContain("my secret plan");
    const again = aStore(storage);
    expect(again.store.position).toBeUndefined();
    again.store.take(message(1, "a", "done", { isOld: true }));
    again.store.take(message(2, "c", "done", { isOld: true }));
    again.store.flush();
    expect(again.toasts()).toEqual([["done:c"]]);
    expect(again.store.read().list).toHaveLength(2);
  });

  it("shows nothing of one user to another", () => {
    const { store, storage } = aStore();
    store.take(message(1, "a", "done"));
    store.flush();
    const bob = aStore(storage, "bob");
    expect(bob.store.read().list).toEqual([]);
    expect(bob.store.position).toBeUndefined();
  });

  it("passes over bytes and what is no notification, but not again at the next start", () => {
    const { store, storage, toasts } = aStore();
    store.take({ position: { page: 1, sequence: 1 }, text: undefined, isOld: false });
    store.take({ position: { page: 1, sequence: 2 }, text: "<script>", isOld: false });
    store.flush();
    expect(toasts()).toEqual([]);
    expect(aStore(storage).store.position).toEqual({ page: 1, sequence: 2 });
  });

  it("does not write over what a tab that is further has saved", () => {
    const behind = aStore();
    const ahead = aStore(behind.storage);
    ahead.store.take(message(1, "a", "working"));
    ahead.store.take(message(2, "a", "done"));
    ahead.store.flush();
    behind.store.take(message(1, "a", "working"));
    behind.store.flush();
    expect(aStore(behind.storage).store.position).toEqual({ page: 1, sequence: 2 });
    behind.store.take(message(2, "a", "done"));
    behind.store.flush();
    expect(behind.toasts()).toEqual([["done:a"]]);
  });

  it("saves on when the topic counts anew", () => {
    const { store, storage } = aStore();
    store.take(message(50, "a", "done"));
    store.flush();
    store.take(message(1, "b", "done"));
    store.flush();
    expect(aStore(storage).store.position).toEqual({ page: 1, sequence: 1 });
  });

  it("takes in what another tab has queued or cleared", () => {
    const mine = aStore();
    mine.store.take(message(1, "a", "done"));
    mine.store.flush();
    const theirs = aStore(mine.storage);
    theirs.store.clearFinished();
    theirs.store.addQueued("b", "from there");
    mine.store.share(mine.storage.getItem(savedKey("alice")));
    expect(mine.store.read().list.map(({ id }) => id)).toEqual(["b"]);
  });
});
