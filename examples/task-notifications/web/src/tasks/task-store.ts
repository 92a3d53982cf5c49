import type { LiveMessage } from "../live/live-connection.ts";
import { comparePositions, type Position } from "../live/position.ts";
import { type CheckedNotification, readNotification } from "./notification.ts";
import { parseSaved, type Saved, type SavedStorage, save, savedKey } from "./saved.ts";
import { isNews, noTasks, reduceTasks, type Tasks, type TasksEvent } from "./tasks.ts";

export interface TaskStoreOptions {
  readonly userId: string;
  readonly storage: SavedStorage;
  /** Ends of tasks to show, each once; several when they came together. */
  onNews(news: readonly CheckedNotification[]): void;
}

/** What comes within this time is one change of the page, one write to the storage and at most one summary. */
const batchMs = 120;

/** The tasks of one user: fed by the live connection and the form, kept in the browser, read by React. */
export class TaskStore {
  readonly #options: TaskStoreOptions;
  readonly #listeners = new Set<() => void>();
  /** What had been told before this page was opened. */
  readonly #toldBefore: Position | undefined;
  #saved: Saved;
  /** The position that this tab read or wrote last. */
  #ownPosition: Position | undefined;
  #batch: LiveMessage[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: TaskStoreOptions) {
    this.#options = options;
    this.#saved = parseSaved(options.storage.getItem(savedKey(options.userId)));
    this.#toldBefore = this.#saved.toldUntil;
    this.#ownPosition = this.#saved.position;
  }

  /** Where the live connection goes on. */
  get position(): Position | undefined {
    return this.#saved.position;
  }

  /** For `useSyncExternalStore`. */
  readonly read = (): Tasks => this.#saved.tasks;
  /** For `useSyncExternalStore`. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  };

  /** A message of the user's topic. */
  take(message: LiveMessage): void {
    this.#batch.push(message);
    this.#timer ??= setTimeout(() => this.flush(), batchMs);
  }

  addQueued(id: string, text: string): void {
    this.#change({ kind: "queued", id, text, atMs: Date.now() });
  }

  clearFinished(): void {
    this.#change({ kind: "cleared" });
  }

  /** Another tab of the same user has saved `json`. */
  share(json: string | null): void {
    this.#change({ kind: "shared", tasks: parseSaved(json).tasks }, { isSaved: false });
  }

  /** Takes in what waits for the end of its batch. To be called before the page goes away. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batch = this.#batch;
    this.#batch = [];
    const last = batch.at(-1);
    if (!last) return;
    let { tasks } = this.#saved;
    const news: CheckedNotification[] = [];
    for (const message of batch) {
      const notification = message.text === undefined ? undefined : readNotification(message.text, Date.now());
      if (!notification) continue;
      const next = reduceTasks(tasks, { kind: "notified", notification });
      if (!this.#wasTold(message) && isNews(tasks, notification, next)) news.push(notification);
      tasks = next;
    }
    // One write for list, position and what was told: whenever the tab dies, they fit together.
    this.#set({ tasks, position: last.position, toldUntil: last.position }, { isSaved: true });
    if (news.length > 0) this.#options.onNews(news);
  }

  /** Drops what waits: it is not saved, so it comes again at the next start. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#batch = [];
  }

  /** Leaves nothing of the user's tasks in this browser but what keeps old ones from being shown as new at the next sign-in. */
  forget(): void {
    const { toldUntil } = this.#saved;
    this.close();
    this.#set({ tasks: noTasks, position: undefined, toldUntil }, { isSaved: true });
  }

  /** What is older than the connection of a new device was told on another one, if at all. */
  #wasTold({ isOld, position }: LiveMessage): boolean {
    return isOld && (!this.#toldBefore || comparePositions(position, this.#toldBefore) <= 0);
  }

  #change(event: TasksEvent, { isSaved } = { isSaved: true }): void {
    const tasks = reduceTasks(this.#saved.tasks, event);
    if (tasks !== this.#saved.tasks) this.#set({ ...this.#saved, tasks }, { isSaved });
  }

  #set(saved: Saved, { isSaved }: { isSaved: boolean }): void {
    this.#saved = saved;
    if (isSaved && !this.#isBehind()) {
      save(this.#options.storage, this.#options.userId, saved);
      this.#ownPosition = saved.position;
    }
    for (const listener of this.#listeners) listener();
  }

  /** Whether another tab has saved more already; this one will save when it is there too. */
  #isBehind(): boolean {
    const { position } = this.#saved;
    const stored = parseSaved(this.#options.storage.getItem(savedKey(this.#options.userId))).position;
    if (!position || !stored) return false;
    const isOwn = this.#ownPosition !== undefined && comparePositions(stored, this.#ownPosition) === 0;
    return !isOwn && comparePositions(position, stored) < 0;
  }
}
