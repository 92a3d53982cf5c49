import { limits } from "../limits.ts";
import { eventsCache } from "../names.ts";
import type { TokenGrant } from "./grants.ts";
import type { Selector } from "./selector.ts";

/**
 * What the users of a provider may do, as texts with placeholders: `{sub}`, and `{claims.<name>}` for a claim of the token. A `*` at the end of a
 * part, or alone, stands for every name that begins so.
 */
export interface GrantTemplates {
  /** `cache/topic`. */
  readonly subscribe: readonly string[];
  /** `cache/topic`. */
  readonly publish: readonly string[];
  /** Routes of the gateway. */
  readonly routes: readonly string[];
  /** Users whose presence may be watched. */
  readonly watch: readonly string[];
}

/** Who says nothing else gives these: what is said to oneself, and to speak through the application's own backend. */
export const defaultTemplates: GrantTemplates = {
  subscribe: ["notifications/{sub}"],
  publish: [],
  routes: ["publish", "send"],
  watch: [],
};

/** What a token says. */
type Claims = Readonly<Record<string, unknown>>;

/** Makes the grants of one user; undefined: its claims make more than `max`. */
export type GrantMaker = (claims: Claims, max: number) => readonly TokenGrant[] | undefined;

/** A text cut at its placeholders. */
interface NameTemplate {
  /** Literals and claims in turns, beginning with a literal. */
  readonly pieces: readonly string[];
  readonly isPrefix: boolean;
}

const placeholder = /\{(sub|claims\.[^{}]+)\}/;

/** What is wrong with `cache/topic`: a sentence; undefined: nothing. */
export function problemOfTopicTemplate(text: string): string | undefined {
  const [cache, topic] = splitTopic(text);
  if (topic === undefined) return "must be cache/topic, like notifications/{sub}";
  return problemOfNameTemplate(cache) ?? problemOfNameTemplate(topic);
}

/** The same for one name. */
export function problemOfNameTemplate(text: string): string | undefined {
  if (text === "") return "must not be empty: * stands for all";
  const { pieces, isPrefix } = parse(text);
  const literals = pieces.filter((_, i) => i % 2 === 0);
  if (literals.some((literal) => /[{}]/.test(literal))) return "must have no braces but {sub} and {claims.name}";
  if (literals.some((literal) => literal.includes("*"))) return "must have no * but at the end";
  // "u1*" would be for the user u10 too.
  if (isPrefix && pieces.length > 1 && literals.at(-1) === "")
    return "must have something between } and *, like {sub}:*";
  return undefined;
}

/** Reads templates that have no problem, once for all users. */
export function compileTemplates(templates: GrantTemplates): GrantMaker {
  const makers = [
    ...templates.subscribe.map((text) => ofTopic("subscribe", text)),
    ...templates.publish.map((text) => ofTopic("publish", text)),
    ...templates.routes.map((text) => ofName(text, (route) => ({ resource: "route", role: "invoke", route }))),
    ...templates.watch.map((text) => ofName(text, (user) => ({ resource: "presence", role: "watch", user }))),
  ];
  return (claims, max) => {
    const grants: TokenGrant[] = [];
    for (const make of makers) {
      // One more is enough to know that they are too many.
      for (const grant of make(claims, max + 1)) grants.push(grant);
      if (grants.length > max) return undefined;
    }
    return grants;
  };
}

type Make = (claims: Claims, max: number) => Iterable<TokenGrant>;

function ofTopic(role: "subscribe" | "publish", text: string): Make {
  const [cacheText, topicText = ""] = splitTopic(text);
  const [cacheTemplate, topicTemplate] = [parse(cacheText), parse(topicText)];
  // Only the operator names the reserved cache, no claim does.
  const isNamed = cacheTemplate.pieces.length === 1;
  return fixed([cacheTemplate, topicTemplate], function* (claims, max) {
    for (const cache of selectors(cacheTemplate, claims, max)) {
      if (!isNamed && "name" in cache && cache.name === eventsCache) continue;
      for (const topic of selectors(topicTemplate, claims, max)) yield { resource: "topic", role, cache, topic };
    }
  });
}

function ofName(text: string, toGrant: (selector: Selector) => TokenGrant): Make {
  const template = parse(text);
  return fixed([template], function* (claims, max) {
    for (const selector of selectors(template, claims, max)) yield toGrant(selector);
  });
}

/** What has no placeholder is made once: each of a hundred thousand principals would have its own. */
function fixed(templates: readonly NameTemplate[], make: Make): Make {
  if (templates.some(({ pieces }) => pieces.length > 1)) return make;
  const grants = [...make({}, 1)];
  return () => grants;
}

/** What the template selects, for each combination of its claims' values. */
function selectors({ pieces, isPrefix }: NameTemplate, claims: Claims, max: number): readonly Selector[] {
  let names: readonly string[] = [pieces[0] as string];
  for (let i = 1; i < pieces.length; i += 2) {
    const values = valuesOf(pieces[i] as string, claims);
    const literal = pieces[i + 1] as string;
    names = combine(names, values, literal, max);
  }
  return names.map((name) => toSelector(name, isPrefix));
}

/** What is longer than any name selects nothing, and would be kept for each user. */
function combine(names: readonly string[], values: readonly string[], literal: string, max: number): readonly string[] {
  const combined: string[] = [];
  for (const name of names) {
    for (const value of values) {
      if (combined.length === max) return combined;
      const length = name.length + value.length + literal.length;
      if (length <= limits.nameMaxBytes) combined.push(name + value + literal);
    }
  }
  return combined;
}

function toSelector(name: string, isPrefix: boolean): Selector {
  if (!isPrefix) return { name };
  return name === "" ? { all: true } : { prefix: name };
}

/** The values of a claim that can be names; of a list those of its members. None: there is no such claim. */
function valuesOf(place: string, claims: Claims): readonly string[] {
  const value = place === "sub" ? claims.sub : claimAt(claims, place.slice("claims.".length));
  const values = Array.isArray(value) ? value : [value];
  return [...new Set(values.map(toName).filter((name) => name !== undefined))];
}

function toName(value: unknown): string | undefined {
  if (typeof value === "number" && Number.isSafeInteger(value)) return String(value);
  return typeof value === "string" && value !== "" && value.isWellFormed() ? value : undefined;
}

/** The claim of that name, which may have dots (Auth0's are URLs), else the one that the dots lead to (Keycloak's `realm_access.roles`). */
function claimAt(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const part of name.split(".")) {
    if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, part))
      return undefined;
    value = (value as Claims)[part];
  }
  return value;
}

/** At the first slash: a topic's name may have more of them. */
function splitTopic(text: string): readonly [cache: string, topic: string | undefined] {
  const at = text.indexOf("/");
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function parse(text: string): NameTemplate {
  const isPrefix = text.endsWith("*");
  return { pieces: (isPrefix ? text.slice(0, -1) : text).split(placeholder), isPrefix };
}
