import { AwsError } from "../errors.ts";

/** What an address of the management API names. */
export interface ConnectionAddress {
  /** What stands before `/@connections`: of API Gateway the stage; "" for nothing. */
  readonly prefix: string;
  readonly connectionId: string;
}

/**
 * `/push/@connections/L0SM9cOFvHcCIhw%3D`. The id is decoded once; `@` may be encoded as well.
 * @throws AwsError `BadRequestException`.
 */
export function readAddress(rawPath: string): ConnectionAddress {
  const [, prefix, encoded] = /^(.*?)\/(?:@|%40)connections\/([^/]+)$/s.exec(rawPath) ?? [];
  if (prefix === undefined || encoded === undefined) {
    throw new AwsError("BadRequestException", "the path must end with /@connections/ and one connection id");
  }
  return { prefix: decode(prefix), connectionId: decode(encoded) };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new AwsError("BadRequestException", "the path has a percent sign that begins no character of UTF-8");
  }
}
