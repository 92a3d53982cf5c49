// Sealing over the embedded engine; two nodes share its store.
import { Buffer } from "node:buffer";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EmbeddedEngine, openEmbeddedEngine } from "../../engines/embedded/index.ts";
import { silentBus } from "../bus.ts";
import type { RecordStore } from "../records/store.ts";
import { checkMasterKey, hasDataKeys, rewrapDataKeys } from "./data-keys.ts";
import { MasterKey } from "./master-key.ts";
import { createSealer } from "./sealer.ts";

const masterKey = new MasterKey(randomBytes(32));
const plain = Buffer.from("sk_live_51H8abc");
const cannotOpen = { code: "internal", message: expect.stringMatching(/cannot be decrypted$/) };

let directory: string;
let engine: EmbeddedEngine;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "todoku-sealer-"));
  engine = await openEmbeddedEngine({ dataDir: directory, wallMs: Date.now });
});
afterAll(async () => {
  await engine.close();
  await rm(directory, { recursive: true });
});

const aSealer = (key = masterKey) => createSealer(engine.records, key);
const dataKey = (environment: string) =>
  engine.records.read({ kind: "data-key", environment, name: "data-key" }) as ReturnType<RecordStore["read"]>;
/** As it goes with its environment. */
const removeDataKey = (environment: string) =>
  engine.records.remove({ kind: "data-key", environment, name: "data-key" });

describe("a sealed text", () => {
  it("opens for the environment and name it was sealed for, also after a restart, and has no byte of the plain one", async () => {
    const sealed = await aSealer().seal("dev", "secret/stripe/1", plain);
    expect(sealed).toMatch(/^v1\.[\w-]+$/);
    expect(Buffer.from(sealed.slice(3), "base64url").includes(plain)).toBe(false);
    expect(Buffer.from(await aSealer().open("dev", "secret/stripe/1", sealed))).toEqual(plain);
  });

  it("is another one each time", async () => {
    const sealer = aSealer();
    const texts = await Promise.all(Array.from({ length: 50 }, () => sealer.seal("dev", "n", plain)));
    expect(new Set(texts).size).toBe(50);
  });

  it("may be of nothing, or of the greatest secret", async () => {
    const sealer = aSealer();
    for (const bytes of [new Uint8Array(), randomBytes(64 * 1024)]) {
      const opened = await sealer.open("dev", "n", await sealer.seal("dev", "n", bytes));
      expect(Buffer.from(opened).equals(bytes)).toBe(true);
    }
  });

  it("is refused with any single bit of its characters changed", async () => {
    const sealer = aSealer();
    const sealed = Buffer.from(await sealer.seal("dev", "n", plain));
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await expect(sealer.open("dev", "n", changed.toString("latin1")), `bit ${bit}`).rejects.toMatchObject(cannotOpen);
    }
  });

  it("is refused when it is cut, lengthened, padded, or of another version", async () => {
    const sealer = aSealer();
    const sealed = await sealer.seal("dev", "n", plain);
    const others = ["", "v1.", sealed.slice(0, -1), `${sealed}A`, `${sealed}=`, ` ${sealed}`, `${sealed}\n`];
    for (const text of [...others, sealed.replace("v1", "v2"), sealed.slice(3)]) {
      await expect(sealer.open("dev", "n", text)).rejects.toMatchObject(cannotOpen);
    }
  });

  it("is refused in another environment and under another name, also when it was copied there within the store", async () => {
    const sealer = aSealer();
    const sealed = await sealer.seal("dev", "secret/a/1", plain);
    await sealer.seal("prod", "secret/a/1", plain); // prod has a data key of its own
    for (const [environment, name] of [
      ["prod", "secret/a/1"],
      ["dev", "secret/a/2"],
      ["dev", "secret/b/1"],
      ["dev", ""],
    ] as const) {
      await expect(sealer.open(environment, name, sealed)).rejects.toMatchObject(cannotOpen);
    }
  });

  it("is refused in another environment even if that was given the same data key", async () => {
    const sealer = aSealer();
    const sealed = await sealer.seal("from", "n", plain);
    const record = await dataKey("from");
    await engine.records.create({ kind: "data-key", environment: "to", name: "data-key" }, record?.document ?? {});
    await expect(sealer.open("to", "n", sealed)).rejects.toMatchObject({ code: "internal" });
    await removeDataKey("to");
  });

  it("is refused with another master key, and with none; neither error shows a key", async () => {
    const sealed = await aSealer().seal("dev", "n", plain);
    const other = new MasterKey(randomBytes(32));
    await expect(aSealer(other).open("dev", "n", sealed)).rejects.toMatchObject({
      code: "internal",
      message: `the data key of environment "dev" is wrapped by the master key with the id ${masterKey.id}; the master key given has the id ${other.id}`,
    });
    await expect(aSealer(other).seal("dev", "n", plain)).rejects.toMatchObject({ code: "internal" });
    const keyless = createSealer(engine.records, undefined);
    for (const call of [keyless.open("dev", "n", sealed), keyless.seal("new", "n", plain)]) {
      await expect(call).rejects.toMatchObject({ code: "failed_precondition" });
    }
  });

  it("opens for no other pair of environment and name, whatever these are", async () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 6 }),
      fc.constantFrom("a", "a/b", 'a","b', "\\", "\ud800"),
    );
    const sealer = aSealer();
    await fc.assert(
      fc.asyncProperty(text, text, fc.uint8Array({ maxLength: 40 }), async (name, other, bytes) => {
        const sealed = await sealer.seal("dev", name, bytes);
        expect(Buffer.from(await sealer.open("dev", name, sealed))).toEqual(Buffer.from(bytes));
        if (other !== name) await expect(sealer.open("dev", other, sealed)).rejects.toMatchObject(cannotOpen);
      }),
      { numRuns: 200 },
    );
  });
});

