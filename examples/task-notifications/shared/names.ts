/** What the application is made of in Todoku; each stage has its own. */
export interface ResourceNames {
  readonly cache: string;
  readonly taskQueue: string;
  readonly deadLetterQueue: string;
}

/** The stage whose names carry no suffix. */
export const defaultStage = "dev";

/** Every name ends in the stage, so that feature branches can share one Todoku: `tasks-FEAT-ABP-1734`. */
export function resourceNames(stage: string): ResourceNames {
  const suffix = stageSuffix(stage);
  return {
    cache: `notifications${suffix}`,
    taskQueue: `tasks${suffix}`,
    deadLetterQueue: `tasks-dead${suffix}`,
  };
}

/** Where a stage keeps its keys and cursors when STATE_DIR does not say. */
export function defaultStateDir(stage: string): string {
  return `.todoku/task-notifications${stageSuffix(stage)}`;
}

function stageSuffix(stage: string): string {
  return stage === defaultStage ? "" : `-${stage}`;
}
