import { createHash, timingSafeEqual } from "node:crypto";
import { BoundedMap } from "../../lib/bounded-map.ts";
import { TodokuError } from "../errors.ts";
import type { Rates } from "../limiting/rates.ts";
import { limits } from "../limits.ts";
import { isApiKey, isKeyId } from "./api-key.ts";
import { unwrapCredential } from "./credential.ts";
import type { Identity } from "./identity.ts";
import { type Inspection, inspectionOfKey, inspectionOfPrincipal } from "./inspection.ts";
import { type IsSigned, type Keys, type SignedBy, signatureRefused } from "./keys.ts";
import { checkOpenAccess, openPrincipal } from "./open-access.ts";
import { type Caller, expiredError, type Principal } from "./principal.ts";
import type { Tokens } from "./tokens.ts";
import type { Users } from "./users.ts";
import type { KnownEnvironments } from "./withdrawal.ts";

/** The access key id of `--dev-key`: the key itself is the secret access key. */
export const devAccessKeyId = "dev-key";

/** How the server lets people in besides keys and tokens. */
export interface AccessOptions {
  /** Dev mode without `--dev-key`: the empty credential is the super user of `dev`, see open-access.ts. */
  readonly isOpen: boolean;
  /** Origins that may use the empty credential (`--dev-origin`). */
  readonly devOrigins: readonly string[];
  /** `--dev-key`: the random key of this run, a super user of `dev`. */
  readonly devKey: string | undefined;
}

/** Turns credentials into principals. Verified ones are remembered, bounded, and never past their expiry or withdrawal. */
export interface Auth {
  /**
   * At once for known credentials, else a promise: the hot path awaits nothing. Counts one call of the caller.
   * @throws TodokuError `unauthenticated`; `limit_exceeded`: too many calls, or too many credentials that were refused.
   */
  authenticate(credential: string, caller: Caller): Principal | Promise<Principal>;
  /**
   * The same for a request that is signed: `isSigned` is asked for the secret of the access key. In open dev mode the ids of access keys
   * that have not our form are the empty credential: AWS clients always sign with something.
   * @throws TodokuError as `authenticate`; the subject of `unauthenticated` is `access_key` or `signature` where it is one of these.
   */
  authenticateSigned(accessKeyId: string, caller: Caller, isSigned: IsSigned): Principal | Promise<Principal>;
  /**
   * For a caller whom somebody else knows, as a hook: counts what `ask` answers or throws as `authenticate` does, and remembers nothing.
   * @throws TodokuError as `ask`; `limit_exceeded`: too many calls, or too many credentials that were refused: then nobody is asked.
   */
  identify(caller: Caller, ask: () => Promise<Principal>): Promise<Principal>;
  /** For a call that goes on after a wait: is the principal still welcome? Counts nothing. @throws TodokuError `unauthenticated`. */
  recheck(principal: Principal): void;
  /**
   * What a genuine credential may do, though it may have ended. With `caller` it is counted when it is refused: for callers who are not known.
   * @throws TodokuError `unauthenticated`: forged, deleted, or none at all; `limit_exceeded`.
   */
  inspect(credential: string, caller?: Caller): Promise<Inspection>;
}

/** What credentials are checked with. */
export interface AuthParts {
  readonly keys: Pick<Keys, "verify" | "verifySigned" | "inspect">;
  readonly tokens: Pick<Tokens, "verify" | "inspect">;
  readonly users: Users;
  /** Without it nobody else's tokens are taken. */
  readonly identity?: Identity | undefined;
  readonly rates: Rates;
  /** Without it every environment is taken to be there. */
  readonly environments?: Pick<KnownEnvironments, "known"> | undefined;
  readonly access: AccessOptions;
  /** The clock that expiry is compared with. */
  readonly wallMs: () => number;
}

