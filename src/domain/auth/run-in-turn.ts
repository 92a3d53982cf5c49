/**
 * `run`, never twice at a time: who calls while it runs gets the next run, which all who wait share. So a run that a caller
 * awaits began after its call.
 */
export function runInTurn(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  return () => {
    next ??= running
      .catch(() => {}) // whoever called that one was told
      .then(() => {
        next = undefined;
        running = run();
        return running;
      });
    return next;
  };
}
