import type { ChatMessage } from "../actions/chat-message.ts";
import { nameOfUser, type People } from "./people.ts";

const list = new Intl.ListFormat("en");

/** What is wrong with who is chosen, for the one who chooses; undefined: nothing. */
export function audienceProblem({ push_mode, users = [] }: Omit<ChatMessage, "text">, people: People) {
  if (push_mode !== "MULTICAST") return undefined;
  if (users.length === 0) return "Choose at least one user.";
  return users.some((userId) => people.get(userId)?.isOnline) ? undefined : notThere(users, people);
}

/** To whom a message goes, in sentences. */
export function whereItGoes({ push_mode, users = [] }: Omit<ChatMessage, "text">, people: People): string {
  if (push_mode === "UNICAST") return "It goes to all of your windows.";
  if (push_mode === "BROADCAST") return "It goes to everybody else who is there.";
  const [there, gone] = [true, false].map((isOnline) =>
    users.filter((userId) => (people.get(userId)?.isOnline ?? false) === isOnline),
  ) as [string[], string[]];
  const goes = `It goes to ${list.format(there.map((userId) => nameOfUser(people, userId)))}.`;
  return gone.length === 0 ? goes : `${goes} ${notThere(gone, people)}`;
}

function notThere(users: readonly string[], people: People): string {
  const names = list.format(users.map((userId) => nameOfUser(people, userId)));
  return `${names} ${users.length === 1 ? "is" : "are"} not there.`;
}
