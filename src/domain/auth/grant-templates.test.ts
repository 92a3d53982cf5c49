import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isAllowed } from "./authorize.ts";
import {
  compileTemplates,
  defaultTemplates,
  type GrantTemplates,
  problemOfNameTemplate,
  problemOfTopicTemplate,
} from "./grant-templates.ts";
import { openPrincipal } from "./open-access.ts";
import type { Principal } from "./principal.ts";

const none: GrantTemplates = { subscribe: [], publish: [], routes: [], watch: [] };
const grantsOf = (templates: Partial<GrantTemplates>, claims: Record<string, unknown>, max = 100) =>
  compileTemplates({ ...none, ...templates })(claims, max);
const who = (templates: Partial<GrantTemplates>, claims: Record<string, unknown>): Principal => {
  return { ...openPrincipal, kind: "user", isSuperUser: false, grants: grantsOf(templates, claims) ?? [] };
};

describe("templates", () => {
  it("give by default one's own topic, and the routes of the application", () => {
    expect(compileTemplates(defaultTemplates)({ sub: "u" }, 10)).toEqual([
      { resource: "topic", role: "subscribe", cache: { name: "notifications" }, topic: { name: "u" } },
      { resource: "route", role: "invoke", route: { name: "publish" } },
      { resource: "route", role: "invoke", route: { name: "send" } },
    ]);
  });

  it("put claims in, one grant for each member of a list, and none where the claim is missing", () => {
    const templates = {
      subscribe: ["rooms/{claims.room}"],
      publish: ["{claims.tenant}/in"],
      watch: ["{claims.friends}"],
    };
    expect(grantsOf(templates, { room: ["a", "b", "a"], friends: [], tenant: 7 })).toEqual([
      { resource: "topic", role: "subscribe", cache: { name: "rooms" }, topic: { name: "a" } },
      { resource: "topic", role: "subscribe", cache: { name: "rooms" }, topic: { name: "b" } },
      { resource: "topic", role: "publish", cache: { name: "7" }, topic: { name: "in" } },
    ]);
    for (const room of [undefined, null, "", {}, [[]], true, Number.NaN, "\ud800", 1.5]) {
      expect(grantsOf({ subscribe: ["rooms/{claims.room}"] }, { room }), String(room)).toEqual([]);
    }
    expect(grantsOf({ watch: ["{claims.toString}", "{claims.constructor.name}"] }, {})).toEqual([]);
  });

  it("find claims whose names have dots, and claims inside of claims", () => {
    const claims = { "https://app.example/roles": ["x"], realm_access: { roles: ["y", "z"] } };
    expect(grantsOf({ watch: ["{claims.https://app.example/roles}", "{claims.realm_access.roles}"] }, claims)).toEqual(
      ["x", "y", "z"].map((name) => ({ resource: "presence", role: "watch", user: { name } })),
    );
  });

  it("take a star for all, or for all that begin so, where the operator wrote it", () => {
    expect(grantsOf({ subscribe: ["*/*", "c/room:*", "c/{sub}:*", "c/a/b"] }, { sub: "u" })).toEqual([
      { resource: "topic", role: "subscribe", cache: { all: true }, topic: { all: true } },
      { resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { prefix: "room:" } },
      { resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { prefix: "u:" } },
      { resource: "topic", role: "subscribe", cache: { name: "c" }, topic: { name: "a/b" } },
    ]);
  });

  it("never give more than the very name that stands in the claim", () => {
    const special = fc.constantFrom(
      "*",
      "/",
      "{sub}",
      "{claims.x}",
      "events",
      "events/x",
      "a*",
      "%2F",
      "$&",
      "__proto__",
    );
    const text = fc.oneof(
      special,
      fc.string({ minLength: 1 }),
      fc.tuple(special, special).map((two) => two.join("")),
    );
    const templates = { subscribe: ["c/{claims.x}", "{claims.x}/t"], watch: ["{claims.x}"] };
    fc.assert(
      fc.property(text, text, (x, other) => {
        fc.pre(x.isWellFormed() && x !== other && other !== "c" && other !== "t");
        const user = who(templates, { x, sub: "someone" });
        expect(isAllowed(user, "topic.subscribe", "c", x)).toBe(true);
        expect(isAllowed(user, "topic.subscribe", x, "t")).toBe(x !== "events");
        expect(isAllowed(user, "presence.watch", "", x)).toBe(true);
        for (const [cache, topic] of [
          ["c", other],
          [other, "t"],
          [other, other],
          ["events", "t"],
        ] as const) {
          expect(isAllowed(user, "topic.subscribe", cache, topic), `${cache} ${topic}`).toBe(
            (cache === "c" && topic === x) || (cache === x && topic === "t" && x !== "events"),
          );
        }
        expect(isAllowed(user, "presence.watch", "", other)).toBe(false);
        expect(isAllowed(user, "presence.watch")).toBe(false);
      }),
    );
  });

  it("let no claim name the reserved cache, and the operator may", () => {
    expect(grantsOf({ publish: ["{claims.cache}/notifications"] }, { cache: "events" })).toEqual([]);
    expect(grantsOf({ publish: ["events/{claims.cache}"] }, { cache: "notifications" })).toHaveLength(1);
  });

  it("give nothing for what is longer than a name can be: it would only be kept, for each user", () => {
    const claims = { sub: "u", long: "x".repeat(8000), rooms: Array.from({ length: 100 }, (_, i) => i) };
    const templates = ["c/{claims.long}", "c/{claims.long}:*", "c/{claims.long}-{claims.rooms}", "{claims.long}/t"];
    expect(grantsOf({ subscribe: templates, watch: ["{claims.long}"] }, claims, 1000)).toEqual([]);
    expect(grantsOf({ watch: ["{claims.fits}"] }, { fits: "x".repeat(128) })).toHaveLength(1);
  });

  it("say when they are too many, also of two lists in one name", () => {
    const claims = { a: Array.from({ length: 1000 }, (_, i) => i), b: Array.from({ length: 1000 }, (_, i) => i) };
    expect(grantsOf({ watch: ["{claims.a}-{claims.b}"] }, claims, 256)).toBeUndefined();
    expect(grantsOf({ subscribe: ["c{claims.a}/{claims.b}"] }, claims, 256)).toBeUndefined();
    expect(grantsOf({ watch: ["{claims.a}"] }, { a: ["1", "2"] }, 2)).toHaveLength(2);
  });
});

describe("a template", () => {
  it.each([
    ["notifications/{sub}", undefined],
    ["*/*", undefined],
    ["c/{claims.a}-{claims.b.c}:*", undefined],
    ["notifications", "must be cache/topic"],
    ["/t", "must not be empty"],
    ["c/", "must not be empty"],
    ["c/{user}", "no braces but"],
    ["c/{sub", "no braces but"],
    ["c/{claims.}", "no braces but"],
    ["c/a*b", "no * but at the end"],
    ["c/**", "no * but at the end"],
    ["c/{sub}*", "something between } and *"],
  ])("%s is told apart: %s", (text, problem) => {
    if (problem === undefined) expect(problemOfTopicTemplate(text)).toBeUndefined();
    else expect(problemOfTopicTemplate(text)).toContain(problem);
  });

  it("of one name may have a slash", () => {
    expect(problemOfNameTemplate("a/{sub}")).toBeUndefined();
    expect(problemOfNameTemplate("")).toContain("must not be empty");
  });
});
