import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CapturedRequest, capturedRequests, capturedSecret } from "../../../test/support/aws-captures.ts";
import { signedHeaders } from "../../../test/support/aws-signing.ts";
import { signatureRefused } from "../../domain/auth/keys.ts";
import { openPrincipal } from "../../domain/auth/open-access.ts";
import { TodokuError } from "../../domain/errors.ts";
import { addressOf } from "./address.ts";
import { AwsAuthentication } from "./authentication.ts";
import { type AwsServiceName, awsServiceNames } from "./call.ts";
import { AwsError } from "./errors.ts";

const principal = { ...openPrincipal, kind: "key" } as const;

/** Who has signed it, or how it is refused. */
async function judge(request: CapturedRequest, options: Judging = {}): Promise<string> {
  const { secret = capturedSecret, acceptedHosts = [], nowMs = dateOf(request) } = options;
  const authentication = new AwsAuthentication({
    auth: {
      authenticate() {
        throw new TodokuError("unauthenticated", "a credential is needed");
      },
      authenticateSigned(_accessKeyId, _caller, isSigned) {
        if (!isSigned(secret)) throw signatureRefused();
        return principal;
      },
    },
    clock: { wallMs: () => nowMs },
    settings: { clockSkewSeconds: 300, acceptedHosts, connectionsTable: undefined },
  });
  const message = { method: request.method, rawHeaders: [...request.rawHeaders], headers: headersOf(request) };
  try {
    const signer = await authentication.authenticate(
      { ...message, socket: { remoteAddress: "127.0.0.1" } },
      addressOf(request.url),
      Buffer.from(request.body),
      options.service ?? serviceOf(request),
    );
    return `signed for ${signer.region}`;
  } catch (error) {
    if (error instanceof AwsError) return `${error.status} ${error.code}/${error.queryCode}: ${error.message}`;
    throw error;
  }
}

interface Judging {
  readonly secret?: string;
  readonly acceptedHosts?: readonly string[];
  readonly nowMs?: number;
  readonly service?: AwsServiceName;
}

/** As Node gives them: in lower case, the last of those that came twice. */
const headersOf = ({ rawHeaders }: CapturedRequest) =>
  Object.fromEntries(
    rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), rawHeaders[at + 1] ?? ""]] : [])),
  );

