// One conversation with a cache, in which every call of the SDKs is made at least once. The SDK for Node and the one for the web have the same
// calls and answers, so the same lines are spoken with both. No imports: the page of the browser tests is built with it.

/** A call of the SDK's cache client, or of its leaderboard "board" (`leaderboard.upsert`), and what it answers as {@link tell} tells it. */
export type Line = readonly [call: string, args: readonly unknown[], answer: unknown];

const missing = "Error NOT_FOUND_ERROR";
const wrongType = "Error FAILED_PRECONDITION_ERROR";
const tooLarge = "Error LIMIT_EXCEEDED_ERROR";
/** In place of a text of so many characters, for the lines should be readable. */
const long = (length: number) => ({ long: length });

/** As the SDKs number them, which is not as the protocol does. */
const itemTypes = { scalar: 0, dictionary: 1, list: 2, set: 3, sortedSet: 4 };

const scalars: Line[] = [
  ["get", ["c", "s"], "Miss"],
  ["set", ["c", "s", "届く"], "Success"],
  ["get", ["c", "s"], { Hit: "届く" }],
  ["getWithHash", ["c", "s"], { Hit: "届く" }],
  ["getWithHash", ["c", "none"], "Miss"],
  ["setWithHash", ["c", "s", "v"], "Stored"],
  ["setIfAbsent", ["c", "s", "w"], "NotStored"],
  ["setIfAbsent", ["c", "a", "w"], "Stored"],
  ["setIfNotExists", ["c", "s", "w"], "NotStored"],
  ["setIfPresent", ["c", "none", "w"], "NotStored"],
  ["setIfPresent", ["c", "s", "w"], "Stored"],
  ["setIfEqual", ["c", "s", "x", "v"], "NotStored"],
  ["setIfEqual", ["c", "s", "x", "w"], "Stored"],
  ["setIfNotEqual", ["c", "s", "y", "x"], "NotStored"],
  ["setIfNotEqual", ["c", "none-1", "y", "x"], "Stored"],
  ["setIfPresentAndNotEqual", ["c", "none-2", "y", "x"], "NotStored"],
  ["setIfPresentAndNotEqual", ["c", "s", "y", "z"], "Stored"],
  ["setIfAbsentOrEqual", ["c", "s", "z", "x"], "NotStored"],
  ["setIfAbsentOrEqual", ["c", "s", "z", "y"], "Stored"],
  ["setIfPresentAndHashEqual", ["c", "s", "a", { hashOf: "other" }], "NotStored"],
  ["setIfPresentAndHashEqual", ["c", "s", "a", { hashOf: "z" }], "Stored"],
  ["setIfPresentAndHashNotEqual", ["c", "s", "b", { hashOf: "a" }], "NotStored"],
  ["setIfPresentAndHashNotEqual", ["c", "s", "b", { hashOf: "other" }], "Stored"],
  ["setIfAbsentOrHashEqual", ["c", "s", "c", { hashOf: "other" }], "NotStored"],
  ["setIfAbsentOrHashEqual", ["c", "none-3", "c", { hashOf: "other" }], "Stored"],
  ["setIfAbsentOrHashNotEqual", ["c", "s", "d", { hashOf: "b" }], "NotStored"],
  ["setIfAbsentOrHashNotEqual", ["c", "s", "d", { hashOf: "other" }], "Stored"],
  ["get", ["c", "s"], { Hit: "d" }],
  ["setBatch", ["c", { one: "1", two: "2" }], "Success"],
  ["getBatch", ["c", ["one", "none", "two"]], { Success: { one: "1", two: "2" } }],
  ["keyExists", ["c", "s"], { Success: true }],
  ["keysExist", ["c", ["s", "none", "one"]], { Success: [true, false, true] }],
  ["increment", ["c", "n", 5], { Success: 5 }],
  ["increment", ["c", "n", -7], { Success: -2 }],
  ["increment", ["c", "s", 1], wrongType],
  ["itemGetType", ["c", "s"], { Hit: itemTypes.scalar }],
  ["itemGetType", ["c", "none"], "Miss"],
  ["updateTtl", ["c", "s", 60_000], "Set"],
  ["updateTtl", ["c", "none", 60_000], "Miss"],
  ["increaseTtl", ["c", "s", 1000], "NotSet"],
  ["increaseTtl", ["c", "s", 90_000], "Set"],
  ["decreaseTtl", ["c", "s", 120_000], "NotSet"],
  ["decreaseTtl", ["c", "s", 30_000], "Set"],
  ["itemGetTtl", ["c", "s"], { Hit: "<= 30000" }],
  ["itemGetTtl", ["c", "none"], "Miss"],
  ["delete", ["c", "s"], "Success"],
  ["delete", ["c", "s"], "Success"],
  ["get", ["c", "s"], "Miss"],
];

