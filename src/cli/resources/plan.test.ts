import { describe, expect, it } from "vitest";
import type { Current } from "./current.ts";
import { toPlan } from "./plan.ts";
import type { ResourceFile } from "./resource-file.ts";

const empty: Current = {
  ...{ environment: "dev", settings: {}, caches: [], queues: [], webhooks: [], missingCaches: [], keys: [] },
  keyIdInSecret: new Map(),
};
const seconds = {
  ...{ visibilitySeconds: 30, delaySeconds: 0, retentionSeconds: 345_600, waitSeconds: 0, messageMaxBytes: 262_144 },
};
const publish = { resource: "topic", role: "publish", cache: { all: true }, topic: { all: true } } as const;
const receive = { resource: "queue", role: "receive", queue: { name: "q" } } as const;
const key = {
  ...{ keyId: "dev-0123456789abcdef", name: "worker", description: "", superUser: false },
  ...{ grants: [publish, receive], expiresAtMs: null },
};

const steps = (file: ResourceFile, current: Current, prune = false) =>
  toPlan(file, current, prune).changes.map(({ action, kind, name }) => `${action} ${kind} ${name}`);

describe("a plan", () => {
  it("brings wait, size, sources and tags of a queue to what the file says, and takes other tags away", () => {
    const old = { name: "q", ...seconds, waitSeconds: 5, deadLetterSources: ["a"], tags: { old: "1", kept: "2" } };
    const body = (queue: NonNullable<ResourceFile["queues"]>[number]) =>
      toPlan({ queues: [queue] }, { ...empty, queues: [old] }, false).changes.map((change) => change.body);
    expect(body({ name: "q" })).toEqual([{ waitSeconds: 0, deadLetterSources: null, tags: { old: null, kept: null } }]);
    const wanted = { name: "q", waitSeconds: 5, deadLetterSources: ["a"], tags: { kept: "2", new: "3" } };
    expect(body(wanted)).toEqual([{ tags: { old: null, kept: "2", new: "3" } }]);
    expect(body({ ...wanted, tags: { old: "1", kept: "2" } })).toEqual([]);
    expect(body({ ...wanted, messageMaxBytes: 1024, tags: { old: "1", kept: "2" } })).toEqual([
      { messageMaxBytes: 1024 },
    ]);
    const untagged = { ...empty, queues: [{ name: "q", ...seconds }] };
    expect(toPlan({ queues: [{ name: "q", tags: {} }] }, untagged, false).changes).toEqual([]);
  });

  it("makes a queue before any rule names it, in a circle too", () => {
    const queues = [
      { name: "a", deadLetter: { queue: "b", maxReceives: 3 } },
      { name: "b", deadLetter: { queue: "a", maxReceives: 3 } },
    ];
    expect(steps({ queues }, empty)).toEqual(["create queue a", "create queue b", "update queue a"]);
    const made = { ...empty, queues: queues.map((queue) => ({ ...queue, ...seconds })) };
    expect(steps({ queues }, made, true)).toEqual([]);
  });

  it("makes a queue with its rule in one go, wherever its dead-letter queue stands in the file", () => {
    const deadLetter = { queue: "dead", maxReceives: 3 };
    const queues = [{ name: "tasks", deadLetter }, { name: "dead" }];
    expect(steps({ queues }, empty)).toEqual(["create queue dead", "create queue tasks"]);
    expect(toPlan({ queues }, empty, false).changes[1]?.body).toEqual({ name: "tasks", deadLetter });
  });

  it("lets a queue take dead letters before another's rule names it", () => {
    const was = [
      { name: "a", ...seconds },
      { name: "dead", ...seconds, deadLetterSources: ["x"] },
    ];
    const queues = [
      { name: "a", deadLetter: { queue: "dead", maxReceives: 3 } },
      { name: "dead", deadLetterSources: ["a"] },
    ];
    expect(steps({ queues }, { ...empty, queues: was })).toEqual(["update queue dead", "update queue a"]);
  });

  it("gives a setting that the file leaves out its default again", () => {
    const current = { ...empty, queues: [{ name: "q", ...seconds, delaySeconds: 5 }] };
    const [change] = toPlan({ queues: [{ name: "q" }] }, current, false).changes;
    expect(change?.differences).toEqual({ delaySeconds: { from: 5, to: 0 } });
    expect(change?.body).toEqual({ delaySeconds: 0 });
  });

  it("knows what is built in: its own first settings, and that it stays", () => {
    const messages = {
      ...{ name: "messages", ...seconds, visibilitySeconds: 720 },
      deadLetter: { queue: "messages-dlq", maxReceives: 5 },
    };
    const builtIn = [messages, { name: "messages-dlq", ...seconds, retentionSeconds: 1_209_600 }];
    const current: Current = { ...empty, queues: builtIn, caches: [{ name: "events", durability: "disk" }] };
    expect(steps({ queues: [], caches: [] }, current, true)).toEqual([]);
    expect(steps({ queues: [{ name: "messages" }], caches: [{ name: "events" }] }, current, true)).toEqual([]);
    const [change] = toPlan({ queues: [{ name: "messages", visibilitySeconds: 60 }] }, current, true).changes;
    expect(change?.body).toEqual({ visibilitySeconds: 60 });
    const own = { name: "own", deadLetter: { queue: "messages-dlq", maxReceives: 2 } };
    expect(toPlan({ queues: [own] }, current, true).problems).toEqual([]);
  });

  it("takes a rule away with null", () => {
    const old = { name: "q", ...seconds, deadLetter: { queue: "d", maxReceives: 2 } };
    const current = { ...empty, queues: [old, { name: "d", ...seconds }] };
    const [change] = toPlan({ queues: [{ name: "q" }, { name: "d" }] }, current, false).changes;
    expect(change?.body).toEqual({ deadLetter: null });
  });

  it("says what cannot be", () => {
    const current: Current = {
      ...empty,
      caches: [{ name: "c", durability: "disk" }],
      queues: [{ name: "old", ...seconds }],
    };
    const file: ResourceFile = {
      caches: [{ name: "c", durability: "memory" }],
      queues: [{ name: "q", deadLetter: { queue: "old", maxReceives: 1 } }],
    };
    expect(toPlan(file, current, false).problems).toEqual([
      'cache "c": durability is disk and cannot become memory; delete the cache with its data first, or take another name',
    ]);
    expect(toPlan(file, current, true).problems).toContain('queue "q": its dead-letter queue "old" is not in the file');
  });

  it("sees grants as a set, and changes a key in place", () => {
    const current = { ...empty, keys: [key] };
    expect(steps({ keys: [{ name: "worker", grants: [receive, publish] }] }, current)).toEqual([]);
    const [change] = toPlan({ keys: [{ name: "worker", grants: [receive] }] }, current, false).changes;
    expect(change).toMatchObject({ action: "update", keyId: key.keyId, body: { grants: [receive], superUser: false } });
  });

  it("replaces a key that its secret does not hold", () => {
    const keys = [{ name: "worker", grants: [publish, receive], secret: "worker-key" }];
    const holding = (keyId: string | undefined) => ({
      ...empty,
      keys: [key],
      keyIdInSecret: new Map([["worker-key", keyId]]),
    });
    expect(steps({ keys }, holding(key.keyId))).toEqual([]);
    expect(steps({ keys }, holding(undefined))).toEqual(["replace key worker"]);
    expect(steps({ keys }, holding("dev-ffffffffffffffff"))).toEqual(["replace key worker"]);
  });

  it("makes no key for a secret that cannot be", () => {
    const keys = [{ name: "worker", grants: [publish], secret: ".." }];
    expect(toPlan({ keys }, empty, false).problems).toEqual(['key "worker": secret name must not be ".."']);
  });

  it("makes webhooks after caches and before keys, and changes what differs", () => {
    const wanted = { cache: "c", name: "w", topic: "t", url: "https://Mail.example?token=1", secret: "s" };
    const file: ResourceFile = { caches: [{ name: "c" }], webhooks: [wanted], keys: [{ name: "k", superUser: true }] };
    expect(steps(file, empty)).toEqual(["create cache c", "create webhook w", "create key k"]);

    const { secret, ...plain } = wanted;
    const made = { ...plain, url: "https://mail.example/?token=1", ordered: true } as const;
    const changesFrom = (old: Partial<Current["webhooks"][number]>, declared = wanted) =>
      toPlan({ webhooks: [declared] }, { ...empty, webhooks: [{ ...made, ...old }] }, false).changes;
    expect(changesFrom({ secretHolds: "what it signs with" })).toEqual([]);
    const [change] = changesFrom({ ordered: false, url: "https://mail.example/?token=2", secretHolds: "nothing" });
    expect(change).toMatchObject({ action: "update", secret, body: { ordered: true, url: wanted.url } });
    expect(change?.differences).toEqual({
      ordered: { from: false, to: true },
      url: { from: "https://mail.example/?...", to: "https://Mail.example?..." },
      secret: { from: "nothing", to: "what it signs with" },
    });
  });

  it("says when a webhook would have no cache", () => {
    const webhooks = [{ cache: "old", name: "w", topic: "t", url: "https://mail.example" }];
    const current: Current = { ...empty, caches: [{ name: "old", durability: "disk" }] };
    const sentence = 'webhook "w": its cache "old" is';
    expect(toPlan({ caches: [], webhooks }, current, false).problems).toEqual([]);
    expect(toPlan({ caches: [], webhooks }, current, true).problems).toEqual([`${sentence} not in the file`]);
    expect(toPlan({ caches: [], webhooks }, empty, false).problems).toEqual([
      `${sentence} neither in the file nor there`,
    ]);
    expect(toPlan({ webhooks }, empty, false).problems).toEqual([]);
    for (const prune of [false, true]) {
      const { problems } = toPlan({ webhooks }, { ...empty, missingCaches: ["old"] }, prune);
      expect(problems).toEqual([`${sentence} neither in the file nor there`]);
    }
  });

  it.each([
    [{ url: "nonsense" }, "webhook url is no absolute URL, like https://example.com/hook"],
    [{ url: "ftp://mail.example" }, 'webhook url begins with "ftp:"; must be "https:" or "http:"'],
    [{ url: "http://mail.example:0" }, "webhook url must not have the port 0"],
    [{ name: "." }, 'webhook name must not be "."'],
    [{ name: ".." }, 'webhook name must not be ".."'],
    [{ name: " " }, "webhook name must not be empty"],
    [{ topic: "t".repeat(256) }, "topic name has 256 bytes; must be <= 255"],
    [{ secret: ".." }, 'secret name must not be ".."'],
  ])("says what is wrong with a webhook: %j", (part, problem) => {
    const webhook = { cache: "c", name: "w", topic: "t", url: "https://mail.example", ...part };
    expect(toPlan({ webhooks: [webhook] }, empty, false).problems).toEqual([`webhook "${webhook.name}": ${problem}`]);
  });

  it("prunes only the parts that the file has, and no key without a name", () => {
    const { name: _, ...unnamed } = key;
    const current: Current = {
      ...empty,
      caches: [{ name: "c", durability: "disk" }],
      queues: [
        { name: "q", ...seconds, deadLetter: { queue: "d", maxReceives: 1 } },
        { name: "d", ...seconds },
      ],
      webhooks: [{ cache: "c", name: "w", topic: "t", url: "https://mail.example/", ordered: true }],
      keys: [key, unnamed],
    };
    expect(steps({ caches: [], webhooks: [] }, current, true)).toEqual(["delete webhook w", "delete cache c"]);
    expect(steps({ queues: [], keys: [] }, current, true)).toEqual([
      "delete key worker",
      "update queue q",
      "delete queue q",
      "delete queue d",
    ]);
    expect(steps({ queues: [], keys: [] }, current)).toEqual([]);
    expect(steps({}, current, true)).toEqual([]);
  });
});
