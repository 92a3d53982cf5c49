/** gRPC status numbers by the names that fault headers use (https://grpc.io/docs/guides/status-codes/, read November 2026). */
export const statusByName = {
  cancelled: 1,
  unknown: 2,
  "invalid-argument": 3,
  "deadline-exceeded": 4,
  "not-found": 5,
  "already-exists": 6,
  "permission-denied": 7,
  "resource-exhausted": 8,
  "failed-precondition": 9,
  aborted: 10,
  "out-of-range": 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  "data-loss": 15,
  unauthenticated: 16,
} as const;

export type StatusName = keyof typeof statusByName;

/** What the SDKs call them: the middleware of the Node SDK sends `stream-error` in its own words (Momento 9). */
const nameByErrorCode = new Map<string, StatusName>([
  ["ALREADY_EXISTS_ERROR", "already-exists"],
  ["AUTHENTICATION_ERROR", "unauthenticated"],
  ["BAD_REQUEST_ERROR", "invalid-argument"],
  ["CANCELLED_ERROR", "cancelled"],
  ["CLIENT_RESOURCE_EXHAUSTED", "resource-exhausted"],
  ["CONNECTION_ERROR", "unavailable"],
  ["FAILED_PRECONDITION_ERROR", "failed-precondition"],
  ["INTERNAL_SERVER_ERROR", "internal"],
  ["INVALID_ARGUMENT_ERROR", "invalid-argument"],
  ["LIMIT_EXCEEDED_ERROR", "resource-exhausted"],
  ["NOT_FOUND_ERROR", "not-found"],
  ["PERMISSION_ERROR", "permission-denied"],
  ["SERVER_UNAVAILABLE", "unavailable"],
  ["STORE_ITEM_NOT_FOUND_ERROR", "not-found"],
  ["STORE_NOT_FOUND_ERROR", "not-found"],
  ["TIMEOUT_ERROR", "deadline-exceeded"],
  ["UNKNOWN_ERROR", "unknown"],
  ["UNKNOWN_SERVICE_ERROR", "unknown"],
]);

/** A status by its name, or by an SDK's error code; undefined when it is neither. */
export function toStatusName(text: string): StatusName | undefined {
  return Object.hasOwn(statusByName, text) ? (text as StatusName) : nameByErrorCode.get(text);
}

/** Where Momento's word is not the method's own name (Momento 9): the SDKs send one word for a call and its predecessor. */
const rpcByMethod = new Map([
  ["Publish", "topic-publish"],
  ["Subscribe", "topic-subscribe"],
  ["ListErase", "list-remove"],
  ["SetIfNotExists", "set-if"],
]);

/** What fault headers call the method of a path: `/cache_client.Scs/SortedSetGetRank` is `sorted-set-get-rank`. */
export function rpcNameOf(path: string): string {
  const method = path.slice(path.lastIndexOf("/") + 1);
  return rpcByMethod.get(method) ?? method.replace(/\B[A-Z]/g, "-$&").toLowerCase();
}
