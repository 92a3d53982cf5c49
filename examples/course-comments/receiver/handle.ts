import type { Logger } from "pino";
import { messages } from "../shared/messages.ts";
import type { Kind } from "../shared/names.ts";
import { translateLine } from "./chat.ts";
import { keepComment } from "./comments.ts";
import type { Kept, Teller, UserMessage } from "./ports.ts";
import type { Translator } from "./translator.ts";
import type { Turns } from "./turns.ts";
import type { Delivery } from "./verify.ts";
import { countVote } from "./votes.ts";

/** What the receiver works with. */
export interface Tools {
  readonly kept: Kept;
  readonly teller: Teller;
  readonly translator: Translator;
  readonly turns: Turns;
  readonly log: Pick<Logger, "info">;
}

/** By what is published. */
const handlers = {
  comment: keepComment,
  vote: countVote,
  chat: translateLine,
} as const;

/**
 * Does what a verified delivery asks for. A message that no page of ours would write is passed over: its user would else fill the dead
 * letters, which are for what somebody has to look at. Throws when it has to be delivered again.
 */
export async function handleDelivery(
  tools: Tools,
  kind: Kind,
  { webhookId, isTest, payload }: Delivery,
): Promise<void> {
  if (isTest) return;
  const { token_id: userId, text, event_timestamp: atMs, topic_sequence_number: sequence } = payload;
  const content = parseContent(kind, text);
  if (userId === "" || content === undefined) {
    tools.log.info({ kind, webhookId, hasUser: userId !== "" }, "passed over: no message of a user");
    return;
  }
  const id = "key" in content && content.key !== undefined ? idOf(userId, content.key) : webhookId;
  // The type of a handler's content and the schema of its kind have the same name; TypeScript does not see that.
  const handle = handlers[kind] as (tools: Tools, message: UserMessage<unknown>) => Promise<void>;
  await handle(tools, { id, userId, content, atMs, sequence });
}

function parseContent(kind: Kind, text: string | undefined) {
  if (text === undefined) return undefined;
  try {
    return messages[kind].safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** A key is its user's own: nobody can take another's place in the list with it. A UUID has no slash, so no two of these are the same by chance. */
function idOf(userId: string, key: string): string {
  return `${userId}/${key}`;
}