const dictionaries: Line[] = [
  ["dictionarySetField", ["c", "d", "a", "1"], "Success"],
  ["dictionarySetFields", ["c", "d", { b: "2", n: "40" }], "Success"],
  ["dictionaryFetch", ["c", "d"], { Hit: { a: "1", b: "2", n: "40" } }],
  ["dictionaryFetch", ["c", "none"], "Miss"],
  ["dictionaryGetField", ["c", "d", "a"], { Hit: "1" }],
  ["dictionaryGetField", ["c", "d", "none"], "Miss"],
  ["dictionaryGetFields", ["c", "d", ["b", "none", "a"]], { Hit: { b: "2", a: "1" } }],
  ["dictionaryIncrement", ["c", "d", "n", 2], { Success: 42 }],
  ["dictionaryIncrement", ["c", "d", "new", 2], { Success: 2 }],
  ["dictionaryLength", ["c", "d"], { Hit: 4 }],
  ["dictionaryRemoveField", ["c", "d", "n"], "Success"],
  ["dictionaryRemoveFields", ["c", "d", ["a", "new"]], "Success"],
  ["dictionaryFetch", ["c", "d"], { Hit: { b: "2" } }],
  ["itemGetType", ["c", "d"], { Hit: itemTypes.dictionary }],
  ["get", ["c", "d"], wrongType],
  ["setAddElement", ["c", "d", "x"], wrongType],
  ["dictionaryRemoveField", ["c", "d", "b"], "Success"],
  ["dictionaryLength", ["c", "d"], "Miss"],
  ["dictionarySetField", ["c", "d", "a", long(131_073)], tooLarge],
];

const sets: Line[] = [
  ["setAddElement", ["c", "set", "a"], "Success"],
  ["setAddElements", ["c", "set", ["b", "c", "a"]], "Success"],
  ["setFetch", ["c", "set"], { Hit: ["a", "b", "c"] }],
  ["setFetch", ["c", "none"], "Miss"],
  ["setContainsElement", ["c", "set", "a"], "Hit true"],
  ["setContainsElements", ["c", "set", ["a", "z"]], { Hit: { a: true, z: false } }],
  ["setSample", ["c", "set", 10], { Hit: ["a", "b", "c"] }],
  ["setLength", ["c", "set"], { Hit: 3 }],
  ["setRemoveElement", ["c", "set", "a"], "Success"],
  ["setRemoveElements", ["c", "set", ["b", "z"]], "Success"],
  ["itemGetType", ["c", "set"], { Hit: itemTypes.set }],
  ["dictionaryFetch", ["c", "set"], wrongType],
  ["setPop", ["c", "set", 5], { Hit: ["c"] }],
  ["setLength", ["c", "set"], "Miss"],
  ["setAddElement", ["c", "set", long(131_073)], tooLarge],
];

const lists: Line[] = [
  ["listPushBack", ["c", "l", "b"], { Success: 1 }],
  ["listPushFront", ["c", "l", "a"], { Success: 2 }],
  ["listConcatenateBack", ["c", "l", ["c", "d"]], { Success: 4 }],
  ["listConcatenateFront", ["c", "l", ["y", "z"]], { Success: 6 }],
  ["listFetch", ["c", "l"], { Hit: ["y", "z", "a", "b", "c", "d"] }],
  ["listFetch", ["c", "none"], "Miss"],
  ["listPopFront", ["c", "l"], { Hit: "y" }],
  ["listPopBack", ["c", "l"], { Hit: "d" }],
  ["listRemoveValue", ["c", "l", "z"], "Success"],
  ["listRetain", ["c", "l", { startIndex: 1 }], "Success"],
  ["listLength", ["c", "l"], { Hit: 2 }],
  ["listFetch", ["c", "l"], { Hit: ["b", "c"] }],
  ["itemGetType", ["c", "l"], { Hit: itemTypes.list }],
  ["sortedSetLength", ["c", "l"], wrongType],
  ["delete", ["c", "l"], "Success"],
  ["listLength", ["c", "l"], "Miss"],
  ["listPushBack", ["c", "l", long(131_073)], tooLarge],
];

