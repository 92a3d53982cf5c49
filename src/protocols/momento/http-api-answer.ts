import { Buffer } from "node:buffer";
import { type ServerResponse, STATUS_CODES } from "node:http";
import type { ErrorCode, TodokuError } from "../../domain/errors.ts";
import type { Encoding } from "../../domain/topics/subscription.ts";

/** The statuses that Momento's reference lists, with 405 and 503. */
const httpStatus = {
  invalid_argument: 400,
  unauthenticated: 401,
  permission_denied: 403,
  not_found: 404,
  already_exists: 400,
  failed_precondition: 400,
  limit_exceeded: 429,
  unimplemented: 405,
  unavailable: 503,
  internal: 500,
} as const satisfies Record<ErrorCode, number>;

/** Momento's words for what is not there. */
const notFoundTitles: Readonly<Record<string, string>> = { cache: "Cache Not Found", key: "Key Not Found" };

/** Problem details (RFC 9457), as the JSON API has them: Momento says no more than that the body tells. */
export function answerError(response: ServerResponse, { code, subject, message, retryAfterMs }: TodokuError): void {
  const status = httpStatus[code];
  const title = (code === "not_found" && notFoundTitles[subject ?? ""]) || STATUS_CODES[status];
  if (status === 401) response.setHeader("www-authenticate", "Bearer");
  if (retryAfterMs !== undefined) response.setHeader("retry-after", Math.ceil(retryAfterMs / 1000));
  else if (status === 503) response.setHeader("retry-after", 1);
  const body = JSON.stringify({ type: "about:blank", title, status, detail: message, code });
  response.writeHead(status, { "content-type": "application/problem+json" }).end(body);
}

/** Entries of {@link entryEncoding} as the answer of a poll. `isLast`: nothing more is to come over this connection. */
export function answerItems(response: ServerResponse, entries: readonly Uint8Array[], isLast: boolean): void {
  if (isLast && response.req.httpVersionMajor === 1) response.setHeader("connection", "close");
  const body = Buffer.concat([head, ...entries.flatMap((entry, i) => (i === 0 ? [entry] : [comma, entry])), tail]);
  response.writeHead(200, { "content-type": "application/json", "content-length": body.length }).end(body);
}

const head = Buffer.from('{"items":[');
const comma = Buffer.from(",");
const tail = Buffer.from("]}");

/** Items and discontinuities as entries of `items`, separated by commas: built once for all polls of a topic. */
export const entryEncoding: Encoding = {
  items: (items) =>
    Buffer.from(
      items
        .map(({ sequence, page, value, tokenId }) => {
          const bytes = Buffer.from(value.bytes.buffer, value.bytes.byteOffset, value.bytes.length);
          return JSON.stringify({
            item: {
              topic_sequence_number: sequence,
              sequence_page: page,
              value: value.isText ? { text: bytes.toString("utf8") } : { binary: [...bytes] },
              ...(tokenId === "" ? {} : { publisher_id: tokenId }),
            },
          });
        })
        .join(","),
    ),
  discontinuity: ({ after, now }) =>
    Buffer.from(
      JSON.stringify({
        discontinuity: {
          last_topic_sequence: after.sequence,
          new_topic_sequence: now.sequence,
          new_sequence_page: now.page,
        },
      }),
    ),
};
