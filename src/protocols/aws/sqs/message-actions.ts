import { authorize } from "../../../domain/auth/authorize.ts";
import { TodokuError } from "../../../domain/errors.ts";
import { limits } from "../../../domain/limits.ts";
import type { Received } from "../../../domain/queues/messages.ts";
import { parseReceiptHandle } from "../../../domain/queues/receipt-handle.ts";
import type { SentMessage } from "../../../domain/queues/sent-message.ts";
import type { SendResult } from "../../../domain/queues/store.ts";
import { md5OfAttributes, md5OfBody } from "../../aws-md5.ts";
import { giveBackUnread } from "../../unread-receives.ts";
import { accountId } from "../call.ts";
import { writableXml } from "../xml.ts";
import type { Action, SqsCall } from "./action.ts";
import { invalidValue, messageNotInflight, receiptHandleIsInvalid, toSqsError, unknownAttribute } from "./errors.ts";
import { type Fields, integer, optionalInteger, optionalText, text, texts } from "./fields.ts";
import { checkBody, selectAttributes, toAttributes, toAttributesJson, toTraceHeader } from "./message-attributes.ts";
import { arnOf } from "./names.ts";
import { queueOf } from "./queue-actions.ts";

const { queue: bounds } = limits;
const secondMs = 1000;
const groupIdForm = /^[!-~]{1,128}$/;

type ReceivedMessage = Received["messages"][number];

/** What a message tells of its way; others that AWS knows are of FIFO queues, and never there. */
const systemAttributes: Readonly<Record<string, (message: ReceivedMessage, region: string) => string | undefined>> = {
  SenderId: ({ sender }) => sender || accountId,
  SentTimestamp: ({ sentAtMs }) => String(sentAtMs),
  ApproximateReceiveCount: ({ receiveCount }) => String(receiveCount),
  ApproximateFirstReceiveTimestamp: ({ firstReceivedAtMs, sentAtMs }) => String(firstReceivedAtMs ?? sentAtMs),
  AWSTraceHeader: ({ traceHeader }) => traceHeader,
  DeadLetterQueueSourceArn: ({ deadLetter }, region) => deadLetter && arnOf(deadLetter.queue, region),
  MessageGroupId: () => undefined,
  MessageDeduplicationId: () => undefined,
  SequenceNumber: () => undefined,
};

export const messageActions: Readonly<Record<string, Action>> = {
  async SendMessage(call) {
    const message = toMessage(call.input);
    const [result] = await call.queueMessages.send(call.principal, queueOf(call), [message]);
    return toSent(message, result);
  },
  async ReceiveMessage(call) {
    const { input, principal, queueMessages, receiver, region, wire } = call;
    const system = toSystemNames(input);
    const waitSeconds = optionalInteger(input, "WaitTimeSeconds", 0, bounds.waitMaxMs / secondMs);
    const request = {
      maxMessages: optionalInteger(input, "MaxNumberOfMessages", 1, bounds.batchMaxMessages) ?? 1,
      waitMs: waitSeconds === undefined ? undefined : waitSeconds * secondMs,
      visibilityMs: visibilityMs(optionalInteger(input, "VisibilityTimeout", 0, bounds.visibilityMs.max / secondMs)),
    };
    const wanted = texts(input, "MessageAttributeNames");
    const received = await queueMessages.receive(principal, queueOf(call), request, receiver);
    giveBackUnread(received, receiver.closed);
    if (received.messages.length === 0) return {};
    const messages = wire === "query" ? received.messages.map(inXml) : received.messages;
    return { Messages: messages.map((message) => toReceived(message, system, wanted, region)) };
  },
  async DeleteMessage(call) {
    const [queue, handle] = [queueOf(call), text(call.input, "ReceiptHandle")];
    checkHandle(call, queue, handle);
    await call.queueMessages.delete(call.principal, queue, [handle]);
  },
  async ChangeMessageVisibility(call) {
    const [queue, change] = [queueOf(call), toVisibilityChange(call.input)];
    checkHandle(call, queue, change.receiptHandle);
    const [outcome] = await call.queueMessages.changeVisibility(call.principal, queue, [change]);
    checkChanged(outcome, change.receiptHandle);
  },
};

/** A message as SendMessage or an entry of a batch has it. @throws AwsError. */
export function toMessage(fields: Fields): SentMessage {
  const body = text(fields, "MessageBody");
  checkBody(body);
  checkGroup(fields);
  const delaySeconds = optionalInteger(fields, "DelaySeconds", 0, bounds.delayMs.max / secondMs);
  return {
    body,
    attributes: toAttributes(fields),
    traceHeader: toTraceHeader(fields),
    delayMs: delaySeconds === undefined ? undefined : delaySeconds * secondMs,
  };
}

