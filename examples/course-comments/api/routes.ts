import type { Context } from "hono";
import type { Logger } from "pino";
import { unavailable } from "../../task-notifications/api/api-error.ts";
import type { Authorizer, User } from "../../task-notifications/api/authorizer.ts";
import type { ApiEnvironment } from "../../task-notifications/api/headers.ts";
import type { RateLimit } from "../../task-notifications/api/rate-limit.ts";
import { countBallots, parseBallots } from "../shared/ballots.ts";
import type { Caches } from "../shared/caches.ts";
import { type KeptComment, parseComment } from "../shared/kept-comment.ts";
import { nameOf, names } from "../shared/names.ts";
import type { Tokens } from "./tokens.ts";
import { displayNameOf, userIdOf } from "./users.ts";
import { viewOf } from "./views.ts";

/** What the API's answers are made of. */
export interface RouteOptions {
  readonly authorizer: Authorizer;
  readonly rateLimit: RateLimit;
  readonly tokens: Tokens;
  readonly caches: Caches;
  /** Where a browser finds Todoku. */
  readonly todokuPublicUrl: string;
  readonly log: Pick<Logger, "error">;
}

type Answer = (context: Context<ApiEnvironment>, user: User) => Promise<object>;

/** JSON for signed-in users; 503 when Todoku cannot be asked. */
function forUsers({ authorizer, rateLimit, log }: RouteOptions, answer: Answer) {
  return async (context: Context<ApiEnvironment>) => {
    const user = await authorizer.authorize(context.req.header("authorization"));
    rateLimit.take(user.sub);
    // A view that does not exist is the caller's mistake: it is looked up before Todoku is asked.
    viewOf(context.req.param("view") ?? "", context.req.param("id") ?? "");
    const json = await answer(context, user).catch((error: unknown) => {
      log.error({ path: context.req.path, err: error }, "Todoku did not help");
      throw unavailable("This cannot be answered now; try again", 2);
    });
    return context.json(json);
  };
}

/** `GET /token/:view/:id`: what the caller needs to publish and to follow what that view shows, and nothing else. */
export function getToken(options: RouteOptions) {
  const { tokens, caches, todokuPublicUrl } = options;
  return forUsers(options, async (context, user) => {
    const userId = userIdOf(user);
    const view = viewOf(context.req.param("view") ?? "", context.req.param("id") ?? "");
    // Who has a token can write, and the receiver finds the author's name by the token id: it is there before the token is.
    await caches.set(nameOf(userId), displayNameOf(user));
    const issued = await tokens.issue(userId, view);
    return { endpoint: todokuPublicUrl, cacheName: names.cache, userId, ...view, ...issued };
  });
}

/** `GET /items/comments/:id`: the comments of a course, the newest first. `GET /items/poll/:id`: how it stands, and the caller's own vote. */
export function getItems(options: RouteOptions) {
  const { caches } = options;
  return forUsers(options, async (context, user) => {
    const view = context.req.param("view") ?? "";
    const { topic } = viewOf(view, context.req.param("id") ?? "");
    if (view === "comments") return { comments: await readComments(caches, topic) };
    if (view !== "poll") return {}; // what was said in a room is in the history of its topic
    const ballots = parseBallots(await caches.get(topic));
    const mine = ballots.votes[userIdOf(user)]?.option;
    return { ...countBallots(ballots), ...(mine === undefined ? {} : { mine }) };
  });
}

/** Under the names that their authors have today, as far as they are known. */
async function readComments(caches: Caches, list: string): Promise<KeptComment[]> {
  const kept = new Map<string, KeptComment>();
  for (const text of await caches.list(list)) {
    const comment = parseComment(text);
    if (comment) kept.set(comment.id, comment);
  }
  const userIds = [...new Set([...kept.values()].map(({ userId }) => userId))];
  const found = await Promise.all(userIds.map(async (userId) => [userId, await caches.nameOf(userId)] as const));
  const authors = new Map(found);
  return [...kept.values()].map((comment) => ({ ...comment, name: authors.get(comment.userId) ?? comment.name }));
}