const elements = (...pairs: readonly (readonly [string, number])[]) =>
  pairs.map(([value, score]) => ({ value, score }));
const sortedSets: Line[] = [
  ["sortedSetPutElement", ["c", "z", "a", 1], "Success"],
  ["sortedSetPutElements", ["c", "z", { b: 2, c: 3.5, d: 2 }], "Success"],
  ["sortedSetFetchByRank", ["c", "z"], { Hit: elements(["a", 1], ["b", 2], ["d", 2], ["c", 3.5]) }],
  [
    "sortedSetFetchByRank",
    ["c", "z", { startRank: 1, endRank: -1, order: "DESC" }],
    { Hit: elements(["d", 2], ["b", 2]) },
  ],
  ["sortedSetFetchByScore", ["c", "z", { minScore: 2, maxScore: 3 }], { Hit: elements(["b", 2], ["d", 2]) }],
  ["sortedSetFetchByScore", ["c", "z", { order: "DESC", offset: 1, count: 2 }], { Hit: elements(["d", 2], ["b", 2]) }],
  ["sortedSetFetchByRank", ["c", "none"], "Miss"],
  ["sortedSetGetRank", ["c", "z", "c"], { Hit: 3 }],
  ["sortedSetGetRank", ["c", "z", "c", { order: "DESC" }], { Hit: 0 }],
  ["sortedSetGetRank", ["c", "z", "none"], "Miss"],
  ["sortedSetGetScore", ["c", "z", "c"], { Hit: 3.5 }],
  ["sortedSetGetScore", ["c", "z", "none"], "Miss"],
  ["sortedSetGetScores", ["c", "z", ["a", "none", "c"]], { Hit: { a: 1, c: 3.5 } }],
  ["sortedSetIncrementScore", ["c", "z", "a", 9], { Success: 10 }],
  ["sortedSetLength", ["c", "z"], { Hit: 4 }],
  ["sortedSetLengthByScore", ["c", "z", { minScore: 2, maxScore: 3 }], { Hit: 2 }],
  [
    "sortedSetUnionStore",
    [
      "c",
      "union",
      [
        { sortedSetName: "z", weight: 2 },
        { sortedSetName: "none", weight: 1 },
      ],
    ],
    { Success: 4 },
  ],
  ["sortedSetGetScore", ["c", "union", "a"], { Hit: 20 }],
  ["sortedSetRemoveElement", ["c", "z", "a"], "Success"],
  ["sortedSetRemoveElements", ["c", "z", ["b", "c"]], "Success"],
  ["sortedSetFetchByRank", ["c", "z"], { Hit: elements(["d", 2]) }],
  ["itemGetType", ["c", "z"], { Hit: itemTypes.sortedSet }],
  ["listFetch", ["c", "z"], wrongType],
  ["sortedSetRemoveElement", ["c", "z", "d"], "Success"],
  ["sortedSetLength", ["c", "z"], "Miss"],
  ["sortedSetPutElement", ["c", "z", long(131_073), 1], tooLarge],
];

const ranked = (...rows: readonly (readonly [id: number, score: number, rank: number])[]) =>
  rows.map(([id, score, rank]) => ({ id, score, rank }));
const leaderboards: Line[] = [
  ["leaderboard.length", [], { Success: 0 }],
  ["leaderboard.upsert", [{ 7: 10, 8: 20, 9: 20 }], "Success"],
  ["leaderboard.length", [], { Success: 3 }],
  ["leaderboard.fetchByRank", [0, 10], { Success: ranked([7, 10, 0], [8, 20, 1], [9, 20, 2]) }],
  ["leaderboard.fetchByRank", [0, 1, { order: "DESC" }], { Success: ranked([9, 20, 0]) }],
  ["leaderboard.fetchByScore", [{ minScore: 15 }], { Success: ranked([8, 20, 1], [9, 20, 2]) }],
  ["leaderboard.getRank", [[9, 1, 7]], { Success: ranked([9, 20, 2], [7, 10, 0]) }],
  ["leaderboard.removeElements", [[8]], "Success"],
  ["leaderboard.length", [], { Success: 2 }],
  ["leaderboard.delete", [], "Success"],
  ["leaderboard.delete", [], "Success"],
  ["leaderboard.fetchByRank", [0, 10], { Success: [] }],
];

