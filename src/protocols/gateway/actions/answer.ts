import { limits } from "../../../domain/limits.ts";
import type { Session } from "../session.ts";

/** Answers a client's frame; the answer carries the frame's `id`, if it has one. */
export function answer(session: Session, frame: Readonly<Record<string, unknown>>, json: object): void {
  const { id } = frame;
  const hasId = typeof id === "string" && id.length <= limits.gateway.frameIdMaxLength;
  session.reply(hasId ? { ...json, id } : json);
}
