import { ErrorResponse, type User, type UserManager } from "oidc-client-ts";
import type { IdTokenSource } from "../api/api.ts";
import { ApiError } from "../api/api-error.ts";

/** A token that expires sooner is renewed first. */
const minLifeMs = 60_000;
const temporary: readonly string[] = ["server_error", "temporarily_unavailable"];

/**
 * Renews the ID token when somebody needs it and it is about to expire: silently, with the refresh token. One tab at a time, and each looks
 * first whether another one has done it meanwhile, because a refresh token can be used once.
 */
export function createIdTokenSource(manager: Pick<UserManager, "getUser" | "signinSilent">): IdTokenSource {
  return async ({ isRefused }) => {
    const known = await manager.getUser();
    if (!isRefused && known?.id_token && lifeMs(known) > minLifeMs) return known.id_token;
    return navigator.locks.request("todoku-renew", async () => {
      const user = await manager.getUser();
      const isRenewed = user !== null && user.id_token !== known?.id_token && lifeMs(user) > 0;
      const current = isRenewed ? user : await renew(manager, user);
      if (current?.id_token) return current.id_token;
      throw new ApiError("signed-out", "there is no ID token");
    });
  };
}

async function renew(manager: Pick<UserManager, "signinSilent">, user: User | null): Promise<User | null> {
  if (!user?.refresh_token) throw new ApiError("signed-out", "there is no refresh token");
  try {
    return await manager.signinSilent();
  } catch (error) {
    // The provider said no (RFC 6749, 5.2); anything else passes.
    if (error instanceof ErrorResponse && !temporary.includes(error.error ?? ""))
      throw new ApiError("signed-out", `renewal refused: ${error.error}`);
    throw new ApiError("unreachable", "the identity provider cannot be reached");
  }
}

function lifeMs({ profile }: User): number {
  return profile.exp * 1000 - Date.now();
}
