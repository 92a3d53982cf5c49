import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** One request as a real client sent it: test/fixtures/aws-wire/README.md. */
export interface CapturedRequest {
  readonly method: string;
  readonly url: string;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

export const capturedSecret = "testsecret";

/** `boto126`, `boto143`, `js`, `envjs`, `art126`, `art143` or `neg`. */
export function capturedRequests(client: string): CapturedRequest[] {
  const path = fileURLToPath(new URL(`../fixtures/aws-wire/${client}.jsonl`, import.meta.url));
  const lines = readFileSync(path, "utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line));
}
