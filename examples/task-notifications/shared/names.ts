/** What the application is made of in Todoku, as `todoku.yaml` has it. The same in every stage: a stage is an environment of its own. */
export const names = {
  cache: "notifications",
  taskQueue: "tasks",
  deadLetterQueue: "tasks-dead",
  /** Secrets that hold the API keys with which the processes work. */
  apiSecret: "task-notifications-api",
  workerSecret: "task-notifications-worker",
  /** The secret that holds a third party's key; stages may share it. */
  receiptSecret: "receipt-signing",
} as const;

/** The stage, and so the environment, when nobody says another. */
export const defaultStage = "dev";

/** Where a stage keeps its keys and cursors when STATE_DIR does not say. */
export function defaultStateDir(stage: string): string {
  return `.todoku/${stateDirName(stage)}`;
}

/** The last part of it. */
export function stateDirName(stage: string): string {
  return `task-notifications${stage === defaultStage ? "" : `-${stage}`}`;
}
