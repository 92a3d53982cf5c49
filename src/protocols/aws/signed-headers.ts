import { canonicalValue, type SignedHeaders } from "./canonical.ts";
import { AwsError } from "./errors.ts";

/** May be there without being signed: the one is compared with the body anyway, the other says nothing but a name. */
const maybeUnsigned = new Set(["x-amz-content-sha256", "x-amz-user-agent"]);
/** Must be there and signed; so must every other `x-amz-` header that is there: they say what is to be done. */
const needed = ["host", "x-amz-date"];

/** Those that a signature covers. @throws AwsError: one that has to be signed is not, or one that is signed is not there, or twice. */
export function signedHeadersOf(rawHeaders: readonly string[], names: readonly string[]): SignedHeaders {
  const given = readHeaders(rawHeaders);
  const mustBeSigned = [
    ...needed,
    ...[...given.keys()].filter((name) => /^x-amz-/.test(name) && !maybeUnsigned.has(name)),
  ];
  for (const name of mustBeSigned) {
    if (!given.has(name)) throw refused(`the header ${name} must be there, and signed`);
    if (!names.includes(name)) throw refused(`the header ${name} must be signed`);
  }
  return new Map(names.map((name) => [name, canonicalValue(theOne(name, given.get(name)))]));
}

/** Node's own `headers` joins those that came twice, and so hides them. */
function readHeaders(rawHeaders: readonly string[]): Map<string, string[]> {
  const given = new Map<string, string[]>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const key = (rawHeaders[at] ?? "").toLowerCase();
    const value = rawHeaders[at + 1] ?? "";
    const values = given.get(key);
    if (values) values.push(value);
    else given.set(key, [value]);
  }
  // HTTP/2 names the host in `:authority`.
  const authority = given.get(":authority");
  if (authority) given.set("host", authority);
  return given;
}

function theOne(name: string, [value, ...others]: readonly string[] = []): string {
  if (value === undefined) throw refused(`the header ${name} is signed but not there`);
  if (others.length > 0) throw refused(`the header ${name} is signed but there ${others.length + 1} times`);
  if (/[\r\n]/.test(value)) throw refused(`the header ${name} is signed but goes on over several lines`);
  return value;
}

/** @throws AwsError: the body is not what was signed, or nobody says what was. */
export function checkBodyHash(said: string | undefined, bodyHash: string): void {
  if (said === undefined || said === bodyHash) return;
  if (/^(UNSIGNED-PAYLOAD|STREAMING-[A-Z0-9-]{1,64})$/.test(said)) {
    throw refused(`x-amz-content-sha256 ${said} is not taken: the body must be signed`);
  }
  throw refused("x-amz-content-sha256 is not the SHA-256 of the body in 64 hex digits");
}

/** @param dateTime YYYYMMDDTHHMMSSZ. @throws AwsError: it is not the day of the signature's scope, or too far from `nowMs`. */
export function checkDate(dateTime: string, day: string, nowMs: number, skewSeconds: number): void {
  const [, year, month, date, hours, minutes, seconds] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(dateTime) ?? [];
  const signedAtMs = Date.parse(`${year}-${month}-${date}T${hours}:${minutes}:${seconds}Z`);
  if (Number.isNaN(signedAtMs)) throw refused("x-amz-date must be a time like 20260131T235959Z");
  if (!dateTime.startsWith(day))
    throw refused(`the day of the signature, ${day}, must be that of x-amz-date, ${dateTime}`);
  if (Math.abs(signedAtMs - nowMs) <= skewSeconds * 1000) return;
  const what = signedAtMs < nowMs ? "Signature expired" : "Signature not yet current";
  const now = `the server's clock says ${new Date(nowMs).toISOString()}, and they may differ by ${skewSeconds} s`;
  throw new AwsError("RequestExpired", `${what}: ${dateTime}; ${now}`, { status: 403 });
}

/** The signature is none of this request. */
export function refused(message: string): AwsError {
  return new AwsError("InvalidSignatureException", message, { status: 403, queryCode: "SignatureDoesNotMatch" });
}
