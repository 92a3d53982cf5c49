import { describe, expect, it } from "vitest";
import { parseResourceFile, printResourceFile } from "./resource-file.ts";

const whole = `
caches:
  - name: notifications
    durability: disk
queues:
  - name: dead
  - name: tasks
    visibilitySeconds: 1.5
    deadLetter: { queue: dead, maxReceives: 5 }
webhooks:
  - { cache: notifications, name: mail, topic: sent, url: "https://mail.example/hook", ordered: false, secret: mail-hook }
keys:
  - name: worker
    grants:
      - { resource: queue, role: receive, queue: { name: tasks } }
    secret: worker-key
  - { name: admin, superUser: true }
`;

describe("a resource file", () => {
  it("is YAML or JSON, and printed reads as it was", () => {
    const file = parseResourceFile(whole);
    expect(file.queues?.[1]).toEqual({
      ...{ name: "tasks", visibilitySeconds: 1.5 },
      deadLetter: { queue: "dead", maxReceives: 5 },
    });
    expect(parseResourceFile(printResourceFile(file))).toEqual(file);
    expect(parseResourceFile(JSON.stringify(file))).toEqual(file);
    expect(parseResourceFile("")).toEqual({});
  });

  it.each([
    ["queues:\n  - name: q\n    visbility: 3", 'queues[0]: there is nothing called "visbility"'],
    ["subscriptions: []", 'the file: there is nothing called "subscriptions"'],
    ["keys: [{ name: k }]", "keys[0]: must have either superUser: true or grants"],
    ["keys: [{ name: k, grants: [] }]", "keys[0].grants: Too small"],
    ["caches: [{ name: a }, { name: a }]", 'caches: "a" stands there twice'],
    [
      "keys: [{ name: a, superUser: true, secret: s }, { name: b, superUser: true, secret: s }]",
      'secrets: "s" stands there twice',
    ],
    [
      "webhooks: [{ cache: c, name: w, topic: t, url: u }, { cache: c, name: w, topic: s, url: u }]",
      'webhooks: "w" of cache "c" stands there twice',
    ],
    [
      "{ webhooks: [{ cache: c, name: w, topic: t, url: u, secret: s }], keys: [{ name: a, superUser: true, secret: s }] }",
      'secrets: "s" stands there twice',
    ],
    ["webhooks: [{ cache: c, name: w, topic: t }]", "webhooks[0].url: "],
    ["caches: [{ name: a, durability: tape }]", 'caches[0].durability: must be one of "disk", "memory"'],
    ["a: [", "it is no YAML: "],
    ["caches", "the file: "],
  ])("that says %j is refused with the place", (text, message) => {
    expect(() => parseResourceFile(text)).toThrow(message);
  });
});
