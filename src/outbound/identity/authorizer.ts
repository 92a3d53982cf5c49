import type { KeyObject } from "node:crypto";
import { compileTemplates, defaultTemplates, type GrantTemplates } from "../../domain/auth/grant-templates.ts";
import type { SignedInUser } from "../../domain/auth/identity.ts";
import { limits } from "../../domain/limits.ts";
import { checkAudience, checkClaims, Refusal, type TokenClaims } from "./claims.ts";
import type { IssuerKeys } from "./issuer-keys.ts";
import { fits, type PublicKey } from "./public-keys.ts";
import { isSigned } from "./signature.ts";

/** An identity provider, as the operator wrote it; its environment is found. */
export interface AuthorizerSettings {
  readonly issuer: string;
  readonly environment: string;
  readonly jwksUri?: string | undefined;
  readonly x509Uri?: string | undefined;
  readonly jwksFile?: string | undefined;
  /** None: whoever a token is for. */
  readonly audiences: readonly string[];
  readonly algorithms: readonly string[];
  readonly leewayMs: number;
  readonly grants?: GrantTemplates | undefined;
}

/** The head of a token, before anything of it is believed. */
export interface TokenHead {
  readonly alg?: unknown;
  readonly kid?: unknown;
  readonly typ?: unknown;
  readonly crit?: unknown;
}

/** ID tokens and access tokens say one of these, or nothing. A logout token of the same issuer has the same `sub` and `aud`, and lets nobody in. */
const types: ReadonlySet<string> = new Set(["jwt", "at+jwt", "application/at+jwt"]);

/** Tells who somebody with a token of this provider is. */
export class Authorizer {
  readonly settings: AuthorizerSettings;
  readonly #keys: IssuerKeys;
  readonly #toGrants: ReturnType<typeof compileTemplates>;

  constructor(settings: AuthorizerSettings, keys: IssuerKeys) {
    this.settings = settings;
    this.#keys = keys;
    this.#toGrants = compileTemplates(settings.grants ?? defaultTemplates);
  }

  /** Reads the provider's keys for the first time. */
  start(): Promise<void> {
    return this.#keys.start();
  }

  /**
   * `head` and `claims` as they stand in `token`. The signature comes first: what nobody signed is not worth a sentence about its claims.
   * @throws Refusal; TodokuError `unavailable`.
   */
  async verify(token: string, head: TokenHead, claims: TokenClaims, nowMs: number): Promise<SignedInUser> {
    const { environment, audiences, leewayMs } = this.settings;
    const alg = this.#checkHead(head);
    const found = this.#findKey(alg, head.kid);
    const key = found instanceof Promise ? await found : found;
    if (!isSigned(token, alg, key) && !(await this.#isSignedWithNewer(token, alg, head.kid)))
      throw new Refusal("signature", "this token's signature is not right");
    checkAudience(audiences, claims);
    const { userId, issuedAtMs, expiresAtMs, jti } = checkClaims(claims, nowMs, leewayMs);
    const { grantsMax } = limits.identity;
    const grants = this.#toGrants(claims, grantsMax);
    if (!grants) throw new Refusal("grants", `this token's claims stand for more than ${grantsMax} permissions`);
    return { environment, userId, grants, issuedAtMs, leewayMs, expiresAtMs, ...(jti !== undefined && { jti }) };
  }

  #checkHead({ alg, typ, crit }: TokenHead): string {
    // RFC 7515 4.1.11: who does not know what it names must refuse it. Nothing that it could name is known here.
    if (crit !== undefined)
      throw new Refusal("crit", 'this token wants something that is not known here (header "crit")');
    if (typ !== undefined && !(typeof typ === "string" && types.has(typ.toLowerCase()))) {
      throw new Refusal("typ", 'this token is of a kind that lets nobody in (header "typ")');
    }
    const { algorithms } = this.settings;
    if (typeof alg === "string" && algorithms.includes(alg)) return alg;
    throw new Refusal(
      "alg",
      `this token is signed in a way (header "alg") that is not allowed; it must be ${algorithms.join(" or ")}`,
    );
  }

  /** A provider whose keys have no names, or the same one for ever, has perhaps taken a new one. */
  async #isSignedWithNewer(token: string, alg: string, kid: unknown): Promise<boolean> {
    return (await this.#keys.readAgain()) && isSigned(token, alg, await this.#findKey(alg, kid));
  }

  #findKey(alg: string, kid: unknown): KeyObject | Promise<KeyObject> {
    const isNamed = (key: PublicKey) => (kid === undefined ? fits(key, alg) : key.kid === kid);
    const found = this.#keys.find(isNamed);
    return found instanceof Promise ? found.then((named) => pickKey(named, alg)) : pickKey(found, alg);
  }
}

/** @throws Refusal. */
function pickKey(named: readonly PublicKey[], alg: string): KeyObject {
  if (named.length === 0) {
    throw new Refusal("kid", 'the issuer of this token has no key that it was signed with (header "kid")');
  }
  const [one, ...others] = named.filter((key) => fits(key, alg));
  if (others.length > 0) {
    throw new Refusal("kid", 'this token does not name one key (header "kid"), and its issuer has several');
  }
  if (one?.key) return one.key;
  const { problem = "" } = named[0] ?? {};
  throw new Refusal("key", `the key that this token was signed with ${problem || `is not one for "${alg}"`}`);
}
