import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";

/** Tags that are set; null takes one away, and others stay. */
export type TagChanges = Readonly<Record<string, string | null>>;

/** `tags` with the changes. @throws TodokuError `invalid_argument` that names the tag, its length and the bound. */
export function changeTags(
  tags: Readonly<Record<string, string>>,
  changes: TagChanges,
): Readonly<Record<string, string>> {
  const changed = new Map(Object.entries(tags));
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) changed.delete(key);
    else {
      checkTag(key, value);
      changed.set(key, value);
    }
  }
  const { max } = limits.queue.tags;
  if (changed.size > max) throw new TodokuError("invalid_argument", `${changed.size} tags must be <= ${max}`);
  return Object.fromEntries(changed);
}

function checkTag(key: string, value: string): void {
  const { keyMaxLength, valueMaxLength } = limits.queue.tags;
  if (key.length < 1 || key.length > keyMaxLength) {
    throw new TodokuError(
      "invalid_argument",
      `a tag's key has ${key.length} characters; must be >= 1 and <= ${keyMaxLength}`,
    );
  }
  if (value.length > valueMaxLength) {
    throw new TodokuError(
      "invalid_argument",
      `the value of tag "${key}" has ${value.length} characters; must be <= ${valueMaxLength}`,
    );
  }
  // It would not be a field of its own once it is read back.
  if (key === "__proto__") throw new TodokuError("invalid_argument", 'the tag "__proto__" is not allowed');
  if (key.isWellFormed() && value.isWellFormed()) return;
  throw new TodokuError("invalid_argument", "a tag's key or value is not well-formed Unicode");
}
