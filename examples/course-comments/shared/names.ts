/** What the application is made of in Todoku, as `todoku.yaml` has it. The same in every stage: a stage is an environment of its own. */
export const names = {
  cache: "course-comments",
  /** Topics on which signed-in users publish. Each has a webhook that calls the receiver. */
  topics: { comment: "comment", vote: "vote", chat: "chat" },
  /** Secrets that hold the API keys with which the processes work. */
  apiSecret: "course-comments-api",
  receiverSecret: "course-comments-receiver",
} as const;

/** Something that users publish, and for which the receiver is called. Webhook and path have its name too. */
export type Kind = keyof typeof names.topics;

export const kinds = Object.keys(names.topics) as Kind[];

/** The secret that holds what the webhook of this kind signs with. */
export const signingSecret = (kind: Kind) => `course-comments-signing-${kind}`;

/** Where what is kept lies in the cache, and on which topic pages hear of it: one name for both. */
export const commentsOf = (courseId: string) => `comments/${courseId}`;
export const countsOf = (pollId: string) => `poll/${pollId}`;
export const roomOf = (language: string) => `room/${language}`;
/** In the cache: what a user is called. */
export const nameOf = (userId: string) => `name/${userId}`;
/** Who has no name, or one that the cache has forgotten. */
export const unnamed = "Somebody";

const defaultStage = "dev";

/** The last part of the directory where a stage keeps its keys when STATE_DIR does not say. */
export function stateDirName(stage: string): string {
  return `course-comments${stage === defaultStage ? "" : `-${stage}`}`;
}
