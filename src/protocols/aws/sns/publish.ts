import { Buffer } from "node:buffer";
import { toTodokuError } from "../../../domain/errors.ts";
import { snsMessageIdOf } from "../../../domain/event-topics/message-id.ts";
import { limits } from "../../../domain/limits.ts";
import { eventsCache } from "../../../domain/names.ts";
import type { AwsCall } from "../call.ts";
import { AwsError } from "../errors.ts";
import { readList } from "../form.ts";
import type { XmlElements } from "../xml.ts";
import { invalidParameter, toSnsError } from "./errors.ts";
import { optional, required, topicOf } from "./form.ts";
import { readMessage, type SnsInput } from "./message.ts";
import type { SnsOptions } from "./options.ts";

/** To a topic; `TargetArn` is what the articles say. */
export async function publish(options: SnsOptions, call: AwsCall): Promise<XmlElements> {
  const { form, principal } = call;
  if (form.has("PhoneNumber")) throw invalidParameter("PhoneNumber: SMS is not offered");
  const field = form.has("TargetArn") && !form.has("TopicArn") ? "TargetArn" : "TopicArn";
  const topic = topicOf(required(form, field), field);
  options.eventTopics.get(principal, topic, "topic.publish");
  return { MessageId: await send(options, call, topic, readMessage(form, topic)) };
}

async function send({ topics }: SnsOptions, { principal }: AwsCall, topic: string, input: SnsInput): Promise<string> {
  const value = { isText: true, bytes: Buffer.from(input.text) };
  const { position } = await topics.publish(principal, eventsCache, topic, { value, attributes: input.attributes });
  return snsMessageIdOf(principal.environment, topic, position);
}

/** In the order of the entries; what is wrong with one does not stop the others. */
export async function publishBatch(options: SnsOptions, call: AwsCall): Promise<XmlElements> {
  const { form, principal } = call;
  const topic = topicOf(required(form, "TopicArn"), "TopicArn");
  options.eventTopics.get(principal, topic, "topic.publish");
  const entries = readList(form, "PublishBatchRequestEntries.member");
  checkEntries(entries);
  const inputs = entries.map((entry) => readEntry(entry, topic));
  const sizes = inputs.map((input, n) => (input instanceof AwsError ? textBytesOf(entries[n]) : input.bytes));
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  const { messageMaxBytes } = limits.eventTopic;
  if (bytes > messageMaxBytes) {
    throw new AwsError("BatchRequestTooLong", `the messages have ${bytes} bytes; must be <= ${messageMaxBytes}`);
  }
  const results = await Promise.all(inputs.map((input) => sendEntry(options, call, topic, input)));
  const successful: XmlElements[] = [];
  const failed: XmlElements[] = [];
  for (const [n, entry] of entries.entries()) {
    const [result, id] = [results[n], entry.get("Id") ?? ""];
    if (!(result instanceof AwsError)) successful.push({ Id: id, MessageId: result });
    else {
      const { queryCode, message, fault } = result;
      failed.push({ Id: id, Code: queryCode, Message: message, SenderFault: fault === "Sender" });
    }
  }
  return { Successful: { member: successful }, Failed: { member: failed } };
}

function checkEntries(entries: readonly URLSearchParams[]): void {
  const { batchMaxMessages } = limits.eventTopic;
  if (entries.length === 0) throw new AwsError("EmptyBatchRequest", "the batch has no entries");
  if (entries.length > batchMaxMessages) {
    const text = `the batch has ${entries.length} entries; must be <= ${batchMaxMessages}`;
    throw new AwsError("TooManyEntriesInBatchRequest", text);
  }
  const ids = entries.map((entry) => optional(entry, "Id") ?? "");
  const wrong = ids.find((id) => !/^[\w-]{1,80}$/.test(id));
  if (wrong !== undefined) {
    const text = `the Id "${wrong.slice(0, 80)}" must be 1 to 80 of A-Z, a-z, 0-9, _ and -`;
    throw new AwsError("InvalidBatchEntryId", text);
  }
  if (new Set(ids).size < ids.length) throw new AwsError("BatchEntryIdsNotDistinct", "two entries have the same Id");
}

/** Of a message that is refused for something else. */
function textBytesOf(entry: URLSearchParams | undefined): number {
  return Buffer.byteLength(entry?.get("Message") ?? "");
}

function readEntry(entry: URLSearchParams, topic: string): SnsInput | AwsError {
  try {
    return readMessage(entry, topic);
  } catch (error) {
    if (error instanceof AwsError) return error;
    throw error;
  }
}

async function sendEntry(options: SnsOptions, call: AwsCall, topic: string, input: SnsInput | AwsError) {
  if (input instanceof AwsError) return input;
  try {
    return await send(options, call, topic, input);
  } catch (error) {
    const todokuError = toTodokuError(error);
    // No entry could ever be sent: that is said of the call.
    if (["permission_denied", "unauthenticated", "internal"].includes(todokuError.code)) throw error;
    return toSnsError(todokuError);
  }
}
