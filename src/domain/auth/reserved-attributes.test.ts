import { describe, expect, it } from "vitest";
import type { Attributes } from "../attributes.ts";
import { openPrincipal } from "./open-access.ts";
import { type Principal, serverPrincipal } from "./principal.ts";
import { checkQueueAttributes, checkTopicAttributes } from "./reserved-attributes.ts";

const forged: Attributes = { user_id: { type: "String", value: "somebody else" } };
const of = (kind: Principal["kind"]): Principal => ({ ...openPrincipal, kind });

describe("what says who a message is from", () => {
  it.each(["user_id", "timestamp", "source"])("is refused as %s from tokens and users, by its name", (name) => {
    const attributes = { own: { type: "String", value: "x" }, [name]: { type: "String", value: "x" } };
    for (const kind of ["token", "user"] as const) {
      expect(() => checkQueueAttributes(of(kind), "messages", attributes)).toThrow(`attribute "${name}"`);
      expect(() => checkTopicAttributes(of(kind), "events", "messages", attributes)).toThrow(`attribute "${name}"`);
      expect(() => checkTopicAttributes(of(kind), "events", "presence", attributes)).toThrow(`attribute "${name}"`);
    }
  });

  it("is taken from backends and from the server", () => {
    for (const principal of [of("key"), of("open"), serverPrincipal("dev")]) {
      expect(() => checkQueueAttributes(principal, "messages", forged)).not.toThrow();
      expect(() => checkTopicAttributes(principal, "events", "messages", forged)).not.toThrow();
    }
  });

  it("may be any attribute elsewhere", () => {
    expect(() => checkQueueAttributes(of("user"), "orders", forged)).not.toThrow();
    expect(() => checkTopicAttributes(of("user"), "events", "chat", forged)).not.toThrow();
    expect(() => checkTopicAttributes(of("user"), "shop", "messages", forged)).not.toThrow();
    expect(() =>
      checkTopicAttributes(of("user"), "events", "messages", { own: { type: "String", value: "x" } }),
    ).not.toThrow();
  });
});
