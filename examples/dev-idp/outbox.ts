import { limits } from "./limits.ts";

/** A mail that was never sent. */
export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** What the mail asks to open. */
  readonly link: string | undefined;
  readonly atMs: number;
}

/** Stands for the mail server, which does not exist offline: keeps the newest mails in memory. */
export class Outbox {
  readonly #mails: Mail[] = [];
  readonly #log: (line: string) => void;

  constructor(log: (line: string) => void) {
    this.#log = log;
  }

  /** Newest first. */
  get mails(): readonly Mail[] {
    return this.#mails;
  }

  send(mail: Omit<Mail, "atMs">): void {
    this.#mails.unshift({ ...mail, atMs: Date.now() });
    this.#mails.length = Math.min(this.#mails.length, limits.outboxMaxMails);
    // Without the link: whoever reads a log must not be able to confirm an address.
    this.#log(`mail to ${mail.to}: ${mail.subject} (read it in the outbox)`);
  }
}
