import type { RestRoute } from "./options.ts";

/** A route that a path goes by. */
export interface FoundRoute extends RestRoute {
  /** Its path as it is configured: `/task/{id}`. */
  readonly resource: string;
  /** What stands in the places of its names. */
  readonly pathParameters: Readonly<Record<string, string>>;
}

interface Route extends RestRoute {
  readonly method: string;
  readonly resource: string;
  readonly parts: readonly string[];
}

/** Finds the routes of one REST API: what is written out goes before names, those before a name that takes the rest, and a method before ANY. */
export class RestRoutes {
  readonly #routes: readonly Route[];

  constructor(routes: Readonly<Record<string, RestRoute>>) {
    this.#routes = Object.entries(routes)
      .map(([key, { handler, auth }]) => {
        const [method = "", resource = "/"] = key.split(" ");
        return { method, resource, handler, auth, parts: partsOf(resource) };
      })
      .toSorted((a, b) => compare(a, b));
  }

  /** `path`: behind the API's own, not decoded. Undefined: there is none. @throws URIError: what stands for a name is not encoded as an address. */
  find(method: string, path: string): FoundRoute | undefined {
    for (const { parts, ...route } of this.#matching(path)) {
      if (route.method !== "ANY" && route.method !== method) continue;
      const { handler, auth, resource } = route;
      return { handler, auth, resource, pathParameters: parametersOf(parts, partsOf(path)) };
    }
    return undefined;
  }

  /** Methods of all routes that a path goes by; none: there is no such path. */
  methodsOf(path: string): readonly string[] {
    const methods = this.#matching(path).flatMap(({ method }) => (method === "ANY" ? allMethods : [method]));
    return [...new Set(methods)];
  }

  #matching(path: string): readonly Route[] {
    const given = partsOf(path);
    return this.#routes.filter(({ parts }) => matches(parts, given));
  }
}

const allMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

function partsOf(path: string): readonly string[] {
  return path === "/" ? [] : path.slice(1).split("/");
}

const isName = (part: string) => part.startsWith("{");
const isRest = (part: string) => part.endsWith("+}");

function matches(parts: readonly string[], given: readonly string[]): boolean {
  const takesRest = parts.some(isRest);
  if (takesRest ? given.length < parts.length : given.length !== parts.length) return false;
  return parts.every((part, i) => (isName(part) ? given[i] !== "" : part === given[i]));
}

/** @throws URIError: the path is not encoded as an address. */
function parametersOf(parts: readonly string[], given: readonly string[]): Readonly<Record<string, string>> {
  const entries = parts.flatMap((part, i): [string, string][] => {
    if (!isName(part)) return [];
    const value = isRest(part) ? given.slice(i).join("/") : (given[i] ?? "");
    return [[part.replace(/^\{|\+?\}$/g, ""), decodeURIComponent(value)]];
  });
  return Object.fromEntries(entries);
}

/** The more exact one first. */
function compare(a: Route, b: Route): number {
  const rank = (part: string | undefined) => (part === undefined ? 3 : isRest(part) ? 2 : isName(part) ? 1 : 0);
  for (let i = 0; i < Math.max(a.parts.length, b.parts.length); i++) {
    const difference = rank(a.parts[i]) - rank(b.parts[i]);
    if (difference !== 0) return difference;
  }
  return Number(a.method === "ANY") - Number(b.method === "ANY");
}