export function createAuth(parts: AuthParts): Auth {
  const { keys, tokens, users, identity, rates, environments, access, wallMs } = parts;
  const verified = new BoundedMap<string, Principal>(limits.verifiedCredentials, {
    max: limits.verifiedCredentialsMaxBytes,
    // As JSON grants have some half of the bytes that they take.
    weigh: (inner, { grants }) => inner.length + 2 * JSON.stringify(grants).length,
  });
  /** By access key id. */
  const signers = new BoundedMap<string, SignedBy>(limits.verifiedCredentials, {
    max: limits.verifiedCredentialsMaxBytes,
    weigh: (id, { principal, secretAccessKey }) =>
      id.length + secretAccessKey.length + 2 * JSON.stringify(principal.grants).length,
  });
  const devKeyHash = access.devKey === undefined ? undefined : sha256(access.devKey);
  const devPrincipal: Principal = { ...openPrincipal, kind: "key" };

  function checkLength(inner: string): void {
    if (inner.length <= limits.credentialMaxBytes) return;
    throw new TodokuError("unauthenticated", `the credential is longer than ${limits.credentialMaxBytes} bytes`);
  }

  /** Runs what looks at a credential that is not remembered: who tries many that are refused is not let on. */
  async function counted<T>(caller: Caller, look: () => T | Promise<T>): Promise<T> {
    rates.admitUnknown(caller);
    try {
      return await look();
    } catch (error) {
      if (error instanceof TodokuError && error.code === "unauthenticated") rates.refused(caller);
      throw error;
    }
  }

  /** `inner` is what `unwrapCredential` gives: the same key or token in another form is no second entry. */
  async function verify(inner: string, caller: Caller): Promise<Principal> {
    const principal = await counted(caller, () => {
      checkLength(inner);
      if (isDevKey(inner)) {
        checkIsHere(devPrincipal);
        return devPrincipal;
      }
      return isApiKey(inner) ? keys.verify(inner) : verifyToken(inner);
    });
    verified.set(inner, principal);
    rates.admit(principal, caller);
    return principal;
  }

  /** Ours, or one of an identity provider. */
  async function verifyToken(token: string): Promise<Principal> {
    const user = await identity?.verify(token);
    return user ? users.admit(user) : tokens.verify(token);
  }

  async function inspectToken(token: string): Promise<Inspection> {
    const user = await identity?.verify(token);
    const { principal, verdict } = user ? users.inspect(user) : await tokens.inspect(token);
    return inspectionOfPrincipal(principal, verdict, wallMs());
  }

  function isDevKey(inner: string): boolean {
    return devKeyHash !== undefined && timingSafeEqual(sha256(inner), devKeyHash);
  }

  /** Undefined when it is not known yet, or has to be looked up again. @throws TodokuError as `authenticate`. */
  function recall(inner: string, caller: Caller): Principal | undefined {
    const known = verified.get(inner);
    if (!known) return undefined;
    if (known.withdrawal?.isDone) {
      verified.delete(inner);
      return undefined;
    }
    if (hasExpired(known)) {
      verified.delete(inner);
      throw expiredError(known);
    }
    if (!known.withdrawal) checkIsHere(known);
    rates.admit(known, caller);
    return known;
  }

  /** The same for an access key; undefined also when the signature is wrong: then it is looked at, and counted, as one of a stranger. */
  function recallSigner(accessKeyId: string, caller: Caller, isSigned: IsSigned): Principal | undefined {
    const known = signers.get(accessKeyId);
    if (!known) return undefined;
    const { principal, secretAccessKey } = known;
    if (principal.withdrawal?.isDone || hasExpired(principal)) {
      signers.delete(accessKeyId);
      return undefined;
    }
    if (!isSigned(secretAccessKey)) return undefined;
    rates.admit(principal, caller);
    return principal;
  }

  async function verifySigned(accessKeyId: string, caller: Caller, isSigned: IsSigned): Promise<Principal> {
    const signer = await counted(caller, () => {
      if (accessKeyId !== devAccessKeyId || access.devKey === undefined)
        return keys.verifySigned(accessKeyId, isSigned);
      if (!isSigned(access.devKey)) throw signatureRefused();
      checkIsHere(devPrincipal);
      return { principal: devPrincipal, secretAccessKey: access.devKey };
    });
    const { principal } = signer;
    // What cannot be withdrawn is looked at each time.
    if (principal.withdrawal) signers.set(accessKeyId, signer);
    rates.admit(principal, caller);
    return principal;
  }

  const hasExpired = ({ expiresAtMs }: Principal) => expiresAtMs !== undefined && expiresAtMs <= wallMs();

  function authenticateOpen(caller: Caller): Principal {
    if (!access.isOpen) throw new TodokuError("unauthenticated", "a credential is needed: an API key or a token");
    checkOpenAccess(caller, access.devOrigins);
    checkIsHere(openPrincipal);
    rates.admit(openPrincipal, caller);
    return openPrincipal;
  }

  /** For principals without a withdrawal. */
  function checkIsHere({ environment }: Principal): void {
    if (!environments || environments.known(environment)) return;
    throw new TodokuError("unauthenticated", `the environment "${environment}" of this credential is not here`);
  }

  return {
    authenticate(credential, caller) {
      if (credential === "") return authenticateOpen(caller);
      const known = recall(credential, caller);
      if (known) return known;
      const inner = unwrapCredential(credential);
      return (inner === credential ? undefined : recall(inner, caller)) ?? verify(inner, caller);
    },

    authenticateSigned(accessKeyId, caller, isSigned) {
      if (access.isOpen && !isKeyId(accessKeyId)) return authenticateOpen(caller);
      return recallSigner(accessKeyId, caller, isSigned) ?? verifySigned(accessKeyId, caller, isSigned);
    },

    async identify(caller, ask) {
      const principal = await counted(caller, ask);
      rates.admit(principal, caller);
      return principal;
    },

    recheck(principal) {
      if (principal.withdrawal?.error) throw principal.withdrawal.error;
      if (hasExpired(principal)) throw expiredError(principal);
      if (!principal.withdrawal) checkIsHere(principal);
    },

    async inspect(credential, caller) {
      const inner = unwrapCredential(credential);
      const look = async () => {
        checkLength(inner);
        if (inner === "" && access.isOpen) return inspectionOfPrincipal(openPrincipal, undefined, wallMs());
        if (isDevKey(inner)) return inspectionOfPrincipal(devPrincipal, undefined, wallMs());
        if (isApiKey(inner)) return inspectionOfKey(await keys.inspect(inner), wallMs());
        return inspectToken(inner);
      };
      return caller ? counted(caller, look) : look();
    },
  };
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
