import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestMachine } from "../../../test/support/clock.ts";
import { clientFrame, openLinkServer, RawWebSocket, Telling } from "../../../test/support/raw-websocket.ts";
import { TimerWheel } from "../timer-wheel.ts";
import { textFrame } from "./frames.ts";
import { WebSocketLink } from "./link.ts";

// Cases in the manner of the Autobahn test suite, with its section numbers, over real TCP against a link that echoes. Where it
// sends binary messages, which are not taken, ours are refused; where it asks for an early end inside of a message that is no
// UTF-8 ("fail fast"), ours ends at the message's end, which the suite calls non-strict.

const messageMaxBytes = 131_072;
let server: Awaited<ReturnType<typeof openLinkServer>>;

beforeAll(async () => {
  const wheel = new TimerWheel(new TestMachine());
  server = await openLinkServer((socket) => {
    const telling = new Telling();
    const link = new WebSocketLink(socket, telling, { messageMaxBytes, wheel });
    telling.onText = (text) => link.send(textFrame(text));
    return { link };
  });
});
afterAll(() => server.close());

/** What comes back, written as in the table: `text a`, `pong a`, `close 1000`. */
function shown({ opcode, payload }: { opcode: number; payload: Buffer }): string {
  if (opcode === 1) return `text ${payload}`;
  if (opcode === 10) return `pong ${payload.toString("latin1")}`;
  if (opcode === 8) return payload.length < 2 ? "close" : `close ${payload.readUInt16BE(0)}`;
  return `opcode ${opcode}`;
}

const text = (payload: Uint8Array | string) => clientFrame(1, payload);
const begin = (payload: Uint8Array | string) => clientFrame(1, payload, { isFinal: false });
const more = (payload: Uint8Array | string) => clientFrame(0, payload, { isFinal: false });
const end = (payload: Uint8Array | string) => clientFrame(0, payload);
const ping = (payload: Uint8Array | string) => clientFrame(9, payload);
const pong = (payload: Uint8Array | string) => clientFrame(10, payload);
const close = (code: number, reason: Uint8Array | string = "") =>
  clientFrame(8, Buffer.concat([Buffer.of(code >> 8, code & 255), Buffer.from(reason)]));
const goodbye = close(1000);
const bytewise = (...frames: Buffer[]) => Array.from(Buffer.concat(frames), (byte) => Buffer.of(byte));
const hex = (digits: string) => Buffer.from(digits.replaceAll(" ", ""), "hex");
const reserved = (bits: number, opcode = 1) => clientFrame(opcode, "x", { reserved: bits });
const times = (count: number, make: (n: number) => Buffer) => Array.from({ length: count }, (_, n) => make(n));

/** Each: what it is, what the client sends (a write for each), what comes back until the server ends. */
type Case = readonly [name: string, sent: readonly Buffer[], back: readonly string[]];

const framing: Case[] = [
  ...[0, 1, 125, 126, 127, 128, 65_535, 65_536, 131_072].map((length): Case => {
    const payload = "*".repeat(length);
    return [`1.1 text of ${length} bytes`, [text(payload), goodbye], [`text ${payload}`, "close 1000"]];
  }),
  [
    "1.1 text with a length of 16 bits that needs none",
    [clientFrame(1, "a", { lengthForm: 2 }), goodbye],
    ["text a", "close 1000"],
  ],
  [
    "1.1 text with a length of 64 bits that needs none",
    [clientFrame(1, "a", { lengthForm: 8 }), goodbye],
    ["text a", "close 1000"],
  ],
  ["1.2 binary", [clientFrame(2, "abc"), goodbye], ["close 1003"]],
  ["1.2 binary, empty", [clientFrame(2, ""), goodbye], ["close 1003"]],
  ["1.2 binary, its head alone", [clientFrame(2, "x".repeat(200)).subarray(0, 2)], ["close 1003"]],
  ["1.2 binary in fragments", [clientFrame(2, "a", { isFinal: false })], ["close 1003"]],
  ["1.3 not masked", [hex("81 01 61")], ["close 1002"]],
  ["1.3 not masked and empty: two bytes are enough", [hex("81 00")], ["close 1002"]],
  ["1.3 masked with zeros", [clientFrame(1, "abc", { mask: 0 }), goodbye], ["text abc", "close 1000"]],
];