/** All but the leaderboard's calls with a cache that is not there, so many arguments with as much sense as the calls above. */
function withMissingCache(lines: readonly Line[]): Line[] {
  const once = new Map(lines.map((line) => [line[0], line]));
  return [...once.values()]
    .filter(([call, args]) => args[0] === "c" && !JSON.stringify(args).includes('"long"') && call !== "createCache")
    .map(([call, [, ...args]]) => [call, ["no-such-cache", ...args], missing]);
}

const groups = [...scalars, ...dictionaries, ...sets, ...lists, ...sortedSets];

/** Begins with making its cache, ends with deleting it. */
export const conversation: readonly Line[] = [
  ["createCache", ["c"], "Success"],
  ["createCache", ["c"], "AlreadyExists"],
  ...groups,
  ...leaderboards,
  ...withMissingCache(groups),
  ["set", ["c", "large", long(4_999_000)], "Success"],
  ["get", ["c", "large"], { Hit: "4999000 characters" }],
  ["set", ["c", "large", long(5_300_000)], tooLarge],
  ["flushCache", ["c"], "Success"],
  ["get", ["c", "large"], "Miss"],
  ["listCaches", [], "Success"],
  ["deleteCache", ["c"], "Success"],
  ["deleteCache", ["c"], missing],
];

/**
 * What the web SDK 1.118.0 cannot do: send more than some 100 kB in one value, since its own base64 spreads all bytes into the arguments of one
 * call; and hear that `itemGetType` or `itemGetTtl` failed, since its own callback then throws and the call never ends.
 */
export function isBrokenOnWeb([call, args, answer]: Line): boolean {
  const isItemCall = call === "itemGetType" || call === "itemGetTtl";
  return JSON.stringify(args).includes('"long"') || (isItemCall && answer === missing);
}

/** Turns what stands for an argument into the argument. */
async function toArgument(argument: unknown): Promise<unknown> {
  if (typeof argument !== "object" || argument === null) return argument;
  if ("long" in argument) return "x".repeat(argument.long as number);
  if ("hashOf" in argument) return hashOf(argument.hashOf as string);
  return argument;
}

/** As Todoku makes them; to clients a hash is opaque. */
async function hashOf(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text))).slice(0, 16);
}

const readers = ["value", "values", "rank", "score", "exists", "containsElements", "remainingTtlMillis", "itemType"];
const counters = ["listLength", "length", "containsElement"];

/** Speaks a line, and tells the answer. */
export async function converse(
  [call, args]: Line,
  clients: { readonly cache: object; readonly leaderboard: object },
): Promise<unknown> {
  const [owner, name] = call.startsWith("leaderboard.") ? [clients.leaderboard, call.slice(12)] : [clients.cache, call];
  const values = await Promise.all(args.map(toArgument));
  const method = (owner as Record<string, (...args: unknown[]) => Promise<unknown>>)[name];
  return tell(call, await method?.apply(owner, values));
}

/** The kind of an answer with what it says, for {@link conversation}; of an error its code. */
function tell(call: string, response: unknown): unknown {
  if (typeof response !== "object" || response === null) return String(response);
  const answer = response as Record<string, unknown> & { type?: string; errorCode?: () => string };
  if (answer.errorCode) return `Error ${answer.errorCode()}`;
  const type = String(answer.type);
  for (const name of [...readers, ...counters]) {
    const read = answer[name];
    if (typeof read !== "function") continue;
    const said = read.call(answer) as unknown;
    if (said === undefined) continue;
    if (name === "containsElement") return `${type} ${said}`;
    if (name === "remainingTtlMillis") return { [type]: Number(said) <= 30_000 ? "<= 30000" : said };
    if (typeof said === "string" && said.length > 1000) return { [type]: `${said.length} characters` };
    return { [type]: call.startsWith("set") && Array.isArray(said) ? said.toSorted() : said };
  }
  return type;
}
