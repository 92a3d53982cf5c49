import { z } from "zod";
import { authorize } from "../../../domain/auth/authorize.ts";
import type { Presence, PresenceChange } from "../../../domain/connections/presence.ts";
import { TodokuError, toTodokuError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import { check } from "../../check.ts";
import { textField } from "../../message-fields.ts";
import { toErrorJson } from "../answers.ts";
import type { Actions, Session } from "../session.ts";
import { answer } from "./answer.ts";
import { presenceMessage, toUserJson } from "./presence-frames.ts";

const { watchedUsersMax } = limits.gateway;
const usersField = z.array(textField.min(1).max(limits.userIdMaxLength)).max(watchedUsersMax);
const watchSchema = z.object({ users: usersField.min(1) });
const unwatchSchema = z.object({ users: usersField.optional() });

/** Whom a session watches; each with what ends it. */
type Watches = Map<string, () => void>;

/** Presence over a socket. */
interface PresenceActions {
  readonly actions: Actions;
  /** The session has another credential: whom that may not see is not watched any more. */
  renew(session: Session): void;
}

export function createPresenceActions({
  presence,
}: {
  readonly presence: Pick<Presence, "of" | "watch">;
}): PresenceActions {
  const watched = new Map<Session, Watches>();

  function watchedBy(session: Session): Watches {
    let watches = watched.get(session);
    if (watches) return watches;
    watches = new Map();
    watched.set(session, watches);
    session.onClosed(() => {
      for (const stop of watched.get(session)?.values() ?? []) stop();
      watched.delete(session);
    });
    return watches;
  }

  const actions: Actions = {
    "presence.watch"(session, frame) {
      const users = new Set(check(watchSchema, frame, "the frame").users);
      if (!session.isOpen) return;
      for (const user of users) authorize(session.principal, "presence.watch", "", user);
      const watches = watchedBy(session);
      const added = [...users].filter((user) => !watches.has(user));
      checkCount(watches.size + added.length);
      const { outlet } = session.connection;
      // Like a notification: there is no log behind it to read on from.
      const tell = (change: PresenceChange) => void outlet.deliver(presenceMessage(change));
      for (const user of added) watches.set(user, presence.watch(session.environment, user, tell));
      const states = [...users].map((user) => toUserJson(user, presence.of(session.environment, user)));
      answer(session, frame, { type: "presence.watching", users: states });
    },

    "presence.unwatch"(session, frame) {
      const { users } = check(unwatchSchema, frame, "the frame");
      const watches = watched.get(session);
      const ended = stop(watches, users ?? [...(watches?.keys() ?? [])]);
      answer(session, frame, { type: "presence.unwatched", users: ended });
    },
  };

  return {
    actions,
    renew(session) {
      const watches = watched.get(session);
      for (const user of [...(watches?.keys() ?? [])]) {
        const error = refusal(session, user);
        if (!error) continue;
        const users = stop(watches, [user]);
        session.reply({ type: "presence.unwatched", users, error: toErrorJson(error) });
      }
    },
  };
}

function refusal(session: Session, user: string): TodokuError | undefined {
  try {
    authorize(session.principal, "presence.watch", "", user);
    return undefined;
  } catch (error) {
    return toTodokuError(error);
  }
}

/** Returns those of `users` that were watched. */
function stop(watches: Watches | undefined, users: readonly string[]): readonly string[] {
  return users.filter((user) => {
    watches?.get(user)?.();
    return watches?.delete(user);
  });
}

function checkCount(count: number): void {
  if (count <= watchedUsersMax) return;
  throw new TodokuError(
    "limit_exceeded",
    `request limit: this connection would watch ${count} users; must be <= ${watchedUsersMax}`,
  );
}
