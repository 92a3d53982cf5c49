import { describe, expect, it } from "vitest";
import { TodokuError } from "../../domain/errors.ts";
import { readCredential } from "./credential.ts";

const read = (headers: Record<string, string>, protocols: string[] = [], query = "") =>
  readCredential(headers, protocols, new URLSearchParams(query));

describe("the credential of a handshake", () => {
  it.each([
    [{ authorization: "Bearer abc" }, [], ""],
    [{ authorization: "bearer  abc" }, [], ""],
    [{}, ["todoku.v1", "bearer.abc"], ""],
    [{}, ["sumu", "bearer.abc"], ""],
    [{}, [], "?authorization=abc"],
    [{}, [], "?authorization=Bearer%20abc"],
    [{}, [], "?token=abc&user=alice"],
  ])("is found in %j, %j, %j, without the word Bearer (B2)", (headers, protocols, query) => {
    expect(read(headers, protocols, query)).toEqual({ credential: "abc" });
  });

  it("may be a ticket, or not be there", () => {
    expect(read({}, [], "?ticket=t")).toEqual({ ticket: "t" });
    expect(read({}, ["todoku.v1"])).toEqual({ credential: "" });
  });

  it.each([
    [{ authorization: "Bearer abc" }, ["bearer.abc"], ""],
    [{ authorization: "Bearer abc" }, [], "?token=abc"],
    [{}, ["bearer.a", "bearer.b"], ""],
    [{}, [], "?token=abc&authorization=abc"],
    [{}, [], "?token=abc&token=abc"],
    [{}, [], "?token=abc&ticket=t"],
    [{}, [], "?ticket=t&ticket=t"],
  ])("must not be there twice: %j, %j, %j", (headers, protocols, query) => {
    const error = (() => {
      try {
        return read(headers, protocols, query);
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ code: "invalid_argument", message: "there must be one credential at most" });
  });

  it.each([
    [{ authorization: "Basic c2VjcmV0" }, [], ""],
    [{ authorization: "Bearer " }, [], ""],
    [{}, ["bearer."], ""],
    [{}, [], "?token="],
    [{}, [], "?authorization="],
  ])(
    "that is empty, or in another form, is refused without being repeated: %j, %j, %j",
    (headers, protocols, query) => {
      expect(() => read(headers, protocols, query)).toThrow(TodokuError);
      expect(() => read(headers, protocols, query)).not.toThrow(/c2VjcmV0/);
    },
  );
});
