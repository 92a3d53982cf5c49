import type { Received } from "../domain/queues/messages.ts";

/** For a receive whose client leaves before it has the whole answer. When this fails the messages come back by themselves: their visibility ends. */
export function giveBackUnread(received: Received, closed: AbortSignal): void {
  if (received.messages.length === 0) return;
  const giveBack = () => void received.giveBack().catch(() => {});
  if (closed.aborted) giveBack();
  else closed.addEventListener("abort", giveBack, { once: true });
}
