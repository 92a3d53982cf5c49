import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { checkPathName } from "../names.ts";

/** @throws TodokuError `invalid_argument`. */
export function checkWebhookName(name: string): void {
  checkPathName("webhook", name);
}

/** What to do about an address that may not be called, to stand behind the sentence that says so. */
export const permissionHint = "the operator can permit it with outbound.allow";

/**
 * @param refusal says why the address of a URL of this form may not be called; undefined when it may.
 * @throws TodokuError `invalid_argument`.
 */
export function checkWebhookUrl(url: string, refusal: (url: string) => string | undefined): void {
  checkWebhookUrlForm(url);
  const reason = refusal(url);
  if (reason !== undefined) throw invalid(`webhook url: ${reason}; ${permissionHint}`);
}

/**
 * Without the question whether its address may be called, which the server alone can answer. No error repeats the URL: its query may hold a token.
 * @throws TodokuError `invalid_argument`.
 */
export function checkWebhookUrlForm(url: string): void {
  const { urlMaxLength } = limits.webhook;
  if (url.length > urlMaxLength) {
    throw invalid(`webhook url has ${url.length} characters; must be <= ${urlMaxLength}`);
  }
  // WHATWG parsing drops or mends these: what is kept must be what is called.
  if (!url.isWellFormed() || /[\p{Cc}\s\\]/u.test(url)) {
    throw invalid("webhook url must not have white space, control characters, backslashes or half characters");
  }
  const parsed = URL.parse(url);
  if (!parsed) throw invalid("webhook url is no absolute URL, like https://example.com/hook");
  if (parsed.protocol !== "https:" && parsed.protocol !== "http:") {
    throw invalid(`webhook url begins with "${parsed.protocol}"; must be "https:" or "http:"`);
  }
  if (parsed.username !== "" || parsed.password !== "") {
    throw invalid("webhook url must not have a user name or password");
  }
  if (url.includes("#")) throw invalid("webhook url must not have a fragment (#): it is never sent");
  if (parsed.port === "0") throw invalid("webhook url must not have the port 0");
}

/** @throws TodokuError `invalid_argument`: no whole number of `min`..`max`. */
export function checkCount(what: string, count: number, min: number, max: number): void {
  if (Number.isSafeInteger(count) && count >= min && count <= max) return;
  throw invalid(`${what} ${count} must be a whole number >= ${min} and <= ${max}`);
}

function invalid(message: string): TodokuError {
  return new TodokuError("invalid_argument", message);
}
