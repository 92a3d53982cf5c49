import type { z } from "zod";
import { languageCodes } from "../shared/catalog.ts";
import type { ChatLine, messages } from "../shared/messages.ts";
import { roomOf, unnamed } from "../shared/names.ts";
import type { Kept, Teller, UserMessage } from "./ports.ts";
import type { Translator } from "./translator.ts";

/**
 * Tells every room a line in the room's language. Nothing is kept but the rooms' own history; a delivery that comes again tells all rooms
 * again, and the pages pass over ids that they know.
 */
export async function translateLine(
  { kept, teller, translator }: { kept: Kept; teller: Teller; translator: Translator },
  { id, userId, content, atMs }: UserMessage<z.output<typeof messages.chat>>,
): Promise<void> {
  const { language, text } = content;
  const name = (await kept.nameOf(userId)) ?? unnamed;
  const line = { id, userId, name, atMs };
  const inRoom = async (room: (typeof languageCodes)[number]): Promise<ChatLine> => {
    if (room === language) return { ...line, text };
    return { ...line, text: await translator.translate(text, language, room), original: { language, text } };
  };
  await Promise.all(languageCodes.map(async (room) => teller.tell(roomOf(room), await inRoom(room))));
}
