import { accountId } from "../call.ts";
import { AwsError } from "../errors.ts";

/** What a client calls a parameter: names to look for, the first that is there counts, and which version. */
export interface ParameterSelector {
  readonly names: readonly string[];
  /** Undefined: the current one. */
  readonly version: number | undefined;
  /** ":3" as it was written; "" without one. */
  readonly suffix: string;
}

/**
 * `/svc/dev/key`, `/svc/dev/key:3`, or an ARN of either.
 * @throws AwsError `ParameterVersionNotFound`: a label, of which there are none.
 */
export function readSelector(text: string): ParameterSelector {
  const [, inArn] = /^arn:[^:]*:ssm:[^:]*:[^:]*:parameter(\/.*)$/s.exec(text) ?? [];
  const [, path = "", suffix = ""] = /^(.*?)(:[^:]*)?$/s.exec(inArn ?? text) ?? [];
  const version = suffix === "" ? undefined : readVersion(path, suffix);
  // The ARNs of `/key` and of `key` are the same.
  const isTop = inArn !== undefined && path.lastIndexOf("/") === 0;
  return { names: isTop ? [path, path.slice(1)] : [path], version, suffix };
}

function readVersion(name: string, suffix: string): number {
  if (/^:[1-9]\d{0,14}$/.test(suffix)) return Number(suffix.slice(1));
  throw new AwsError(
    "ParameterVersionNotFound",
    `parameter "${name}" has no version "${suffix.slice(1, 101)}"; labels are not offered`,
  );
}

export function toArn(region: string, name: string): string {
  return `arn:aws:ssm:${region}:${accountId}:parameter${name.startsWith("/") ? "" : "/"}${name}`;
}

/** Is a parameter below `path`: anywhere, or directly? A name without a slash stands at the top. */
export function isBelow(name: string, path: string, isRecursive: boolean): boolean {
  const full = name.startsWith("/") ? name : `/${name}`;
  const base = path.endsWith("/") ? path : `${path}/`;
  if (!full.startsWith(base) || full === base) return false;
  return isRecursive || !full.slice(base.length).includes("/");
}
