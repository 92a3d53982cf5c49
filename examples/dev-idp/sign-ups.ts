import { randomBytes } from "node:crypto";
import { limits } from "./limits.ts";
import type { Outbox } from "./outbox.ts";
import { hashPassword } from "./state/passwords.ts";
import type { Users } from "./state/users.ts";

/** What somebody typed into the sign-up form, checked by {@link checkSignUp}. */
export interface SignUp {
  readonly email: string;
  readonly name: string;
  readonly password: string;
}

interface Pending {
  readonly email: string;
  readonly name: string;
  readonly passwordHash: string;
  readonly interactionUid: string;
  readonly endMs: number;
}

/** E-mail addresses are compared in this form. Cut, so that it can be the key of a bounded map. */
export function normalizeEmail(text: string): string {
  return text
    .trim()
    .toLowerCase()
    .slice(0, limits.emailMaxLength + 1);
}

/** What is wrong with each field, in words for the person at the form; empty when nothing is. */
export function checkSignUp({ email, name, password }: SignUp): Partial<Record<keyof SignUp, string>> {
  const { emailMaxLength, nameMaxLength, passwordMinLength, passwordMaxLength } = limits;
  const isEmail = /^[^\s@<>",;\p{Cc}]+@[^\s@<>",;.\p{Cc}]+(\.[^\s@<>",;.\p{Cc}]+)+$/u.test(email);
  const isName = name.length >= 1 && name.length <= nameMaxLength && !/\p{Cc}/u.test(name);
  const isPassword = password.length >= passwordMinLength && password.length <= passwordMaxLength;
  return {
    ...(isName ? {} : { name: `Give a name of 1 to ${nameMaxLength} characters.` }),
    ...(isEmail && email.length <= emailMaxLength ? {} : { email: "Give an e-mail address, such as you@example.com." }),
    ...(isPassword
      ? {}
      : { password: `Choose a password of ${passwordMinLength} to ${passwordMaxLength} characters.` }),
  };
}

/** Accounts to be: each exists once its link was opened. Kept in memory, like the mails that lead to them. */
export class SignUps {
  readonly #pending = new Map<string, Pending>();
  readonly #users: Users;
  readonly #outbox: Outbox;
  readonly #issuer: string;
  readonly #nowMs: () => number;

  constructor(users: Users, outbox: Outbox, issuer: string, nowMs: () => number = () => performance.now()) {
    this.#users = users;
    this.#outbox = outbox;
    this.#issuer = issuer;
    this.#nowMs = nowMs;
  }

  /** Sends a mail. Whether the address is known shows only in the mail: the work and the answer are the same. */
  async request({ email, name, password }: SignUp, interactionUid: string): Promise<void> {
    const passwordHash = await hashPassword(password);
    if (this.#users.has(email)) {
      this.#outbox.send({
        to: email,
        subject: "You have an account already",
        text: "Somebody, probably you, asked for an account with this address. There is one already: sign in with its password. Nothing has changed.",
        link: undefined,
      });
      return;
    }
    const token = randomBytes(32).toString("base64url");
    this.#pending.set(token, { email, name, passwordHash, interactionUid, endMs: this.#nowMs() + limits.linkLifeMs });
    if (this.#pending.size > limits.signUpsMaxCount) this.#dropOldest();
    this.#outbox.send({
      to: email,
      subject: "Confirm your e-mail address",
      text: "Open this link within an hour to make your account. If it was not you who asked for it, do nothing.",
      link: `${this.#issuer}/confirm?token=${token}`,
    });
  }

  /** Makes the account; undefined when the link is unknown, used or too old. A link works once. */
  confirm(token: string): { interactionUid: string } | undefined {
    const pending = this.#pending.get(token);
    this.#pending.delete(token);
    if (pending === undefined || pending.endMs <= this.#nowMs()) return undefined;
    const { email, name, passwordHash, interactionUid } = pending;
    return this.#users.add({ email, name, passwordHash }) && { interactionUid };
  }

  #dropOldest(): void {
    for (const token of this.#pending.keys()) {
      this.#pending.delete(token);
      break;
    }
  }
}
