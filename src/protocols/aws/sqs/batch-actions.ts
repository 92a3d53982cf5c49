import { limits } from "../../../domain/limits.ts";
import { messageBytes } from "../../../domain/queues/sent-message.ts";
import { AwsError } from "../errors.ts";
import type { Action } from "./action.ts";
import { batchError } from "./errors.ts";
import { type Fields, lists, optionalText, text } from "./fields.ts";
import { checkChanged, checkHandle, toMessage, toSent, toVisibilityChange } from "./message-actions.ts";
import { queueOf } from "./queue-actions.ts";

const idForm = /^[A-Za-z0-9_-]{1,80}$/;
/** SQS: as much in a batch as in one message. */
const batchMaxBytes = limits.queue.messageMaxBytes.max;

/** Each entry has an outcome of its own: 200 even when all fail. */
export const batchActions: Readonly<Record<string, Action>> = {
  async SendMessageBatch(call) {
    const queue = queueOf(call);
    const batch = new Batch(call.input, toMessage);
    const messages = batch.good.map(({ value }) => value);
    const bytes = messages.reduce((sum, message) => sum + messageBytes(message), 0);
    if (bytes > batchMaxBytes) {
      throw batchError(
        "BatchRequestTooLong",
        `Batch requests cannot be longer than ${batchMaxBytes} bytes. You have sent ${bytes} bytes.`,
      );
    }
    if (messages.length === 0) await call.queues.read(call.principal, queue);
    const results = messages.length === 0 ? [] : await call.queueMessages.send(call.principal, queue, messages);
    return batch.answer((message, n) => toSent(message, results[n]));
  },
  async DeleteMessageBatch(call) {
    const queue = queueOf(call);
    const batch = new Batch(call.input, (fields) => {
      const handle = text(fields, "ReceiptHandle");
      checkHandle(call, queue, handle);
      return handle;
    });
    const handles = batch.good.map(({ value }) => value);
    if (handles.length > 0) await call.queueMessages.delete(call.principal, queue, handles);
    return batch.answer(() => ({}));
  },
  async ChangeMessageVisibilityBatch(call) {
    const queue = queueOf(call);
    const batch = new Batch(call.input, (fields) => {
      const change = toVisibilityChange(fields);
      checkHandle(call, queue, change.receiptHandle);
      return change;
    });
    const changes = batch.good.map(({ value }) => value);
    const outcomes =
      changes.length === 0 ? [] : await call.queueMessages.changeVisibility(call.principal, queue, changes);
    return batch.answer((change, n) => {
      checkChanged(outcomes[n], change.receiptHandle);
      return {};
    });
  },
};

/** The entries of a batch: those that can be read, and what is wrong with the others. */
class Batch<T> {
  readonly good: { readonly id: string; readonly value: T }[] = [];
  readonly #failed: Fields[] = [];

  /** @throws AwsError: something is wrong with the batch as a whole. */
  constructor(input: Fields, read: (entry: Fields) => T) {
    for (const entry of entriesOf(input)) {
      const id = text(entry, "Id");
      try {
        this.good.push({ id, value: read(entry) });
      } catch (error) {
        this.#fail(id, error);
      }
    }
  }

  /** @param answer what is told of the n-th good entry. @throws AwsError that this entry failed. */
  answer(answer: (value: T, n: number) => Fields): Fields {
    const successful: Fields[] = [];
    for (const [n, { id, value }] of this.good.entries()) {
      try {
        successful.push({ Id: id, ...answer(value, n) });
      } catch (error) {
        this.#fail(id, error);
      }
    }
    return { Successful: successful, Failed: this.#failed.length === 0 ? undefined : this.#failed };
  }

  #fail(id: string, error: unknown): void {
    if (!(error instanceof AwsError)) throw error;
    const { queryCode, message, fault } = error;
    this.#failed.push({ Id: id, SenderFault: fault === "Sender", Code: queryCode, Message: message });
  }
}

function entriesOf(input: Fields): readonly Fields[] {
  const entries = lists(input, "Entries");
  const { batchMaxMessages } = limits.queue;
  if (entries.length === 0) throw batchError("EmptyBatchRequest", "There should be at least one entry in the request.");
  if (entries.length > batchMaxMessages) {
    throw batchError(
      "TooManyEntriesInBatchRequest",
      `Maximum number of entries per request are ${batchMaxMessages}. You have sent ${entries.length}.`,
    );
  }
  const ids = new Set<string>();
  for (const entry of entries) {
    const id = optionalText(entry, "Id") ?? "";
    if (!idForm.test(id)) {
      throw batchError(
        "InvalidBatchEntryId",
        `The entry id ${id.slice(0, 100)} is invalid: it must have 1 to 80 of A-Z, a-z, 0-9, - and _.`,
      );
    }
    if (ids.has(id)) throw batchError("BatchEntryIdsNotDistinct", `Id ${id} repeated.`);
    ids.add(id);
  }
  return entries;
}
