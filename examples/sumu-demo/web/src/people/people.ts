/** Somebody whom the page has heard of. */
export interface Person {
  readonly userId: string;
  /** Undefined: the id stands for it. */
  readonly name: string | undefined;
  readonly isOnline: boolean;
  /** Of the last presence that counted; 0: none yet. */
  readonly seq: number;
  /** Since when, in milliseconds of Todoku's clock. */
  readonly atMs: number;
}

/** By id. Those who went are kept: what comes late about them is then known to be old. */
export type People = ReadonlyMap<string, Person>;

export const nobody: People = new Map();

/** A `connected_users` message: who is in it is there, who is not has gone. */
export function withConnectedUsers(people: People, message: unknown): People {
  const listed = listOf(message);
  if (!listed) return people;
  const next = new Map<string, Person>();
  for (const [userId, person] of people) next.set(userId, { ...person, isOnline: false });
  for (const { userId, name, atMs } of listed) {
    const known = people.get(userId);
    // The list was made before somebody went of whom we have heard already.
    const isOld = known !== undefined && !known.isOnline && known.atMs > atMs;
    if (!isOld) next.set(userId, { userId, name: name ?? known?.name, isOnline: true, seq: known?.seq ?? 0, atMs });
  }
  return next;
}

/** A `presence` message. The same people when it is older than what is known: presence may come twice, late, or out of order. */
export function withPresence(people: People, message: unknown): People {
  if (!isObject(message)) return people;
  const { user_id: userId, status, seq, timestamp, name } = message;
  if (typeof userId !== "string" || typeof seq !== "number" || typeof timestamp !== "number") return people;
  if (status !== "ONLINE" && status !== "OFFLINE") return people;
  const known = people.get(userId);
  const atMs = timestamp * 1000;
  if (known && (seq <= known.seq || (known.seq === 0 && atMs < known.atMs))) return people;
  const person = { userId, name: textOr(name, known?.name), isOnline: status === "ONLINE", seq, atMs };
  return new Map(people).set(userId, person);
}

/** Those who are there, by what they are called. */
export function connected(people: People): readonly Person[] {
  return [...people.values()].filter(({ isOnline }) => isOnline).sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
}

export function without(people: People, userId: string): People {
  return new Map([...people].filter(([id]) => id !== userId));
}

/** What somebody is called who is known by id. */
export function nameOfUser(people: People, userId: string): string {
  return people.get(userId)?.name ?? userId;
}

export function nameOf({ name, userId }: Pick<Person, "name" | "userId">): string {
  return name ?? userId;
}

/** `people` has names and times; `users`, the ids alone, is what the article's backend sends. */
function listOf(message: unknown): Pick<Person, "userId" | "name" | "atMs">[] | undefined {
  if (!isObject(message)) return undefined;
  const { people, users } = message;
  if (Array.isArray(people)) {
    return people.filter(isObject).flatMap(({ user_id: userId, since, name }) => {
      if (typeof userId !== "string" || typeof since !== "number") return [];
      return [{ userId, name: textOr(name, undefined), atMs: since }];
    });
  }
  if (!Array.isArray(users)) return undefined;
  const ids = users.filter((userId) => typeof userId === "string");
  return ids.map((userId) => ({ userId, name: undefined, atMs: 0 }));
}

const textOr = (value: unknown, other: string | undefined) =>
  typeof value === "string" && value !== "" ? value : other;

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