const pings: Case[] = [
  ["2.1 ping without payload", [ping(""), goodbye], ["pong ", "close 1000"]],
  ["2.2 ping with text", [ping("hello"), goodbye], ["pong hello", "close 1000"]],
  [
    "2.3 ping with bytes that are no text",
    [ping(hex("00 ff fe fd fc fb 00 ff")), goodbye],
    ["pong \x00\xff\xfe\xfd\xfc\xfb\x00\xff", "close 1000"],
  ],
  ["2.4 ping of 125 bytes", [ping(Buffer.alloc(125, 0xfe)), goodbye], [`pong ${"\xfe".repeat(125)}`, "close 1000"]],
  ["2.5 ping of 126 bytes", [ping(Buffer.alloc(126, 0xfe))], ["close 1002"]],
  [
    "2.6 ping of 125 bytes, bytewise",
    [...bytewise(ping("p".repeat(125))), goodbye],
    [`pong ${"p".repeat(125)}`, "close 1000"],
  ],
  ["2.7 pong that nobody asked for, empty", [pong(""), goodbye], ["close 1000"]],
  ["2.8 pong that nobody asked for", [pong("unasked"), goodbye], ["close 1000"]],
  [
    "2.9 pong that nobody asked for, then ping",
    [pong("unasked"), ping("asked"), goodbye],
    ["pong asked", "close 1000"],
  ],
  [
    "2.10 ten pings at once",
    [Buffer.concat([...times(10, (n) => ping(`${n}`)), goodbye])],
    [...Array.from({ length: 10 }, (_, n) => `pong ${n}`), "close 1000"],
  ],
  [
    "2.11 ten pings, bytewise",
    [...bytewise(...times(10, () => ping("p"))), goodbye],
    [...Array(10).fill("pong p"), "close 1000"],
  ],
  [
    "2.12 a hundred pings at once: ten and the newest are answered",
    [Buffer.concat([...times(100, (n) => ping(`${n}`)), goodbye])],
    [...Array.from({ length: 10 }, (_, n) => `pong ${n}`), "pong 99", "close 1000"],
  ],
];

const reservedBits: Case[] = [
  ...[1, 2, 3, 4, 5, 6, 7].map((bits): Case => [`3.${bits} text with bits ${bits}`, [reserved(bits)], ["close 1002"]]),
  ["3.2 behind a text", [text("a"), reserved(2), text("b")], ["text a", "close 1002"]],
  ["3.2 behind a text, in one chunk", [Buffer.concat([text("a"), reserved(2), text("b")])], ["text a", "close 1002"]],
  ["3.3 behind a text, bytewise", bytewise(text("a"), reserved(3)), ["text a", "close 1002"]],
  ["3.6 ping with a bit", [reserved(6, 9)], ["close 1002"]],
  ["3.7 close with a bit", [reserved(7, 8)], ["close 1002"]],
];

const unknownOpcodes: Case[] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((opcode): Case[] => [
  [`4 opcode ${opcode}`, [clientFrame(opcode, "")], ["close 1002"]],
  [
    `4 opcode ${opcode} with a payload, behind a text`,
    [text("a"), clientFrame(opcode, "x"), ping("")],
    ["text a", "close 1002"],
  ],
]);

const fragmentation: Case[] = [
  ["5.1 ping in fragments", [clientFrame(9, "a", { isFinal: false }), end("b")], ["close 1002"]],
  ["5.2 pong in fragments", [clientFrame(10, "a", { isFinal: false }), end("b")], ["close 1002"]],
  ["5.3 text in two fragments", [begin("a"), end("b"), goodbye], ["text ab", "close 1000"]],
  ["5.4 in one chunk", [Buffer.concat([begin("a"), end("b"), goodbye])], ["text ab", "close 1000"]],
  ["5.5 bytewise", bytewise(begin("a"), end("b"), goodbye), ["text ab", "close 1000"]],
  ["5.6 with a ping between", [begin("a"), ping("p"), end("b"), goodbye], ["pong p", "text ab", "close 1000"]],
  [
    "5.8 with a ping between, bytewise",
    [...bytewise(begin("a"), ping("p")), ...bytewise(end("b"), goodbye)],
    ["pong p", "text ab", "close 1000"],
  ],
  ["5.9 continuation of nothing", [end("a"), text("b")], ["close 1002"]],
  ["5.11 continuation of nothing, bytewise", bytewise(end("a"), text("b")), ["close 1002"]],
  ["5.12 continuation of nothing that is not the last", [more("a"), text("b")], ["close 1002"]],
  ["5.15 continuation behind a whole message", [begin("a"), end("b"), more("c"), end("d")], ["text ab", "close 1002"]],
  ["5.16 text inside of nothing, twice", [more("a"), begin("b"), end("c")], ["close 1002"]],
  ["5.18 text inside of a message", [begin("a"), text("b")], ["close 1002"]],
  ["5.18 binary inside of a message", [begin("a"), clientFrame(2, "b")], ["close 1002"]],
  [
    "5.19 five fragments and two pings",
    [begin("1"), more("2"), ping("p"), more("3"), more("4"), ping("q"), end("5"), goodbye],
    ["pong p", "pong q", "text 12345", "close 1000"],
  ],
  ["5.20 empty fragments", [begin(""), more(""), end(""), goodbye], ["text ", "close 1000"]],
  ["5.20 empty fragments around one", [begin(""), more("a"), end(""), goodbye], ["text a", "close 1000"]],
  ["5.20 close inside of a message", [begin("a"), close(1001)], ["close 1001"]],
];

