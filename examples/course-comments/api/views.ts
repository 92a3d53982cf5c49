import { ApiError } from "../../task-notifications/api/api-error.ts";
import { courses, languageCodes, poll } from "../shared/catalog.ts";
import { commentsOf, countsOf, names, roomOf } from "../shared/names.ts";

/** What a page shows: the topic that it publishes on, and the one that it follows. */
export interface View {
  readonly publishTopic: string;
  readonly topic: string;
}

/** By the name of the view: what there is of it, and its topics. */
const views: Readonly<Record<string, { readonly ids: readonly string[]; of(id: string): View }>> = {
  comments: {
    ids: courses.map(({ id }) => id),
    of: (id) => ({ publishTopic: names.topics.comment, topic: commentsOf(id) }),
  },
  poll: { ids: [poll.id], of: (id) => ({ publishTopic: names.topics.vote, topic: countsOf(id) }) },
  chat: { ids: languageCodes, of: (id) => ({ publishTopic: names.topics.chat, topic: roomOf(id) }) },
};

/** @throws ApiError 404. */
export function viewOf(name: string, id: string): View {
  const view = Object.hasOwn(views, name) ? views[name] : undefined;
  if (!view?.ids.includes(id)) throw new ApiError(404, "Not found");
  return view.of(id);
}
