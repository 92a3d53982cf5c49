/** What to do when there is no such handler. */
export const handlerHints = { not_found: "todoku handler list shows the handlers there are" };

/** Of one handler, or what lies behind it. */
export function handlerPath(name: string, rest = ""): string {
  return `/v1/handlers/${encodeURIComponent(name)}${rest}`;
}
