import { expect, it, onTestFinished, vi } from "vitest";
import { addressOf, parsePlace } from "./use-place.ts";

it.each(["#comments/kanji", "#poll", "#chat/ja"])("leads from the address %s to a place and back", (address) => {
  expect(addressOf(parsePlace(address))).toBe(address);
});

it.each(["", "#", "#comments", "#comments/other", "#nothing", "#constructor"])(
  "leads from %j, which is no place, to the first course",
  (address) => {
    expect(parsePlace(address)).toEqual({ view: "comments", courseId: "bread" });
  },
);

it.each([
  ["fr-CA", "fr"],
  ["pt", "en"],
])("leads to the room of the browser's language when there is no such room: %s", (language, room) => {
  vi.stubGlobal("navigator", { language });
  onTestFinished(() => void vi.unstubAllGlobals());
  expect(parsePlace("#chat/xx")).toEqual({ view: "chat", language: room });
});
