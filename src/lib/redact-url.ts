/** Query parameters that carry credentials, in lower case. */
const secretParameters = new Set([
  "access_token",
  "api-key",
  "api_key",
  "apikey",
  "auth",
  "authorization",
  "client_secret",
  "code",
  "credential",
  "id_token",
  "jwt",
  "key",
  "password",
  "refresh_token",
  "secret",
  "sig",
  "signature",
  "ticket",
  "token",
  "x-amz-credential",
  "x-amz-security-token",
  "x-amz-signature",
  "x-api-key",
]);
const redacted = "REDACTED";
/** What credentials look like wherever they stand: our own forms, and base64 of JSON, which JWTs and Momento's keys are. */
const credentials = /(?:tdk_|tdr_|todoku_dev_)[\w%-]+|whsec_[\w%+/=-]+|eyJ[\w%+=.-]{16,}/g;

/**
 * `url` for a log: the values of query parameters that carry credentials, `user:password@`, and what looks like a credential (pasted
 * where an id is wanted) give way to `REDACTED`; the rest stays as it is. Takes addresses with and without a host, and text that is no address: it parses none of it.
 */
export function redactUrl(url: string): string {
  const address = url.replace(/^((?:[a-z][a-z0-9+.-]*:)?[\\/]{2})[^\\/?#]*@/i, `$1${redacted}@`);
  let safe = "";
  let done = 0;
  for (const { 0: field, 1: name = "", index } of address.matchAll(/[?&;#]([^?&;#=]*)=/g)) {
    if (index < done || !secretParameters.has(decode(name))) continue;
    const start = index + field.length;
    // Whether ";" and "?" end a value depends on who reads it: all that may belong to it goes.
    const length = address.slice(start).search(/[&#]/);
    safe += address.slice(done, start) + redacted;
    done = length === -1 ? address.length : start + length;
  }
  return (safe + address.slice(done)).replace(credentials, redacted);
}

/** A name as whoever reads the query takes it. */
function decode(name: string): string {
  const spaced = name.replaceAll("+", " ");
  try {
    return decodeURIComponent(spaced).trim().toLowerCase();
  } catch {
    return spaced.trim().toLowerCase();
  }
}
