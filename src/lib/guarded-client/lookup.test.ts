import { createSocket } from "node:dgram";
import { once } from "node:events";
import { afterAll, describe, expect, it } from "vitest";
import { createLookup } from "./lookup.ts";

const types = { a: 1, aaaa: 28 };
/** By name, what a record of each type says; a name without an entry does not exist, one that is `failing` gets code 2, one that is `silent` no answer. */
const zone: Readonly<Record<string, { a?: readonly number[][]; aaaa?: readonly number[][] } | "failing" | "silent">> = {
  "both.test": {
    a: [
      [1, 1, 1, 1],
      [10, 0, 0, 1],
    ],
    aaaa: [[0x20, 0x01, ...Array(13).fill(0), 1]],
  },
  "old.test": { a: [[1, 2, 3, 4]] },
  "empty.test": {},
  "failing.test": "failing",
  "silent.test": "silent",
};
const asked: string[] = [];

/** A name server that knows `zone`: as much of RFC 1035 as a question and its answer need. */
const server = createSocket("udp4", (query, from) => {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const name = labels.join(".").toLowerCase();
  const type = query.readUInt16BE(at + 1);
  asked.push(name);
  const entry = zone[name];
  if (entry === "silent") return;
  const found = typeof entry === "object" ? entry : {};
  const records = (type === types.a ? found.a : type === types.aaaa ? found.aaaa : undefined) ?? [];
  const head = Buffer.from(query.subarray(0, 12));
  // An answer, recursion wanted and there; code 2: it failed, 3: no such name.
  head.writeUInt16BE(0x8180 + (entry === "failing" ? 2 : entry ? 0 : 3), 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(records.length, 6);
  head.writeUInt32BE(0, 8);
  const answers = records.map((bytes) =>
    Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, bytes.length, ...bytes]),
  );
  server.send(Buffer.concat([head, query.subarray(12, at + 5), ...answers]), from.port, from.address);
});
server.bind(0, "127.0.0.1");
await once(server, "listening");
afterAll(() => void server.close());
const lookup = createLookup((host) => host === "127.0.0.1", [`127.0.0.1:${server.address().port}`]);

describe("the look-up of a name", () => {
  it("gives all of its addresses, of both kinds", async () => {
    expect(await lookup("both.test")).toEqual([
      ...[
        { address: "1.1.1.1", family: 4 },
        { address: "10.0.0.1", family: 4 },
        { address: "2001::1", family: 6 },
      ],
    ]);
    expect(await lookup("old.test")).toEqual([{ address: "1.2.3.4", family: 4 }]);
  });

  it("fails with a code when there is no such name, or no address of it, or nobody knows", async () => {
    for (const name of ["none.test", "empty.test"])
      await expect(lookup(name)).rejects.toMatchObject({ code: "ENOTFOUND" });
    await expect(lookup("failing.test")).rejects.toMatchObject({ code: "EAI_AGAIN" });
  });

  it("is not held up by names whose name servers do not answer", async () => {
    const silent = Array.from({ length: 50 }, () => lookup("silent.test").catch(() => "nothing"));
    expect(await Promise.race([lookup("old.test").then(() => "found"), ...silent])).toBe("found");
  });

  it("of a name without a dot, or of one that the operator has named, is the system's, which knows /etc/hosts", async () => {
    const before = asked.length;
    expect((await lookup("localhost")).map(({ address }) => address)).toContain("127.0.0.1");
    expect(await lookup("127.0.0.1")).toEqual([{ address: "127.0.0.1", family: 4 }]);
    expect(asked.length).toBe(before);
  });
});
