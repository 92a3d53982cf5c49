import { createHash, timingSafeEqual } from "node:crypto";
import { BoundedMap } from "../../lib/bounded-map.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { isApiKey } from "./api-key.ts";
import { unwrapCredential } from "./credential.ts";
import type { Keys } from "./keys.ts";
import { checkOpenAccess, openPrincipal } from "./open-access.ts";
import type { Caller, Principal } from "./principal.ts";
import type { Tokens } from "./tokens.ts";

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
   * At once for known credentials, else a promise: the hot path awaits nothing.
   * @throws TodokuError `unauthenticated`.
   */
  authenticate(credential: string, caller: Caller): Principal | Promise<Principal>;
}

export function createAuth(
  { keys, tokens }: { readonly keys: Pick<Keys, "verify">; readonly tokens: Pick<Tokens, "verify"> },
  access: AccessOptions,
  wallMs: () => number,
): Auth {
  const verified = new BoundedMap<string, Principal>(limits.verifiedCredentials);
  const devKeyHash = access.devKey === undefined ? undefined : sha256(access.devKey);

  /** `inner` is what `unwrapCredential` gives: the same token in another wrapping is no second entry. */
  async function verify(inner: string): Promise<Principal> {
    if (inner.length > limits.credentialMaxBytes) {
      throw new TodokuError("unauthenticated", `the credential is longer than ${limits.credentialMaxBytes} bytes`);
    }
    const principal = await identify(inner);
    verified.set(inner, principal);
    return principal;
  }

  function identify(inner: string): Principal | Promise<Principal> {
    if (devKeyHash !== undefined && timingSafeEqual(sha256(inner), devKeyHash))
      return { ...openPrincipal, kind: "key" };
    return isApiKey(inner) ? keys.verify(inner) : tokens.verify(inner);
  }

  /** Undefined when it is not known yet, or has to be looked up again. @throws TodokuError `unauthenticated`: it has expired. */
  function recall(inner: string): Principal | undefined {
    const known = verified.get(inner);
    if (known?.withdrawal?.isDone) {
      verified.delete(inner);
      return undefined;
    }
    if (known?.expiresAtMs === undefined || known.expiresAtMs > wallMs()) return known;
    verified.delete(inner);
    throw new TodokuError("unauthenticated", "this token has expired");
  }

  return {
    authenticate(credential, caller) {
      if (credential === "") {
        if (!access.isOpen) throw new TodokuError("unauthenticated", "a credential is needed: an API key or a token");
        checkOpenAccess(caller, access.devOrigins);
        return openPrincipal;
      }
      const known = recall(credential);
      if (known) return known;
      const inner = unwrapCredential(credential);
      return (inner === credential ? undefined : recall(inner)) ?? verify(inner);
    },
  };
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
