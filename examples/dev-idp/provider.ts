import Provider, { type Configuration, errors, interactionPolicy, type KoaContextWithOIDC } from "oidc-provider";
import { limits } from "./limits.ts";
import { isLoopbackOrigin, isLoopbackUri } from "./loopback.ts";
import { endedPage, errorPage, signedOutPage, signOutPage } from "./site/pages.ts";
import type { Keys } from "./state/keys.ts";
import type { Records } from "./state/records.ts";
import type { Users } from "./state/users.ts";

interface Parts {
  readonly issuer: string;
  readonly clientId: string;
  readonly keys: Keys;
  readonly users: Users;
  readonly records: Records;
  readonly log: (line: string) => void;
}

/** The protocol itself, for one public client whose pages are anywhere on this machine. */
export function createProvider(parts: Parts): Provider {
  const { issuer, log } = parts;
  const provider = new Provider(issuer, { ...configuration(parts), features: features() });
  // Development servers take whichever port is free, so no list of addresses would do.
  provider.Client.prototype.redirectUriAllowed = isLoopbackUri;
  provider.Client.prototype.postLogoutRedirectUriAllowed = isLoopbackUri;
  provider.on("server_error", (ctx, error) => log(`${ctx.method} ${ctx.path} failed: ${error.stack}`));
  return provider;
}

function configuration({ issuer, clientId, keys, users, records }: Parts): Configuration {
  return {
    adapter: (model) => records.adapter(model),
    jwks: { keys: [keys.signingKey] },
    cookies: {
      keys: [keys.cookieKey],
      // Servers on other ports of this machine share the cookies' name space.
      names: { session: "dev_idp_session", interaction: "dev_idp_interaction", resume: "dev_idp_resume" },
    },
    clients: [
      {
        client_id: clientId,
        token_endpoint_auth_method: "none",
        grant_types: ["authorization_code", "refresh_token"],
        redirect_uris: [`${issuer}/`], // the client must have one; isLoopbackUri decides
      },
    ],
    allowOmittingSingleRegisteredRedirectUri: false,
    pkce: { required: () => true },
    clientBasedCORS: (_ctx, origin) => isLoopbackOrigin(origin),
    claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
    conformIdTokenClaims: false, // e-mail and name in the id token, too: it is all that an API gets to see
    // Browsers' libraries ask for offline_access without the consent prompt that the specification wants with it.
    issueRefreshToken: (_ctx, client) => client.grantTypeAllowed("refresh_token"),
    rotateRefreshToken: true,
    ttl: limits.lifeS,
    interactions: { policy: policy(), url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    loadExistingGrant: grantEverything,
    findAccount(_ctx, sub) {
      const user = users.bySub(sub);
      if (user === undefined) return undefined;
      const { email, name } = user;
      return { accountId: sub, claims: () => ({ sub, email, email_verified: true, name }) };
    },
    renderError(ctx, out, cause) {
      ctx.type = "html";
      ctx.body =
        cause instanceof errors.SessionNotFound ? endedPage() : wrongRequestPage(out.error, out.error_description);
    },
  };
}

function wrongRequestPage(error: string, description = "The app has sent a wrong request."): string {
  const bound = "redirect_uri must be http://127.0.0.1 or http://localhost, with any port and path.";
  return errorPage("This does not work", error === "invalid_redirect_uri" ? bound : description, error);
}

function features(): NonNullable<Configuration["features"]> {
  return {
    devInteractions: { enabled: false },
    dPoP: { enabled: false },
    pushedAuthorizationRequests: { enabled: false },
    resourceIndicators: { enabled: false },
    revocation: { enabled: true, allowedPolicy: (_ctx, client, token) => token.clientId === client.clientId },
    rpInitiatedLogout: {
      logoutSource(ctx, form) {
        const { IdTokenHint, Session } = ctx.oidc.entities;
        ctx.body = signOutPage(form, IdTokenHint !== undefined && IdTokenHint.payload.sub === Session?.accountId);
      },
      postLogoutSuccessSource(ctx) {
        ctx.type = "html";
        ctx.body = signedOutPage();
      },
    },
  };
}

/** The library's rules, and one more: a session whose user was deleted asks to sign in again. */
function policy(): interactionPolicy.DefaultPolicy {
  const rules = interactionPolicy.base();
  const isUserGone = ({ oidc }: KoaContextWithOIDC) =>
    oidc.session?.accountId !== undefined && oidc.account === undefined;
  rules
    .get("login")
    ?.checks.add(new interactionPolicy.Check("user_gone", "the user is gone", "login_required", isUserGone));
  return rules;
}

/** No consent screen: the one app is our own. */
async function grantEverything({ oidc }: KoaContextWithOIDC) {
  const { provider, client, session, account } = oidc;
  if (!client || !session || !account) return undefined;
  const grantId = session.grantIdFor(client.clientId);
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId);
  const grant = known ?? new provider.Grant({ clientId: client.clientId, accountId: account.accountId });
  grant.addOIDCScope("openid email profile offline_access");
  grant.exp = Math.floor(Date.now() / 1000) + limits.lifeS.Grant; // as long as the refresh token that is given for it now
  await grant.save();
  return grant;
}
