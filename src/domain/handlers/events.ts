import type { Attributes } from "../attributes.ts";
import { md5OfAttributes, md5OfBody } from "../aws-md5.ts";
import { accountId, defaultRegion, queueArnOf } from "../event-topics/arns.ts";
import type { Received } from "../queues/messages.ts";

/** A message that was received from a queue. */
export type QueueRecord = Received["messages"][number];

/** What a function gets of a queue: one record for each message, as Lambda's own poller of SQS writes them. JSON text. */
export function queueEvent(queue: string, messages: readonly QueueRecord[]): string {
  return `{"Records":[${messages.map((message) => queueRecord(queue, message)).join(",")}]}`;
}

/** One of the `Records`, as JSON text: an event that would be too large is split between two of them. */
export function queueRecord(queue: string, message: QueueRecord): string {
  const { messageId, receiptHandle, body, attributes } = message;
  const digest = md5OfAttributes(attributes);
  return JSON.stringify({
    messageId,
    receiptHandle,
    body,
    attributes: systemAttributes(message),
    messageAttributes: messageAttributes(attributes ?? {}),
    md5OfBody: md5OfBody(body),
    ...(digest !== undefined && { md5OfMessageAttributes: digest }),
    eventSource: "aws:sqs",
    eventSourceARN: queueArnOf(defaultRegion, queue),
    awsRegion: defaultRegion,
  });
}

function systemAttributes({ receiveCount, sentAtMs, firstReceivedAtMs, sender, traceHeader, deadLetter }: QueueRecord) {
  return {
    ApproximateReceiveCount: String(receiveCount),
    SentTimestamp: String(sentAtMs),
    // Of what the server itself sent there is none, and AWS's has always one.
    SenderId: sender || accountId,
    ApproximateFirstReceiveTimestamp: String(firstReceivedAtMs ?? sentAtMs),
    ...(traceHeader !== undefined && { AWSTraceHeader: traceHeader }),
    ...(deadLetter && { DeadLetterQueueSourceArn: queueArnOf(defaultRegion, deadLetter.queue) }),
  };
}

function messageAttributes(attributes: Attributes) {
  const entries = Object.entries(attributes).map(([name, { type, value }]) => {
    const isBinary = type === "Binary" || type.startsWith("Binary.");
    const given = isBinary ? { binaryValue: value } : { stringValue: value };
    return [name, { ...given, stringListValues: [], binaryListValues: [], dataType: type }];
  });
  return Object.fromEntries(entries);
}
