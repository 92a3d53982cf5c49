import { expect, it } from "vitest";
import { readMessage } from "./message.ts";

function read(type: string, value: string) {
  const attribute = { Name: "n", "Value.DataType": type, "Value.StringValue": value };
  const fields = Object.entries(attribute).map(([name, text]) => [`MessageAttributes.entry.1.${name}`, text]);
  return readMessage(new URLSearchParams([["Message", "m"], ...fields]), "orders").attributes;
}

it.each(["0", "-1.5", "+.5", "7.", "1e3", "1.25E-100"])("takes the number %s", (value) => {
  expect(read("Number", value)).toEqual({ n: { type: "Number", value } });
});

it("refuses in no time what begins like a number and is as long as a request may be", () => {
  const startMs = performance.now();
  for (const end of ["x", ".x", "ex", ".5.", "e"]) {
    expect(() => read("Number", "1".repeat(1_000_000) + end)).toThrow("is no number");
  }
  // A form that tries each split of the digits takes hours.
  expect(performance.now() - startMs).toBeLessThan(2000);
});
