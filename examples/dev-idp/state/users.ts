import { randomUUID } from "node:crypto";
import { dummyHash, hashPassword, isPassword } from "./passwords.ts";
import { readPrivateFile, writePrivateFile } from "./private-file.ts";

/** Somebody who may sign in. `sub` is what other systems know them by; it never changes. */
export interface User {
  readonly sub: string;
  /** In lower case, and unique. */
  readonly email: string;
  readonly name: string;
  readonly passwordHash: string;
}

/** Password of the demo users. The sign-in page shows it. */
export const demoPassword = "todoku-demo";
export const demoEmails = ["alice@example.com", "bob@example.com"] as const;

/** The users of one data directory, all in memory; each change is in the file before it is told. */
export class Users {
  readonly #path: string;
  readonly #bySub = new Map<string, User>();
  readonly #byEmail = new Map<string, User>();

  private constructor(path: string, users: readonly User[]) {
    this.#path = path;
    for (const user of users) this.#remember(user);
  }

  /** Reads the file, or makes it with the demo users. */
  static async open(path: string): Promise<Users> {
    const text = readPrivateFile(path);
    if (text !== undefined) return new Users(path, parseUsers(path, text));
    const users = new Users(
      path,
      await Promise.all([demoUser(demoEmails[0], "Alice"), demoUser(demoEmails[1], "Bob")]),
    );
    users.#save();
    return users;
  }

  bySub(sub: string): User | undefined {
    return this.#bySub.get(sub);
  }

  has(email: string): boolean {
    return this.#byEmail.has(email);
  }

  /** The user with this password. Takes as long when there is no such user. */
  async authenticate(email: string, password: string): Promise<User | undefined> {
    const user = this.#byEmail.get(email);
    const isRight = await isPassword(password, user?.passwordHash ?? dummyHash);
    return isRight ? user : undefined;
  }

  /** Adds a user; undefined when the address is taken. */
  add(user: Omit<User, "sub">): User | undefined {
    if (this.has(user.email)) return undefined;
    const added = { sub: randomUUID(), ...user };
    this.#remember(added);
    this.#save();
    return added;
  }

  #remember(user: User): void {
    this.#bySub.set(user.sub, user);
    this.#byEmail.set(user.email, user);
  }

  #save(): void {
    writePrivateFile(this.#path, `${JSON.stringify({ users: [...this.#bySub.values()] }, undefined, 2)}\n`);
  }
}

async function demoUser(email: string, name: string): Promise<User> {
  return { sub: randomUUID(), email, name, passwordHash: await hashPassword(demoPassword) };
}

function parseUsers(path: string, text: string): User[] {
  try {
    const { users } = JSON.parse(text) as { users?: unknown };
    if (Array.isArray(users) && users.every(isUser)) return users;
  } catch {
    // The parser's message would quote the file.
  }
  throw new Error(`${path} does not hold users: delete it to have the demo users made anew`);
}

function isUser(value: unknown): value is User {
  const fields = ["sub", "email", "name", "passwordHash"] as const;
  return fields.every((field) => typeof (value as Partial<User> | null)?.[field] === "string");
}
