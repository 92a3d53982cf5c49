import { watchClient } from "../../lib/client-presence.ts";
import type { HttpContext } from "./operation.ts";
import type { HttpParts } from "./options.ts";

/**
 * Runs `wait` with a signal that is aborted after `waitMs`, or when the client leaves: while it waits, and before it has the whole answer. The time
 * counts for nothing any more once `wait` has answered.
 */
export async function waitFor<T>(
  { env: { incoming, outgoing } }: HttpContext,
  { wheel, isDraining }: Pick<HttpParts, "wheel" | "isDraining">,
  waitMs: number,
  wait: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { closed } = watchClient(incoming, outgoing);
  const end = new AbortController();
  const deadline = waitMs > 0 && !isDraining?.() ? wheel.schedule(waitMs, () => end.abort()) : undefined;
  if (!deadline) end.abort();
  try {
    return await wait(AbortSignal.any([closed, end.signal]));
  } finally {
    deadline?.cancel();
  }
}
