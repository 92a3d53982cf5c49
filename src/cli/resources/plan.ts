import { isDeepStrictEqual } from "node:util";
import { firstSettings, isBuiltInCache, isBuiltInQueue } from "../../domain/environments/built-ins.ts";
import { checkSecretName } from "../../domain/secrets/secret.ts";
import { type Change, compare, type Plan, problemsOf } from "./change.ts";
import { type Current, type CurrentKey, type CurrentQueue, isSameGrants } from "./current.ts";
import type { ResourceFile } from "./resource-file.ts";
import { planWebhooks, pruneWebhooks } from "./webhooks.ts";

/** Compares; pure. `prune`: what the file does not have goes, too; keys only when they have a name, for those without one were made by hand, and never what is built in. */
export function toPlan(file: ResourceFile, current: Current, prune: boolean): Plan {
  const plans = [
    planSettings(file, current),
    planQueues(file, current, prune),
    planCaches(file, current),
    planWebhooks(file, current, prune),
    planKeys(file, current),
  ];
  const pruned = prune ? planPrune(file, current) : [];
  return {
    changes: [...plans.flatMap(({ changes }) => changes), ...pruned],
    problems: plans.flatMap(({ problems }) => problems),
  };
}

function planSettings({ settings }: ResourceFile, current: Current): Plan {
  if (settings === undefined || isDeepStrictEqual(settings, current.settings)) return nothing;
  const differences = compare(current.settings, settings);
  return {
    changes: [{ action: "update", kind: "settings", name: current.environment, differences, body: { settings } }],
    problems: [],
  };
}

function planCaches({ caches = [] }: ResourceFile, current: Current): Plan {
  const changes: Change[] = [];
  const problems: string[] = [];
  for (const cache of caches) {
    const old = current.caches.find(({ name }) => name === cache.name);
    if (!old) changes.push({ action: "create", kind: "cache", name: cache.name, differences: {}, body: cache });
    else if (cache.durability !== undefined && cache.durability !== old.durability) {
      problems.push(
        `cache "${cache.name}": durability is ${old.durability} and cannot become ${cache.durability}; delete the cache with its data first, or take another name`,
      );
    }
  }
  return { changes, problems };
}

/** A queue is made before it is named as a dead-letter queue: queues with a rule come last, and a rule that even then names one which is still to come is set when all are there. */
function planQueues({ queues = [] }: ResourceFile, current: Current, prune: boolean): Plan {
  const there = new Set(current.queues.map(({ name }) => name));
  const declared = new Set(queues.map(({ name }) => name));
  const problems = queues.flatMap(({ name, deadLetter }) =>
    deadLetter === undefined ||
    declared.has(deadLetter.queue) ||
    (there.has(deadLetter.queue) && (!prune || isBuiltInQueue(deadLetter.queue)))
      ? []
      : [
          `queue "${name}": its dead-letter queue "${deadLetter.queue}" is ${prune ? "not in the file" : "neither in the file nor there"}`,
        ],
  );
  const created: Change[] = [];
  const updated: Change[] = [];
  for (const { name, deadLetter: rule, ...settings } of queues.toSorted(byRule)) {
    const deadLetter = rule ?? firstSettings(name).deadLetter;
    const wanted = { ...firstPlain(name), ...settings, tags: isEmpty(settings.tags) ? undefined : settings.tags };
    const old = current.queues.find((queue) => queue.name === name);
    const isTargetMade = rule !== undefined && created.some((change) => change.name === rule.queue);
    const body = { name, ...settings, ...(isTargetMade ? { deadLetter: rule } : {}) };
    if (!old) created.push({ action: "create", kind: "queue", name, differences: {}, body });
    if (!old && isTargetMade) continue;
    const differences = compare(
      old ? { ...plainOf(old), deadLetter: old.deadLetter } : { deadLetter: undefined },
      old ? { ...wanted, deadLetter } : { deadLetter },
    );
    if (Object.keys(differences).length === 0) continue;
    const changed = Object.fromEntries(Object.entries(differences).map(([field, { to }]) => [field, to ?? null]));
    if (differences.tags) changed.tags = tagChanges(old?.tags, settings.tags);
    updated.push({ action: "update", kind: "queue", name, differences, body: changed });
  }
  // A rule is refused by a target that does not take its queue yet.
  const [first, then] = [updated.filter(hasSources), updated.filter((change) => !hasSources(change))];
  return { changes: [...created, ...first, ...then], problems };
}

/** Those without a dead-letter rule first. */
function byRule(one: { readonly deadLetter?: unknown }, other: { readonly deadLetter?: unknown }): number {
  return Number(one.deadLetter !== undefined) - Number(other.deadLetter !== undefined);
}

function hasSources({ differences }: Change): boolean {
  return differences.deadLetterSources !== undefined;
}

