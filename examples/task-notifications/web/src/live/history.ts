import type { LiveToken } from "./live-token.ts";
import { formatPosition, type Position, parsePosition } from "./position.ts";

/** A message of the topic. `text` is undefined when it is bytes. */
export interface TopicMessage {
  readonly position: Position;
  readonly text: string | undefined;
}

/** Per call. An answer may hold fewer. */
const messagesPerCall = 500;

/**
 * Messages behind `after`, oldest first, and the position to go on from; none means that there are no more now. The Momento SDKs cannot
 * begin a subscription at an old position, so this is Todoku's own HTTP API.
 * @throws Error
 */
export async function readHistory(
  { endpoint, token, cacheName, topic }: LiveToken,
  after: Position,
  signal: AbortSignal,
): Promise<{ messages: TopicMessage[]; next: Position }> {
  const path = `/v1/topics/${encodeURIComponent(cacheName)}/${encodeURIComponent(topic)}/items`;
  const url = new URL(`${path}?after=${formatPosition(after)}&limit=${messagesPerCall}`, endpoint);
  const response = await fetch(url, { headers: { authorization: `Bearer ${token}` }, cache: "no-store", signal });
  if (!response.ok) throw new Error(`Todoku answered ${response.status}`);
  const answer = (await response.json()) as { items?: unknown; next?: unknown };
  const next = parsePosition(answer.next);
  if (!Array.isArray(answer.items) || !next) throw new Error("Todoku's answer is not a piece of history");
  return { messages: answer.items.map(toMessage), next };
}

function toMessage(item: { position?: unknown; text?: unknown } | null): TopicMessage {
  const position = parsePosition(item?.position);
  if (!position) throw new Error("an item of Todoku's history has no position");
  return { position, text: typeof item?.text === "string" ? item.text : undefined };
}
