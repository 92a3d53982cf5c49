import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { TodokuError } from "../../domain/errors.ts";

/**
 * Reads a message with its generated schema: everything that is not hot (control, tokens, the rarer cache calls). The
 * answers go out by protobuf's own `toBinary`. Unknown fields are dropped.
 * @throws TodokuError `invalid_argument`: not such a message; the text names it, not the field, which protobuf does not tell.
 */
export function decodeMessage<Schema extends DescMessage>(schema: Schema, bytes: Uint8Array): MessageShape<Schema> {
  try {
    return fromBinary(schema, bytes, { readUnknownFields: false });
  } catch (error) {
    throw new TodokuError("invalid_argument", `${schema.name}: ${bytes.byteLength} bytes that are no such message`, {
      cause: error,
    });
  }
}
