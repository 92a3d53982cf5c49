import { ErrorResponse, User, type UserManager } from "oidc-client-ts";
import { expect, it } from "vitest";
import { createIdTokenSource } from "./id-token.ts";

const minuteMs = 60_000;

/** A user whose ID token lives for a while. */
function aUser(idToken: string, lifeMs: number, refreshToken?: string): User {
  const profile = { sub: "u", iss: "i", aud: "a", iat: 0, exp: (Date.now() + lifeMs) / 1000 };
  const tokens = { id_token: idToken, access_token: "a", token_type: "Bearer" };
  return new User({ ...tokens, ...(refreshToken === undefined ? {} : { refresh_token: refreshToken }), profile });
}

/** Tabs that share what is signed in, at a provider whose refresh tokens can be used once. */
function aBrowser(user: User | null, refuse?: Error) {
  const browser = { user, renewals: 0 };
  const manager: Pick<UserManager, "getUser" | "signinSilent"> = {
    getUser: async () => browser.user,
    async signinSilent() {
      const renewal = ++browser.renewals;
      await Promise.resolve();
      if (refuse) throw refuse;
      browser.user = aUser(`id-${renewal}`, 10 * minuteMs, `refresh-${renewal}`);
      return browser.user;
    },
  };
  return { browser, aTab: () => createIdTokenSource(manager) };
}

it("gives the token that is there while it is good", async () => {
  const { browser, aTab } = aBrowser(aUser("id-0", 5 * minuteMs, "refresh-0"));
  expect(await aTab()({ isRefused: false })).toBe("id-0");
  expect(browser.renewals).toBe(0);
});

it("renews a token that is about to expire once, for all tabs", async () => {
  const { browser, aTab } = aBrowser(aUser("id-0", 30_000, "refresh-0"));
  const tokens = await Promise.all([aTab(), aTab(), aTab()].map((idToken) => idToken({ isRefused: false })));
  expect(tokens).toEqual(["id-1", "id-1", "id-1"]);
  expect(browser.renewals).toBe(1);
});

it("renews a token that was refused, however long it should live", async () => {
  const { aTab } = aBrowser(aUser("id-0", 10 * minuteMs, "refresh-0"));
  expect(await aTab()({ isRefused: true })).toBe("id-1");
});

it("says that the user is signed out when there is nobody, nothing to renew with, or the provider refuses", async () => {
  const signedOut = { problem: "signed-out" };
  await expect(aBrowser(null).aTab()({ isRefused: false })).rejects.toMatchObject(signedOut);
  await expect(aBrowser(aUser("id-0", -1)).aTab()({ isRefused: false })).rejects.toMatchObject(signedOut);
  const refused = new ErrorResponse({ error: "invalid_grant" });
  const { aTab } = aBrowser(aUser("id-0", -1, "refresh-0"), refused);
  await expect(aTab()({ isRefused: false })).rejects.toMatchObject(signedOut);
});

it("signs nobody out when the provider cannot be reached, or is unwell", async () => {
  for (const error of [new TypeError("Failed to fetch"), new ErrorResponse({ error: "server_error" })]) {
    const { aTab } = aBrowser(aUser("id-0", -1, "refresh-0"), error);
    await expect(aTab()({ isRefused: false })).rejects.toMatchObject({ problem: "unreachable" });
  }
});
