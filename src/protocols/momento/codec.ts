import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { TodokuError } from "../../domain/errors.ts";
import { limits } from "../../domain/limits.ts";

/** The elements of the longest call on a collection, each a message of two fields, and what stands beside them. */
const fieldsMax = 3 * limits.collectionMaxElements + 100;
/** A tag, and a length or a number. */
const fieldMinBytes = 2;

/**
 * Reads a message with its generated schema: everything that is not hot (control, tokens, the rarer cache calls). The
 * answers go out by protobuf's own `toBinary`. Unknown fields are dropped.
 * @throws TodokuError `invalid_argument`: not such a message, or one of too many fields; the text names it, not the field, which protobuf does not tell.
 */
export function decodeMessage<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array): MessageShape<Schema> {
  try {
    // Each field becomes an object of 0.4 us and 200 bytes: five million of two bytes held up everybody for 2 s.
    const mayHaveTooMany = bytes.byteLength > fieldsMax * fieldMinBytes;
    if (mayHaveTooMany && fieldsLeft(schema, new BinaryReader(bytes), bytes.length, fieldsMax) < 0) {
      throw new TodokuError("invalid_argument", `${schema.name}: more than ${fieldsMax} fields`);
    }
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (error) {
    if (error instanceof TodokuError) throw error;
    throw new TodokuError("invalid_argument", `${schema.name}: ${bytes.byteLength} bytes that are no such message`, {
      cause: error,
    });
  }
}

/**
 * What is left of so many fields after those of this message, which ends at `end`, and of the messages and packed numbers in it; it stops
 * counting below 0. One reader for all: a view of each inner message would take as long as to read it.
 */
function fieldsLeft(schema: DescMessage, reader: BinaryReader, end: number, max: number): number {
  let left = max;
  while (reader.pos < end && left >= 0) {
    const [number, type] = reader.tag();
    left -= 1;
    if (type !== WireType.LengthDelimited) {
      reader.skip(type, number);
      continue;
    }
    const field = schema.fields.find((field) => field.number === number);
    const innerEnd = Math.min(reader.uint32() + reader.pos, end);
    if (field?.message) left = fieldsLeft(field.message, reader, innerEnd, left);
    // Numbers that stand together in one field have at least one byte each.
    else if (field?.fieldKind === "list" && field.packed) left -= innerEnd - reader.pos;
    reader.pos = innerEnd;
  }
  return left;
}