const utf8: Case[] = [
  ["6.1 empty", [text(""), goodbye], ["text ", "close 1000"]],
  [
    "6.2 many alphabets",
    [text("Hello-µ@ßöäüàá-UTF-8!! 届く 🛎"), goodbye],
    ["text Hello-µ@ßöäüàá-UTF-8!! 届く 🛎", "close 1000"],
  ],
  [
    "6.2 a fragment for each byte",
    [begin(""), ...Array.from(Buffer.from("κόσμε🛎"), (byte) => more(Buffer.of(byte))), end(""), goodbye],
    ["text κόσμε🛎", "close 1000"],
  ],
  [
    "6.3 broken in the middle",
    [text(hex("ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64"))],
    ["close 1007"],
  ],
  [
    "6.4 broken in the second of three fragments",
    [begin(hex("ce ba")), more(hex("f4 90 80 80")), end("a")],
    ["close 1007"],
  ],
  ["6.4 broken in a message over chunks", bytewise(text(hex("ce ba f4 90 80 80 61"))), ["close 1007"]],
  ["6.5 behind a good one", [text("a"), text(hex("80"))], ["text a", "close 1007"]],
  ...[
    "",
    "00",
    "7f",
    "c2 80",
    "df bf",
    "e0 a0 80",
    "ed 9f bf",
    "ee 80 80",
    "ef bf bf",
    "ef bb bf",
    "f0 90 80 80",
    "f4 8f bf bf",
  ].map((digits): Case => [`6.9 good: ${digits}`, [text(hex(digits)), goodbye], [`text ${hex(digits)}`, "close 1000"]]),
  ...[
    "80",
    "bf",
    "c0 80",
    "c1 bf",
    "c2",
    "c2 41",
    "e0 80 80",
    "e0 9f bf",
    "e1 80",
    "ed a0 80",
    "ed bf bf",
    "ed a0 80 ed b0 80",
    "f0 80 80 80",
    "f0 8f bf bf",
    "f0 90 80",
    "f4 90 80 80",
    "f5 80 80 80",
    "f8 88 80 80 80",
    "fc 84 80 80 80 80",
    "fe",
    "ff",
    "fe fe ff ff",
  ].flatMap((digits): Case[] => [
    [`6 broken: ${digits}`, [text(hex(digits))], ["close 1007"]],
    // Where bytes go through words of four, not one by one.
    [
      `6 broken behind 200 letters: ${digits}`,
      [text(Buffer.concat([Buffer.alloc(200, "a"), hex(digits)]))],
      ["close 1007"],
    ],
  ]),
];

