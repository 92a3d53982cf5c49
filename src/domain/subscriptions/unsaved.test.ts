import { Buffer } from "node:buffer";
import { expect, it } from "vitest";
import { limits } from "../limits.ts";
import { Unsaved } from "./unsaved.ts";

const key = { environment: "dev", id: 1 };

function aDeadLetter(bytes: number) {
  const value = { isText: false, bytes: Buffer.alloc(bytes) };
  const item = { page: 1, sequence: 1, value, attributes: undefined, tokenId: "", publishedAtMs: 1 };
  return { topic: "t", item, reason: "refused", diedAtMs: 1, attempts: 1, error: "", status: 404 } as const;
}

it("dead letters that wait to be stored are bounded in bytes, those that are being stored among them", () => {
  const urgent: boolean[] = [];
  const unsaved = new Unsaved((isUrgent) => urgent.push(isUrgent));
  const half = limits.webhook.saveMaxBytes / 2;
  unsaved.dead(aDeadLetter(half - 1));
  expect([urgent, unsaved.isFull]).toEqual([[false], false]);
  unsaved.dead(aDeadLetter(1));
  expect([urgent, unsaved.isFull]).toEqual([[false, true], false]);
  const taken = unsaved.take(key, undefined);
  unsaved.dead(aDeadLetter(half));
  expect(unsaved.isFull).toBe(true);
  if (taken) unsaved.saved(taken);
  expect(unsaved.isFull).toBe(false);
});
