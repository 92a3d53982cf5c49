/** Finds the route of a frame: what its route selection expression gives. */
export interface RouteSelection {
  /** Whatever a frame holds, it goes to `$default`: no frame needs to be JSON. */
  readonly isAlwaysDefault: boolean;
  /** Undefined: the frame lacks something that the expression names, or that is no text. */
  select(frame: Readonly<Record<string, unknown>>): string | undefined;
}

/** The names on the way to a value of the body; a text stands for itself. */
type Part = string | readonly string[];

const variable = /^\$(?:\{request\.body\.([\w-]+(?:\.[\w-]+)*)\}|request\.body\.([\w-]+(?:\.[\w-]+)*))/;

/**
 * Reads a route selection expression of API Gateway: texts, `$request.body.<path>`, `${request.body.<path>}`, and `\$` for a dollar sign that
 * begins none. Undefined: it is none.
 */
export function parseRouteSelection(expression: string): RouteSelection | undefined {
  const parts: Part[] = [];
  let rest = expression;
  while (rest !== "") {
    const [all = "", braced, bare = ""] = variable.exec(rest) ?? [];
    const text = all === "" ? (/^(?:\\\$|[^$\\])+/.exec(rest)?.[0] ?? "") : "";
    if (all === "" && text === "") return undefined;
    parts.push(all === "" ? text.replaceAll("\\$", "$") : (braced ?? bare).split("."));
    rest = rest.slice(all.length + text.length);
  }
  if (parts.length === 0) return undefined;
  const [only] = parts;
  // What nearly everybody has: no text to put together.
  const select = parts.length === 1 && Array.isArray(only) ? selectOne(only) : selectJoined(parts);
  return { isAlwaysDefault: parts.length === 1 && only === "$default", select };
}

function selectOne(path: readonly string[]): RouteSelection["select"] {
  return (frame) => {
    const value = valueAt(frame, path);
    return typeof value === "string" ? value : undefined;
  };
}

function selectJoined(parts: readonly Part[]): RouteSelection["select"] {
  return (frame) => {
    let key = "";
    for (const part of parts) {
      const value = typeof part === "string" ? part : valueAt(frame, part);
      if (typeof value !== "string") return undefined;
      key += value;
    }
    return key;
  };
}

/** Own properties only: what every object inherits was not sent. */
function valueAt(frame: Readonly<Record<string, unknown>>, path: readonly string[]): unknown {
  let value: unknown = frame;
  for (const name of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  return value;
}
