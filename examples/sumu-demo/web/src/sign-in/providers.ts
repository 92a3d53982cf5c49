import type { Settings } from "../settings.ts";
import { createOidcSignIn } from "./oidc.ts";
import type { SignIn } from "./sign-in.ts";

/** The identity provider that the settings ask for. @throws Error: it needs an SDK that this page was built without. */
export function createSignIn(settings: Settings): SignIn {
  if (settings.firebase)
    throw new Error("This page was built without the Firebase SDK; the README says how to put it in.");
  return createOidcSignIn(settings);
}
