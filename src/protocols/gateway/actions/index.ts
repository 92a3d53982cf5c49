import type { Auth } from "../../../domain/auth/auth.ts";
import type { Presence } from "../../../domain/connections/presence.ts";
import type { Topics } from "../../../domain/topics/topics.ts";
import type { Actions } from "../session.ts";
import { createAuthActions } from "./auth.ts";
import { createPresenceActions } from "./presence.ts";
import { createTopicActions } from "./topics.ts";

/** What the actions of a client's frames work with. */
export interface ActionParts {
  readonly topics: Pick<Topics, "publish" | "subscribe" | "renew">;
  readonly auth: Pick<Auth, "authenticate">;
  readonly presence: Pick<Presence, "of" | "watch">;
}

/** Frames that are not SUMU's: topics, the renewal of a credential, presence. */
export function createActions(parts: ActionParts): Actions {
  const topics = createTopicActions(parts);
  const presence = createPresenceActions(parts);
  const auth = createAuthActions(parts, (session) => {
    topics.renew(session);
    presence.renew(session);
  });
  return { ...topics.actions, ...presence.actions, ...auth };
}
