import { Buffer } from "node:buffer";
import { expect, it } from "vitest";
import { limits } from "../limits.ts";
import { Unsaved, type Urgency } from "./unsaved.ts";

const key = { environment: "dev", id: 1 };

function aDeadLetter(bytes: number) {
  const value = { isText: false, bytes: Buffer.alloc(bytes) };
  const item = { page: 1, sequence: 1, value, attributes: undefined, tokenId: "", publishedAtMs: 1 };
  return { topic: "t", item, reason: "refused", diedAtMs: 1, attempts: 1, error: "", status: 404 } as const;
}

it("dead letters that wait to be stored are bounded in bytes, those that are being stored among them", () => {
  const urgencies: Urgency[] = [];
  const unsaved = new Unsaved((urgency) => urgencies.push(urgency));
  const half = limits.webhook.saveMaxBytes / 2;
  unsaved.dead(aDeadLetter(half - 1));
  expect([urgencies, unsaved.isFull]).toEqual([["soon"], false]);
  unsaved.dead(aDeadLetter(1));
  expect([urgencies, unsaved.isFull]).toEqual([["soon", "now"], false]);
  const taken = unsaved.take(key, undefined);
  unsaved.dead(aDeadLetter(half));
  expect(unsaved.isFull).toBe(true);
  if (taken) unsaved.saved(taken);
  expect(unsaved.isFull).toBe(false);
});

it("items that are passed over are stored by and by, a thousand at once", () => {
  const urgencies: Urgency[] = [];
  const unsaved = new Unsaved((urgency) => urgencies.push(urgency));
  unsaved.passed(limits.subscription.passedPerTurn - 1);
  unsaved.passed(1);
  expect(urgencies).toEqual(["later", "soon"]);
  const cursor = { key: { cache: { environment: "dev", cache: "c", cacheId: 1 }, topic: "t" }, ...at(7), pending: [] };
  expect(unsaved.take(key, cursor)).toMatchObject({ key, cursor, deliveries: [], failures: [] });
  unsaved.passed(1);
  expect(urgencies).toEqual(["later", "soon", "later"]);
});

function at(sequence: number) {
  return { position: { page: 1, sequence } };
}