describe("the data key of an environment", () => {
  it("is one, when two nodes make it at once", async () => {
    const nodes = [engine, engine.secondHandle(silentBus)].map(({ records }) => createSealer(records, masterKey));
    const sealed = await Promise.all([...nodes, ...nodes].map((node) => node.seal("raced", "n", plain)));
    for (const node of nodes) {
      for (const text of sealed) expect(Buffer.from(await node.open("raced", "n", text))).toEqual(plain);
    }
    expect(await engine.records.list("data-key", "raced")).toHaveLength(1);
  });

  it("is stored wrapped: neither it nor the master key stands in the store", async () => {
    const bytes = randomBytes(32);
    await createSealer(engine.records, new MasterKey(bytes)).seal("wrapped", "n", plain);
    const record = await dataKey("wrapped");
    expect(record?.document).toEqual({
      masterKeyId: new MasterKey(bytes).id,
      wrapped: expect.stringMatching(/^v1\.[\w-]{80}$/), // 12 + 32 + 16 bytes
    });
    expect(JSON.stringify(record)).not.toContain(bytes.toString("base64url"));
    await removeDataKey("wrapped");
  });

  it("takes everything that was sealed with it along when it is removed, also at nodes that have it in memory", async () => {
    const [here, there] = [aSealer(), createSealer(engine.secondHandle(silentBus).records, masterKey)];
    const sealed = await here.seal("gone", "n", plain);
    await there.open("gone", "n", sealed);
    await removeDataKey("gone");
    here.forget("gone");
    expect(await engine.records.list("data-key", "gone")).toEqual([]);
    for (const node of [here, there]) {
      await expect(node.open("gone", "n", sealed)).rejects.toMatchObject({ code: "unavailable" });
    }
    const again = await there.seal("gone", "n", plain); // a new environment of the same name
    await expect(here.open("gone", "n", sealed)).rejects.toMatchObject(cannotOpen);
    expect(Buffer.from(await here.open("gone", "n", again))).toEqual(plain);
  });

  it("is checked against the master key before a server starts", async () => {
    await aSealer().seal("dev", "n", plain);
    expect(await hasDataKeys(engine.records)).toBe(true);
    await checkMasterKey(engine.records, masterKey);
    for (const other of [undefined, new MasterKey(randomBytes(32))]) {
      await expect(checkMasterKey(engine.records, other)).rejects.toMatchObject({
        code: "failed_precondition",
        message: expect.stringContaining(masterKey.id),
      });
    }
  });
});

describe("rewrapping the data keys", () => {
  const next = new MasterKey(randomBytes(32));

  it("changes nothing when one of them opens with neither key", async () => {
    const stranger = new MasterKey(randomBytes(32));
    await createSealer(engine.records, stranger).seal("strange", "n", plain);
    const before = await engine.records.list("data-key");
    await expect(rewrapDataKeys(engine.records, masterKey, next)).rejects.toMatchObject({
      code: "failed_precondition",
      message: expect.stringContaining('environment "strange"'),
    });
    expect(await engine.records.list("data-key")).toEqual(before);
    await removeDataKey("strange");
  });

  it("leaves what is sealed readable with the new master key only, and may be repeated after a crash", async () => {
    const sealed = await aSealer().seal("dev", "n", plain);
    const others = (await engine.records.list("data-key")).length - 1;
    // As if a first try had ended after one of them.
    const half: RecordStore = {
      ...engine.records,
      list: async (kind) => (await engine.records.list(kind)).filter(({ environment }) => environment === "dev"),
    };
    expect(await rewrapDataKeys(half, masterKey, next)).toBe(1);
    expect(await rewrapDataKeys(engine.records, masterKey, next)).toBe(others);
    expect(await rewrapDataKeys(engine.records, masterKey, next)).toBe(0);
    expect(Buffer.from(await aSealer(next).open("dev", "n", sealed))).toEqual(plain);
    await expect(aSealer().open("dev", "n", sealed)).rejects.toMatchObject({ code: "internal" });
    await checkMasterKey(engine.records, next);
    await rewrapDataKeys(engine.records, next, masterKey);
  });
});
