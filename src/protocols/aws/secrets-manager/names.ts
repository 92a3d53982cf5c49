import { createHash } from "node:crypto";
import { accountId } from "../call.ts";

/** AWS appends six characters to a secret's name in its ARN. Ours follow from the name, so that a secret that is made anew keeps its ARN. */
function suffixOf(name: string): string {
  return createHash("sha256").update(name).digest("base64").replace(/[+/=]/g, "").slice(0, 6);
}

export function toArn(region: string, name: string): string {
  return `arn:aws:secretsmanager:${region}:${accountId}:secret:${name}-${suffixOf(name)}`;
}

/** A secret's name of what a client calls it: the name, its ARN, or its ARN without the six characters. */
export function readSecretId(secretId: string): string {
  const [, named] = /^arn:[^:]*:secretsmanager:[^:]*:[^:]*:secret:(.+)$/s.exec(secretId) ?? [];
  if (named === undefined) return secretId;
  const name = named.slice(0, -7);
  return named.at(-7) === "-" && named.slice(-6) === suffixOf(name) ? name : named;
}
