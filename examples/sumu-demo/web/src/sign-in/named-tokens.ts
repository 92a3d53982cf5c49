import type { SignIn } from "./sign-in.ts";

const timeoutMs = 3000;

/** Tokens of which the backend has read the user's name before they are used, so that others see the name with the first presence. */
export function namedTokens(signIn: SignIn): (isRefused: boolean) => Promise<string | undefined> {
  return async (isRefused) => {
    const token = await signIn.idToken(isRefused);
    if (token === undefined) return undefined;
    const headers = { authorization: `Bearer ${token}` };
    // Without a name the id stands for it: no reason not to connect.
    await fetch("/name", { method: "POST", headers, signal: AbortSignal.timeout(timeoutMs) }).catch(() => undefined);
    return token;
  };
}
