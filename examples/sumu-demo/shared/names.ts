/** What the application is made of in Todoku, as `todoku.yaml` has it. The same in every stage: a stage is an environment of its own. */
export const names = {
  /** Its client at the identity provider of `npm start`. */
  application: "sumu-demo",
  messagesQueue: "messages",
  notificationsQueue: "notifications",
  /** In the reserved cache. */
  notificationsTopic: "events/notifications",
  /** The secret that holds the API key with which the backend works. */
  backendSecret: "sumu-demo-backend",
  /** The secret that holds what the webhook signs with. */
  signingSecret: "sumu-demo-signing",
  /** The key that opens these two. */
  bootstrapKey: "sumu-demo-backend-bootstrap",
} as const;

const defaultStage = "dev";

/** The last part of the directory where a stage keeps its key when STATE_DIR does not say. */
export function stateDirName(stage: string): string {
  return `${names.application}${stage === defaultStage ? "" : `-${stage}`}`;
}
