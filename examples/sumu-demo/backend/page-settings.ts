import { z } from "zod";
import { httpUrl } from "../../task-notifications/shared/settings.ts";

/** What the page and the check of names need, as it stands in the environment. */
export const signInSettings = z.object({
  // Not httpUrl: it would take away a trailing slash, which belongs to the names of some issuers.
  OIDC_ISSUER: z.url({ protocol: /^https?$/, error: "must be the address of an OpenID Connect issuer" }),
  OIDC_CLIENT_ID: z.string({ error: "must be the client id of the page" }),
  FIREBASE_API_KEY: z.string().optional(),
  FIREBASE_AUTH_DOMAIN: z.string().optional(),
  TODOKU_PUBLIC_URL: httpUrl().optional(),
  GATEWAY_PATH: z
    .string()
    .regex(/^\/\S*$/, "must begin with /")
    .default("/push"),
});

/** `GET /config.json`. */
export interface PageSettings {
  readonly issuer: string;
  readonly clientId: string;
  /** Of the WebSocket. */
  readonly gatewayUrl: string;
  /** Of a page that signs in with Firebase; nothing of it is secret. */
  readonly firebase?: { readonly apiKey: string; readonly authDomain: string; readonly projectId: string };
}

export function toPageSettings(settings: z.output<typeof signInSettings>, todokuUrl: string): PageSettings {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, FIREBASE_API_KEY: apiKey } = settings;
  const { FIREBASE_AUTH_DOMAIN: authDomain = `${clientId}.firebaseapp.com` } = settings;
  const publicUrl = settings.TODOKU_PUBLIC_URL ?? todokuUrl;
  return {
    ...{ issuer, clientId },
    gatewayUrl: `${publicUrl.replace(/^http/, "ws")}${settings.GATEWAY_PATH}`,
    // The tokens of a Firebase project are for the project.
    ...(apiKey === undefined ? {} : { firebase: { apiKey, authDomain, projectId: clientId } }),
  };
}
