import { Buffer } from "node:buffer";
import { type Action, authorize, isAllowed } from "../auth/authorize.ts";
import type { Principal } from "../auth/principal.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Connection } from "./connection.ts";
import type { ConnectedUser, PageRequest } from "./connections.ts";
import type { OpenConnection, Population, User } from "./users.ts";

const action = "connection.read";

/** A page of those who are ONLINE and may be seen. */
export function listUsers(principal: Principal, population: Population | undefined, request: PageRequest) {
  const { page, cursor } = aPage(principal, online(population), request);
  const users = page.map(({ userId, connections, sinceMs }): ConnectedUser => {
    return { userId, connections: connections.length, onlineSinceMs: sinceMs };
  });
  return { users, cursor };
}

/** A page of the connections that may be seen. */
export function listConnections(principal: Principal, population: Population | undefined, request: PageRequest) {
  const { page, cursor } = aPage(principal, population?.connections.values() ?? [], request);
  return { connections: page as readonly Connection[], cursor };
}

/** What may be done to a single connection, by those whose grants say so. */
type ConnectionAction = Extract<Action, `connection.${string}`>;

/** One of `population`. Nobody can say whose it was when it is gone: whoever may do this to some is told so, to forget it. */
export function findConnection(
  principal: Principal,
  population: Population | undefined,
  wanted: ConnectionAction,
  connectionId: string,
): OpenConnection {
  const found = population?.connections.get(connectionId);
  if (found || !mayReachSome(principal, wanted)) authorize(principal, wanted, "", found?.userId ?? "");
  if (found) return found;
  throw connectionNotFound(connectionId);
}

/** May the principal do this to the connections of at least one user? */
export function mayReachSome(principal: Principal, wanted: ConnectionAction): boolean {
  if (principal.isSuperUser) return true;
  return principal.grants.some((grant) => {
    if (grant.resource !== "connection") return false;
    return grant.role === "read-write" || `connection.${grant.role}` === wanted;
  });
}

/** The error that every call about a missing connection gives. */
export function connectionNotFound(connectionId: string): TodokuError {
  const text = `there is no connection "${connectionId.slice(0, 100)}"`;
  return new TodokuError("not_found", text, { subject: "connection" });
}

function* online(population: Population | undefined): Generator<User> {
  for (const user of population?.users.values() ?? []) if (user.status === "ONLINE") yield user;
}

/** `all` in the order of their numbers: a cursor is the number of a page's last, so that it stays right while others come and go. */
function aPage<T extends { readonly userId: string | undefined; readonly number: number }>(
  principal: Principal,
  all: Iterable<T>,
  { after, limit }: PageRequest,
): { readonly page: readonly T[]; readonly cursor: string | undefined } {
  if (!mayReachSome(principal, action)) authorize(principal, action);
  const { pageMax } = limits.connection;
  if (!(Number.isSafeInteger(limit) && limit >= 1 && limit <= pageMax)) {
    throw new TodokuError("invalid_argument", `limit ${limit} must be a whole number that is >= 1 and <= ${pageMax}`);
  }
  const last = after === undefined ? 0 : readCursor(after);
  const page: T[] = [];
  for (const one of all) {
    if (one.number <= last || !isAllowed(principal, action, "", one.userId ?? "")) continue;
    if (page.length === limit) return { page, cursor: toCursor(page.at(-1)?.number ?? 0) };
    page.push(one);
  }
  return { page, cursor: undefined };
}

function toCursor(number: number): string {
  return Buffer.from(String(number)).toString("base64url");
}

function readCursor(cursor: string): number {
  const text = Buffer.from(cursor.slice(0, 100), "base64url").toString("latin1");
  if (/^\d{1,16}$/.test(text) && toCursor(Number(text)) === cursor) return Number(text);
  throw new TodokuError("invalid_argument", "the cursor is not one that a page of this list gave");
}
