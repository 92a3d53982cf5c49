import { createHash } from "node:crypto";
import type { User } from "../../task-notifications/api/authorizer.ts";
import { unnamed } from "../shared/names.ts";

/** The bound of Momento's token ids. */
const tokenIdMaxLength = 64;
const nameMaxLength = 80;

/** What the user is called by in token ids, and so everywhere: the `sub`, or its digest where that is too long for a token id. */
export function userIdOf({ sub }: User): string {
  return sub.length <= tokenIdMaxLength ? sub : `sha256:${createHash("sha256").update(sub).digest("base64url")}`;
}

/** What others read. */
export function displayNameOf({ name }: User): string {
  const cleaned = (name ?? "").replace(/\p{C}/gu, "").trim().slice(0, nameMaxLength);
  return cleaned.toWellFormed() || unnamed;
}