const closing: Case[] = [
  ["7.1.1 text, then close", [text("a"), goodbye], ["text a", "close 1000"]],
  ["7.1.2 two closes", [Buffer.concat([goodbye, goodbye])], ["close 1000"]],
  ["7.1.3 ping behind close", [Buffer.concat([goodbye, ping("a")])], ["close 1000"]],
  ["7.1.4 text behind close", [Buffer.concat([goodbye, text("a")])], ["close 1000"]],
  ["7.1.5 close inside of a message, its end behind", [Buffer.concat([begin("a"), goodbye, end("b")])], ["close 1000"]],
  ["7.3.1 no code", [clientFrame(8, "")], ["close"]],
  ["7.3.2 half a code", [clientFrame(8, "a")], ["close 1002"]],
  ["7.3.3 a code", [close(1000)], ["close 1000"]],
  ["7.3.4 a code and a reason", [close(1000, "bye")], ["close 1000"]],
  ["7.3.5 a reason of 123 bytes", [close(1000, "*".repeat(123))], ["close 1000"]],
  ["7.3.5 a reason of 123 bytes, bytewise", bytewise(close(3000, "*".repeat(123))), ["close 3000"]],
  ["7.3.6 a reason of 124 bytes", [close(1000, "*".repeat(124))], ["close 1002"]],
  ["7.5.1 a reason that is no UTF-8", [close(1000, hex("ce ba ed a0 80"))], ["close 1007"]],
  ...[1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999].map(
    (code): Case => [`7.7 code ${code}`, [close(code)], [`close ${code}`]],
  ),
  ...[0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535].map(
    (code): Case => [`7.9 code ${code}, which may not be sent`, [close(code)], ["close 1002"]],
  ),
];

const big = "*".repeat(messageMaxBytes);
const limits: Case[] = [
  ["9.1 as long as allowed", [text(big), goodbye], [`text ${big}`, "close 1000"]],
  ["9.1 a byte more", [text(`${big}*`)], ["close 1009"]],
  ["9.1 by its head alone", [text(`${big}*`).subarray(0, 14)], ["close 1009"]],
  ["9.1 with the highest bit of 64", [hex("81 ff 80 00 00 00 00 00 00 00 00 00 00 00")], ["close 1009"]],
  [
    "9.3 as long as allowed, in fragments of 1,024",
    [begin(""), ...times(128, () => more("*".repeat(1024))), end(""), goodbye],
    [`text ${big}`, "close 1000"],
  ],
  ["9.3 a byte more, in fragments", [begin(big), end("*")], ["close 1009"]],
  [
    "9.3 as long as allowed, in 1,024 fragments in one chunk",
    [Buffer.concat([begin(""), ...times(1024, () => more("*".repeat(128))), end(""), goodbye])],
    [`text ${big}`, "close 1000"],
  ],
  [
    "9.5 as long as allowed, in writes of 1,000 bytes",
    [...times(132, (n) => text(big).subarray(n * 1000, (n + 1) * 1000)), goodbye],
    [`text ${big}`, "close 1000"],
  ],
  [
    "9.7 a thousand small ones",
    [Buffer.concat([...times(1000, (n) => text(`${n}`)), goodbye])],
    [...Array.from({ length: 1000 }, (_, n) => `text ${n}`), "close 1000"],
  ],
];

const chunking: Case[] = [
  [
    "10.1 a text of 300 bytes, bytewise",
    bytewise(text("x".repeat(300)), goodbye),
    [`text ${"x".repeat(300)}`, "close 1000"],
  ],
  [
    "10.1 a head of 64 bits, bytewise, and its payload at once",
    [...bytewise(text("x".repeat(70_000)).subarray(0, 14)), text("x".repeat(70_000)).subarray(14), goodbye],
    [`text ${"x".repeat(70_000)}`, "close 1000"],
  ],
  ...times(20, (n) => Buffer.alloc(n)).map(({ length }): Case => {
    const bytes = Buffer.concat([text("é".repeat(70)), ping("p"), goodbye]);
    return [
      `10.2 cut ${length} bytes into a frame, and ${length} before the end`,
      [bytes.subarray(0, length), bytes.subarray(length, bytes.length - length), bytes.subarray(bytes.length - length)],
      [`text ${"é".repeat(70)}`, "pong p", "close 1000"],
    ];
  }),
];

describe.each([
  ["1 framing", framing],
  ["2 pings and pongs", pings],
  ["3 reserved bits", reservedBits],
  ["4 opcodes", unknownOpcodes],
  ["5 fragmentation", fragmentation],
  ["6 UTF-8", utf8],
  ["7 closing", closing],
  ["9 limits", limits],
  ["10 odd chunks", chunking],
] as const)("%s", (_section, cases) => {
  it.each(cases.map((entry) => ({ entry, name: entry[0] })))("$name", async ({ entry: [, sent, back] }) => {
    const client = await RawWebSocket.open(server.port);
    for (const bytes of sent) {
      client.send(bytes);
      // The event loop turns between two writes, so that most come as a chunk each.
      await new Promise(setImmediate);
    }
    expect((await client.all()).map(shown)).toEqual(back);
    client.socket.destroy();
  });
});
