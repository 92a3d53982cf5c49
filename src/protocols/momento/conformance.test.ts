// Our .proto files and codecs against Momento's published classes (@gomomento/generated-types, of protoc-gen-ts over
// google-protobuf), both ways: a wrong field number, kind or path shows here and nowhere else.
// The values come from our side, so a uint32 of ours that is a uint64 of theirs would pass: that was compared by eye.
import {
  create,
  type DescField,
  type DescMessage,
  equals,
  fromBinary,
  type Message,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { auth, cache, control, leaderboard, ping, pubsub, token, webhook } from "@gomomento/generated-types";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Auth } from "./gen/auth_pb.ts";
import { ScsControl } from "./gen/control_pb.ts";
import { Leaderboard } from "./gen/leaderboard_pb.ts";
import { Ping } from "./gen/ping_pb.ts";
import { Pubsub } from "./gen/pubsub_pb.ts";
import { Scs } from "./gen/scs_pb.ts";
import { Token } from "./gen/token_pb.ts";
import { Webhook } from "./gen/webhook_pb.ts";

/** A message of Momento's: a getter per field, named as in the .proto file. */
interface Theirs {
  serialize(): Uint8Array;
  readonly [field: string]: unknown;
}

interface TheirMethod {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  requestDeserialize(bytes: Buffer): Theirs;
  responseDeserialize(bytes: Buffer): Theirs;
}

const definitions = [
  { ours: Pubsub, theirs: pubsub.cache_client.pubsub.UnimplementedPubsubService.definition },
  { ours: Scs, theirs: cache.cache_client.UnimplementedScsService.definition },
  { ours: Ping, theirs: ping.cache_client.UnimplementedPingService.definition },
  { ours: ScsControl, theirs: control.control_client.UnimplementedScsControlService.definition },
  { ours: Token, theirs: token.token.UnimplementedTokenService.definition },
  { ours: Auth, theirs: auth.auth.UnimplementedAuthService.definition },
  { ours: Webhook, theirs: webhook.webhook.UnimplementedWebhookService.definition },
  { ours: Leaderboard, theirs: leaderboard.leaderboard.UnimplementedLeaderboardService.definition },
];

const methods = definitions.flatMap(({ ours, theirs }) =>
  ours.methods.map((method) => {
    const path = `/${ours.typeName}/${method.name}`;
    return { path, method, theirs: (theirs as unknown as Record<string, TheirMethod>)[method.name] as TheirMethod };
  }),
);

/** Their 64-bit numbers are JavaScript's, so ours stay within what those can hold. */
const scalars: Partial<Record<ScalarType, fc.Arbitrary<unknown>>> = {
  [ScalarType.STRING]: fc.string({ unit: "binary" }),
  [ScalarType.BYTES]: fc.uint8Array(),
  [ScalarType.BOOL]: fc.boolean(),
  [ScalarType.SINT32]: fc.integer(),
  [ScalarType.UINT32]: fc.nat({ max: 2 ** 32 - 1 }),
  [ScalarType.UINT64]: fc.maxSafeNat().map(BigInt),
  [ScalarType.INT64]: fc.maxSafeInteger().map(BigInt),
  // Plus 0: their classes take -0 for a field that is not set.
  [ScalarType.DOUBLE]: fc.double({ noNaN: true }).map((number) => number + 0),
  [ScalarType.FLOAT]: fc.float({ noNaN: true }).map((number) => number + 0),
};

function anyValue(field: DescField): fc.Arbitrary<unknown> {
  const one = field.message
    ? anyMessage(field.message)
    : field.enum
      ? fc.constantFrom(...field.enum.values.map((value) => value.number))
      : scalars[field.scalar as ScalarType];
  if (one === undefined) throw new Error(`no values known for ${field}`);
  return field.fieldKind === "list" ? fc.array(one, { maxLength: 3 }) : one;
}

/** Messages of `schema` with every field or oneof member set or not. */
function anyMessage(schema: DescMessage): fc.Arbitrary<Message> {
  const members = schema.members.map((member) => {
    const value =
      member.kind === "oneof"
        ? fc.oneof(...member.fields.map((field) => anyValue(field).map((value) => ({ case: field.localName, value }))))
        : anyValue(member);
    return [member.localName, value];
  });
  return fc.record(Object.fromEntries(members), { requiredKeys: [] }).map((init) => create(schema, init as never));
}

/** `value` with plain arrays and numbers, so that our bigints and views compare with their numbers and copies. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  return typeof value === "bigint" ? Number(value) : value;
}

/** Each field that is set in `ours` is found under its name in `theirs`. */
function expectSameFields(ours: ReflectMessage, theirs: Theirs): void {
  for (const field of ours.fields.filter((field) => ours.isSet(field))) {
    const their = theirs[field.name];
    if (field.fieldKind === "list") {
      const items = [...ours.get(field)];
      expect(their, field.name).toHaveLength(items.length);
      items.forEach((item, index) => {
        expectSameValue(item, (their as unknown[])[index], field.name);
      });
    } else {
      expectSameValue(ours.get(field), their, field.name);
    }
  }
}

function expectSameValue(ours: unknown, theirs: unknown, name: string): void {
  const isMessage = typeof ours === "object" && ours !== null && "fields" in ours;
  if (isMessage) expectSameFields(ours as ReflectMessage, theirs as Theirs);
  else expect(plain(theirs), name).toEqual(plain(ours));
}

function expectSame(schema: DescMessage, deserialize: (bytes: Buffer) => Theirs): void {
  fc.assert(
    fc.property(anyMessage(schema), (ours) => {
      const theirs = deserialize(Buffer.from(toBinary(schema, ours)));
      expectSameFields(reflect(schema, ours), theirs);
      const back = fromBinary(schema, theirs.serialize());
      expect(equals(schema, back, ours), `${schema.typeName} sent back by their classes`).toBe(true);
    }),
    { numRuns: 200 },
  );
}

describe.each(methods)("$path", ({ path, method, theirs }) => {
  it("has Momento's path and streams", () => {
    expect(theirs.path).toBe(path);
    expect(theirs.requestStream).toBe(false);
    expect(theirs.responseStream).toBe(method.methodKind === "server_streaming");
  });

  it("has Momento's request", () => {
    expectSame(method.input, theirs.requestDeserialize);
  });

  it("has Momento's response", () => {
    expectSame(method.output, theirs.responseDeserialize);
  });
});