function planKeys({ keys = [] }: ResourceFile, current: Current): Plan {
  const changes = keys.flatMap((key): Change[] => {
    const { secret, ...body } = key;
    const place = secret === undefined ? {} : { secret };
    const old = current.keys.find(({ name }) => name === key.name);
    if (!old) return [{ action: "create", kind: "key", name: key.name, differences: {}, body, ...place }];
    // A key is shown once: where its secret does not hold it, nobody has it, and only a new one helps.
    const held = secret === undefined ? old.keyId : current.keyIdInSecret.get(secret);
    if (held !== old.keyId) {
      const differences = { secret: { from: held, to: "a new key" } };
      return [{ action: "replace", kind: "key", name: key.name, differences, body, keyId: old.keyId, ...place }];
    }
    const differences = compareKey(old, key);
    if (Object.keys(differences).length === 0) return [];
    const changed = { description: key.description ?? "", superUser: key.superUser === true, grants: key.grants ?? [] };
    return [{ action: "update", kind: "key", name: key.name, differences, body: changed, keyId: old.keyId }];
  });
  const problems = keys.flatMap(({ name, secret }) =>
    problemsOf(secret === undefined ? [] : [() => checkSecretName(secret)]).map((text) => `key "${name}": ${text}`),
  );
  return { changes, problems };
}

/** Keys first: who uses what goes should hear of it by being refused. Webhooks go before their caches, which would take them along. Dead-letter rules go before their queues, which could not be deleted otherwise. */
function planPrune(file: ResourceFile, current: Current): Change[] {
  const surplus = <T extends { readonly name?: string }>(
    part: readonly { readonly name: string }[] | undefined,
    entries: readonly T[],
  ) =>
    part === undefined
      ? []
      : entries.filter(({ name }) => name !== undefined && !part.some((entry) => entry.name === name));
  const queues = surplus(file.queues, current.queues).filter(({ name }) => !isBuiltInQueue(name));
  const caches = surplus(file.caches, current.caches).filter(({ name }) => !isBuiltInCache(name));
  const gone = { differences: {}, action: "delete" } as const;
  return [
    ...surplus(file.keys, current.keys).map(({ name = "", keyId }): Change => ({ ...gone, kind: "key", name, keyId })),
    ...pruneWebhooks(file, current.webhooks),
    ...queues.flatMap(({ name, deadLetter }): Change[] =>
      deadLetter === undefined
        ? []
        : [
            {
              action: "update",
              kind: "queue",
              name,
              differences: compare({ deadLetter }, {}),
              body: { deadLetter: null },
            },
          ],
    ),
    ...queues.map(({ name }): Change => ({ ...gone, kind: "queue", name })),
    ...caches.map(({ name }): Change => ({ ...gone, kind: "cache", name })),
  ];
}

const nothing: Plan = { changes: [], problems: [] };

/** What the queue has that was made without a word. */
function firstPlain(name: string): PlainSettings {
  const { visibilityMs, delayMs, retentionMs, waitMs, messageMaxBytes } = firstSettings(name);
  return {
    visibilitySeconds: visibilityMs / 1000,
    delaySeconds: delayMs / 1000,
    retentionSeconds: retentionMs / 1000,
    waitSeconds: waitMs / 1000,
    messageMaxBytes,
    deadLetterSources: undefined,
    tags: undefined,
  };
}

/** All settings of a queue but its dead-letter rule. */
type PlainSettings = Omit<CurrentQueue, "name" | "deadLetter" | "deadLetterSources" | "tags"> & {
  readonly deadLetterSources: readonly string[] | undefined;
  readonly tags: Readonly<Record<string, string>> | undefined;
};

function plainOf(queue: CurrentQueue): PlainSettings {
  const { visibilitySeconds, delaySeconds, retentionSeconds, waitSeconds, messageMaxBytes } = queue;
  return {
    ...{ visibilitySeconds, delaySeconds, retentionSeconds, waitSeconds, messageMaxBytes },
    ...{ deadLetterSources: queue.deadLetterSources, tags: queue.tags },
  };
}

function isEmpty(tags: Readonly<Record<string, string>> = {}): boolean {
  return Object.keys(tags).length === 0;
}

/** What makes `tags` of `old`: null takes one away. */
function tagChanges(old: Readonly<Record<string, string>> = {}, tags: Readonly<Record<string, string>> = {}) {
  return { ...Object.fromEntries(Object.keys(old).map((key) => [key, null])), ...tags };
}

function compareKey(old: CurrentKey, key: NonNullable<ResourceFile["keys"]>[number]): Change["differences"] {
  const plain = compare(
    { description: old.description, superUser: old.superUser },
    { description: key.description ?? "", superUser: key.superUser === true },
  );
  const grants = key.grants ?? [];
  return isSameGrants(old.grants, grants) ? plain : { ...plain, grants: { from: old.grants, to: grants } };
}