/** Groups only say how AWS shares a queue between tenants ("fair queues"): here the queue is served in its order. */
function checkGroup(fields: Fields): void {
  const group = optionalText(fields, "MessageGroupId");
  if (group !== undefined && !groupIdForm.test(group)) {
    throw invalidValue(
      `Value ${group.slice(0, 200)} for parameter MessageGroupId is invalid. Reason: must be 1 to 128 letters, digits and punctuation.`,
    );
  }
  const id = optionalText(fields, "MessageDeduplicationId");
  if (id === undefined) return;
  throw invalidValue(
    "The request includes the parameter MessageDeduplicationId, which is not valid for this queue type: FIFO queues are not offered.",
  );
}

/** @throws AwsError, what became of the message when it was not sent. */
export function toSent(message: SentMessage, result: SendResult | undefined): Fields {
  if (result instanceof TodokuError) throw toSqsError(result);
  const { body, attributes, traceHeader } = message;
  const system = traceHeader === undefined ? undefined : { AWSTraceHeader: { type: "String", value: traceHeader } };
  return {
    MessageId: result?.messageId,
    MD5OfMessageBody: md5OfBody(body),
    MD5OfMessageAttributes: md5OfAttributes(attributes),
    MD5OfMessageSystemAttributes: md5OfAttributes(system),
  };
}

/** As the client will read it: what other doors take may have characters that XML has no way to write, and clients compare the checksums. */
function inXml(message: ReceivedMessage): ReceivedMessage {
  const { body, attributes } = message;
  const entries = Object.entries(attributes ?? {}).map(([name, { type, value }]) => {
    return [writableXml(name), { type: writableXml(type), value: writableXml(value) }] as const;
  });
  return { ...message, body: writableXml(body), attributes: attributes && Object.fromEntries(entries) };
}

function toReceived(
  message: ReceivedMessage,
  system: readonly string[],
  wanted: readonly string[],
  region: string,
): Fields {
  const attributes = selectAttributes(message.attributes, wanted);
  return {
    MessageId: message.messageId,
    ReceiptHandle: message.receiptHandle,
    MD5OfBody: md5OfBody(message.body),
    Body: message.body,
    Attributes: toSystemAttributes(message, system, region),
    MD5OfMessageAttributes: md5OfAttributes(attributes),
    MessageAttributes: attributes && toAttributesJson(attributes),
  };
}

/** Older clients ask for them as AttributeNames. @throws AwsError InvalidAttributeName. */
function toSystemNames(input: Fields): readonly string[] {
  const names = [...texts(input, "AttributeNames"), ...texts(input, "MessageSystemAttributeNames")];
  for (const name of names) if (name !== "All" && !Object.hasOwn(systemAttributes, name)) throw unknownAttribute(name);
  return names.includes("All") ? Object.keys(systemAttributes) : names;
}

function toSystemAttributes(message: ReceivedMessage, names: readonly string[], region: string): Fields | undefined {
  if (names.length === 0) return undefined;
  const attributes: Record<string, string> = {};
  for (const name of names) {
    const value = systemAttributes[name]?.(message, region);
    if (value !== undefined) attributes[name] = value;
  }
  return Object.keys(attributes).length === 0 ? undefined : attributes;
}

function visibilityMs(seconds: number | undefined): number | undefined {
  return seconds === undefined ? undefined : seconds * secondMs;
}

/** As ChangeMessageVisibility or an entry of a batch has it. */
export function toVisibilityChange(fields: Fields) {
  const receiptHandle = text(fields, "ReceiptHandle");
  const seconds = integer(fields, "VisibilityTimeout", 0, bounds.visibilityMs.max / secondMs);
  return { receiptHandle, visibilityMs: seconds * secondMs };
}

/** @throws AwsError: the change did not come to be. */
export function checkChanged(outcome: string | undefined, handle: string): void {
  if (outcome === "done") return;
  if (outcome !== "gone") {
    throw messageNotInflight(
      "The specified message is not in flight: its visibility timeout is over, or it was received again.",
    );
  }
  throw invalidValue(
    `Value ${handle} for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not available for visibility timeout change.`,
  );
}

/** @throws AwsError ReceiptHandleIsInvalid; TodokuError `permission_denied`. A queue that is not there is told by the call that comes next. */
export function checkHandle({ queues, principal }: SqsCall, name: string, handle: string): void {
  authorize(principal, "queue.receive", "", name);
  const queue = queues.known(principal.environment, name);
  if (queue === undefined) return;
  try {
    parseReceiptHandle(queue, handle);
  } catch {
    throw receiptHandleIsInvalid(
      `The input receipt handle is invalid: it is not one that a receive from queue "${name}" gave.`,
    );
  }
}
