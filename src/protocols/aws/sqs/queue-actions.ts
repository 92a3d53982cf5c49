import { Buffer } from "node:buffer";
import { TodokuError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import type { Queue } from "../../../domain/queues/queue.ts";
import type { Action, SqsCall } from "./action.ts";
import { invalidValue, queueDoesNotExist, queueNameExists, unsupported } from "./errors.ts";
import { optionalInteger, optionalText, text, textMap, texts } from "./fields.ts";
import { queueOfUrl, urlOf } from "./names.ts";
import { hasSettings, toQueueAttributes, toQueueChanges } from "./queue-attributes.ts";

/** As many as an environment may have. */
const pageMax = limits.queue.perEnvironment;
const nameForm = new RegExp(`^[A-Za-z0-9_-]{1,${limits.queue.nameMaxLength}}$`);

/** What is done with queues; with their messages: message-actions.ts. */
export const queueActions: Readonly<Record<string, Action>> = {
  async CreateQueue({ input, principal, queues, baseUrl }) {
    const name = text(input, "QueueName");
    if (name.endsWith(".fifo")) {
      throw invalidValue(
        `Value ${name.slice(0, 100)} for parameter QueueName is invalid. Reason: FIFO queues are not offered.`,
      );
    }
    const changes = toQueueChanges(textMap(input, "Attributes"));
    const tags = { ...textMap(input, "Tags"), ...textMap(input, "tags") };
    const known = queues.known(principal.environment, name);
    const made = known ? undefined : await queues.create(principal, name, { ...changes, tags }).catch(unlessThere);
    if (!made && !hasSettings(await queues.read(principal, name), changes)) {
      throw queueNameExists(
        `A queue already exists with the same name and a different value for an attribute: queue "${name}".`,
      );
    }
    return { QueueUrl: urlOf(name, baseUrl) };
  },
  async GetQueueUrl({ input, principal, queues, baseUrl }) {
    const name = text(input, "QueueName");
    const { queue } = await queues.read(principal, name);
    return { QueueUrl: urlOf(queue, baseUrl) };
  },
  async ListQueues(call) {
    const prefix = optionalText(call.input, "QueueNamePrefix") ?? "";
    return page(
      call,
      "QueueUrls",
      call.queues.list(call.principal).filter(({ queue }) => queue.startsWith(prefix)),
    );
  },
  async ListDeadLetterSourceQueues(call) {
    const { queues, principal } = call;
    const name = queueOf(call);
    await queues.read(principal, name);
    return page(
      call,
      "queueUrls",
      queues.list(principal).filter(({ deadLetter }) => deadLetter?.queue === name),
      true,
    );
  },
  async GetQueueAttributes(call) {
    const { input, principal, queues, queueMessages, region } = call;
    const queue = await queues.read(principal, queueOf(call));
    const counts = await queueMessages.counts(principal, queue.queue);
    return { Attributes: toQueueAttributes(texts(input, "AttributeNames"), queue, counts, region) };
  },
  async SetQueueAttributes(call) {
    await call.queues.update(call.principal, queueOf(call), toQueueChanges(textMap(call.input, "Attributes")));
  },
  async DeleteQueue(call) {
    await call.queues.delete(call.principal, queueOf(call));
  },
  async PurgeQueue(call) {
    await call.queues.purge(call.principal, queueOf(call));
  },
  async TagQueue(call) {
    await call.queues.update(call.principal, queueOf(call), { tags: textMap(call.input, "Tags") });
  },
  async UntagQueue(call) {
    const tags = Object.fromEntries(texts(call.input, "TagKeys").map((key) => [key, null]));
    await call.queues.update(call.principal, queueOf(call), { tags });
  },
  async ListQueueTags(call) {
    const { tags } = await call.queues.read(call.principal, queueOf(call));
    return { Tags: Object.keys(tags).length === 0 ? undefined : tags };
  },
  async AddPermission() {
    throw unsupported("AddPermission is not offered: the grants of a key say what it may do.");
  },
  async RemovePermission() {
    throw unsupported("RemovePermission is not offered: the grants of a key say what it may do.");
  },
};

/** Somebody else made it in the same moment: all workers of a backend that starts make their queues. */
function unlessThere(error: unknown): undefined {
  if (error instanceof TodokuError && error.code === "already_exists") return;
  throw error;
}

/** The queue that a request names by its URL. @throws AwsError MissingParameter; QueueDoesNotExist when no queue can be called so. */
export function queueOf({ input }: Pick<SqsCall, "input">): string {
  const name = queueOfUrl(text(input, "QueueUrl"));
  if (nameForm.test(name)) return name;
  throw queueDoesNotExist(name);
}

/** A page of queues by name, from behind the one that the token names. AWS answers an empty list of names with none, but an empty one of sources. */
function page({ input, baseUrl }: SqsCall, field: string, queues: readonly Queue[], isEmptyTold = false) {
  const size = optionalInteger(input, "MaxResults", 1, pageMax) ?? pageMax;
  const after = Buffer.from(optionalText(input, "NextToken") ?? "", "base64url").toString();
  const rest = queues.filter(({ queue }) => queue > after);
  const shown = rest.slice(0, size);
  const last = rest.length > size ? shown.at(-1) : undefined;
  const urls = shown.map(({ queue }) => urlOf(queue, baseUrl));
  return {
    [field]: urls.length > 0 || isEmptyTold ? urls : undefined,
    NextToken: last && Buffer.from(last.queue).toString("base64url"),
  };
}