function dateOf(request: CapturedRequest): number {
  const [, year, month, day, hour, minute, second] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(headersOf(request)["x-amz-date"] ?? "") ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

function serviceOf(request: CapturedRequest): AwsServiceName {
  const service = headersOf(request).authorization?.split("/")[3];
  const known = awsServiceNames.find((name) => name === service);
  if (!known) throw new Error(`the service ${service} is none`);
  return known;
}

/** The request with one header changed: undefined takes it away, a list puts it there several times. */
function withHeader(request: CapturedRequest, name: string, value: string | readonly string[] | undefined) {
  const kept = request.rawHeaders.flatMap((header, at) =>
    at % 2 === 0 && header.toLowerCase() !== name ? [header, request.rawHeaders[at + 1] ?? ""] : [],
  );
  const values = value === undefined ? [] : [value].flat();
  return { ...request, rawHeaders: [...kept, ...values.flatMap((one) => [name, one])] };
}

const first = (client: string): CapturedRequest => {
  const [request] = capturedRequests(client);
  if (!request) throw new Error(`${client} has no request`);
  return request;
};
const withAuthorization = (request: CapturedRequest, change: (text: string) => string) =>
  withHeader(request, "authorization", change(headersOf(request).authorization ?? ""));

describe("requests that real clients have signed", () => {
  const clients = ["boto126", "boto143", "js", "envjs", "art126", "art143"];

  it.each(clients)("are all taken: %s", async (client) => {
    for (const request of capturedRequests(client)) {
      const token = headersOf(request)["x-amz-security-token"];
      expect(token === undefined ? await judge(request) : "a session", request.url).toBe("signed for us-east-1");
    }
  });

  it.each(clients)("are refused when anything that is signed is changed: %s", async (client) => {
    for (const request of capturedRequests(client)) {
      const { authorization = "" } = headersOf(request);
      const signed = /SignedHeaders=([^,]+)/.exec(authorization)?.[1]?.split(";") ?? [];
      const changed = [
        { ...request, method: request.method === "POST" ? "PUT" : "POST" },
        { ...request, url: `${request.url}x` },
        { ...request, url: `${request.url}?a=b` },
        { ...request, body: `${request.body} ` },
        ...signed.map((name) => withHeader(request, name, `${headersOf(request)[name]}1`)),
        ...signed.map((name) => withHeader(request, name, undefined)),
        ...signed.map((name) => withHeader(request, name, [headersOf(request)[name] ?? "", "again"])),
        withAuthorization(request, (text) => text.replace(/.$/, (digit) => (digit === "0" ? "1" : "0"))),
        withAuthorization(request, (text) => text.replace("us-east-1", "us-east-2")),
      ];
      for (const one of changed) {
        expect(await judge(one, { nowMs: dateOf(request) }), JSON.stringify(one)).toMatch(
          /^403 InvalidSignatureException/,
        );
      }
      expect(await judge(request, { secret: "another" })).toMatch(
        /^403 InvalidSignatureException\/SignatureDoesNotMatch/,
      );
    }
  });

  it("are refused with another secret, and with a session token, by name", async () => {
    const [wrong, session] = capturedRequests("neg");
    expect(await judge(wrong as CapturedRequest)).toBe(
      "403 InvalidSignatureException/SignatureDoesNotMatch: the signature does not match: check the secret access key, and that nothing on the way changes the request",
    );
    expect(await judge(session as CapturedRequest)).toMatch(
      /^403 UnrecognizedClientException\/InvalidClientTokenId: session tokens/,
    );
  });
});

describe("a signature", () => {
  const query = first("boto126");
  const json = first("boto143");
  const js = first("js");

  it.each<[string, CapturedRequest, string]>([
    [
      "no Authorization",
      withHeader(query, "authorization", undefined),
      "403 MissingAuthenticationTokenException/MissingAuthenticationToken: the request is not signed: it needs an access key (todoku key create --access-key)",
    ],
    [
      "a token",
      withHeader(query, "authorization", "Bearer x"),
      "403 IncompleteSignatureException/IncompleteSignature: the Authorization header must be a signature",
    ],
    [
      "parts in another order",
      withAuthorization(query, (text) => text.replace(/(SignedHeaders=[^,]+), (.*)/, "$2, $1")),
      "403 IncompleteSignatureException",
    ],
    ["two credentials", withAuthorization(query, (text) => `${text}, ${text}`), "403 IncompleteSignatureException"],
    [
      "another terminator",
      withAuthorization(query, (text) => text.replace("aws4_request", "aws5_request")),
      "403 IncompleteSignatureException",
    ],
    [
      "names in another order",
      withAuthorization(query, (text) => text.replace("content-type;host", "host;content-type")),
      "403 IncompleteSignatureException/IncompleteSignature: SignedHeaders must be names in lower case",
    ],
    [
      "names in capitals",
      withAuthorization(query, (text) => text.replace(";host", ";Host")),
      "403 IncompleteSignatureException",
    ],
    [
      "a name twice",
      withAuthorization(query, (text) => text.replace(";host", ";host;host")),
      "403 IncompleteSignatureException",
    ],
    [
      "host that is not signed",
      withAuthorization(query, (text) => text.replace(";host", "")),
      "403 InvalidSignatureException/SignatureDoesNotMatch: the header host must be signed",
    ],
    [
      "a date that is not signed",
      withAuthorization(query, (text) => text.replace(";x-amz-date", "")),
      "403 InvalidSignatureException/SignatureDoesNotMatch: the header x-amz-date must be signed",
    ],
    [
      "an added header that says what to do",
      withHeader(query, "x-amz-target", "AmazonSQS.PurgeQueue"),
      "403 InvalidSignatureException/SignatureDoesNotMatch: the header x-amz-target must be signed",
    ],
    [
      "another day in its scope",
      withAuthorization(query, (text) => text.replace("/20261122/", "/20261121/")),
      "403 InvalidSignatureException/SignatureDoesNotMatch: the day of the signature, 20261121, must be that of x-amz-date, 20261122T",
    ],
    [
      "an unsigned body",
      withHeader(js, "x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
      "403 InvalidSignatureException/SignatureDoesNotMatch: x-amz-content-sha256 UNSIGNED-PAYLOAD is not taken",
    ],
    [
      "a body in chunks",
      withHeader(js, "x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
      "403 InvalidSignatureException/SignatureDoesNotMatch: x-amz-content-sha256 STREAMING-AWS4-HMAC-SHA256-PAYLOAD is not taken",
    ],
    [
      "the hash of another body",
      withHeader(query, "x-amz-content-sha256", createHash("sha256").update("x").digest("hex")),
      "403 InvalidSignatureException/SignatureDoesNotMatch: x-amz-content-sha256 is not the SHA-256 of the body",
    ],
    [
      "a session token",
      withHeader(query, "x-amz-security-token", "x"),
      "403 UnrecognizedClientException/InvalidClientTokenId: session tokens",
    ],
    [
      "a folded header",
      withHeader(query, "content-type", "a\r\n b"),
      "403 InvalidSignatureException/SignatureDoesNotMatch: the header content-type is signed but goes on over several lines",
    ],
    [
      "a presigned address",
      { ...withHeader(query, "authorization", undefined), url: "/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0" },
      "403 InvalidSignatureException/SignatureDoesNotMatch: presigned addresses are not taken",
    ],
    [
      "an address with a broken escape",
      { ...query, url: "/?a=%E4%A" },
      "403 IncompleteSignatureException/IncompleteSignature: the query of the address has escapes that are none",
    ],
    [
      "a header Date instead",
      withHeader(withHeader(json, "x-amz-date", undefined), "date", "Sun, 22 Nov 2026 07:37:23 GMT"),
      "403 InvalidSignatureException/SignatureDoesNotMatch: the header x-amz-date must be there, and signed",
    ],
  ])("is refused by name with %s", async (_, request, refusal) => {
    const nowMs = dateOf(query);
    expect(
      await judge(request, { nowMs, service: serviceOf(request.rawHeaders === js.rawHeaders ? js : query) }),
    ).toContain(refusal);
  });

  it("is taken within the configured time before and after, and is refused past it", async () => {
    const signedAtMs = dateOf(query);
    const at = (seconds: number) => judge(query, { nowMs: signedAtMs + seconds * 1000 });
    expect(await at(300)).toBe("signed for us-east-1");
    expect(await at(-300)).toBe("signed for us-east-1");
    expect(await at(301)).toMatch(/^403 RequestExpired\/RequestExpired: Signature expired: 20261122T/);
    expect(await at(-301)).toMatch(/^403 RequestExpired\/RequestExpired: Signature not yet current: 20261122T/);
  });

  it("is refused for another service than the request is for", async () => {
    expect(await judge(query, { service: "ssm" })).toBe(
      `403 InvalidSignatureException/SignatureDoesNotMatch: the request is signed for the service ${serviceOf(query)}; must be ssm`,
    );
  });

  it("is taken behind a proxy that changes Host when the host that was signed is configured", async () => {
    const proxied = withHeader(query, "host", "10.0.0.7:8080");
    expect(await judge(proxied)).toMatch(/^403 InvalidSignatureException/);
    expect(await judge(proxied, { acceptedHosts: ["other", "127.0.0.1:4599"] })).toBe("signed for us-east-1");
  });
});

describe("a signed header", () => {
  const signing = { accessKeyId: "AKTEST", secretAccessKey: "s", service: "sqs", date: new Date(1_800_000_000_000) };

  it("is compared byte by byte but for its spaces: letters of UTF-8 that end in A0, like à, are none", async () => {
    const unsigned = { method: "POST", path: "/", headers: { host: "localhost:1", "x-note": "voilà  b à" }, body: "" };
    const signed = await signedHeaders(unsigned, signing);
    // As Node gives the bytes of UTF-8.
    const rawHeaders = Object.entries(signed).flatMap(([name, value]) => [name, Buffer.from(value).toString("latin1")]);
    const request = { method: "POST", url: "/", body: "", rawHeaders };
    expect(await judge(request, { secret: "s" })).toBe("signed for us-east-1");
  });
});

describe("against the signer of the JavaScript SDK", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,9}$/);
  const text = fc.string({
    unit: fc.oneof(fc.constantFrom(..." +%&=/~!*'();:@,#é漢"), fc.stringMatching(/^[\w.-]$/)),
    maxLength: 8,
  });
  const value = fc.stringMatching(/^[!-~]([ -~]{0,8}[!-~])?$/);

  it("every request that it signs is taken, and none of another secret", async () => {
    const requests = fc.record({
      method: fc.constantFrom("GET", "POST", "DELETE"),
      // It leaves out empty and dot segments, which no client sends, before it signs.
      segments: fc.array(
        text.filter((one) => !["", ".", ".."].includes(one)),
        { maxLength: 4 },
      ),
      query: fc.dictionary(
        text.filter((one) => one !== "" && !/^x-amz-/i.test(one)),
        fc.oneof(text, fc.array(text, { minLength: 1, maxLength: 3 })),
        { maxKeys: 4 },
      ),
      headers: fc.dictionary(
        name.map((one) => `x-${one}`),
        value,
        { maxKeys: 4 },
      ),
      body: fc.string({ unit: "grapheme", maxLength: 20 }),
      secret: value,
      isHashed: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(requests, async ({ method, segments, query, headers, body, secret, isHashed }) => {
        const path = `/${segments.map(encodeURIComponent).join("/")}`;
        const unsigned = { method, path, query, headers: { host: "localhost:1", ...headers }, body };
        const signing = {
          accessKeyId: "AKTEST",
          secretAccessKey: secret,
          service: "sqs",
          region: "eu-west-3",
          isHashed,
        };
        const signed = await signedHeaders(unsigned, { ...signing, date: new Date(1_800_000_000_000) });
        const pairs = Object.entries(query).flatMap(([key, values]) =>
          [values].flat().map((one) => `${encodeURIComponent(key)}=${encodeURIComponent(one)}`),
        );
        const url = pairs.length === 0 ? path : `${path}?${pairs.join("&")}`;
        const request = { method, url, body, rawHeaders: Object.entries(signed).flat() };
        expect(await judge(request, { secret })).toBe("signed for eu-west-3");
        expect(await judge(request, { secret: `${secret}x` })).toMatch(/^403 InvalidSignatureException/);
      }),
      { numRuns: 200 },
    );
  });
});
