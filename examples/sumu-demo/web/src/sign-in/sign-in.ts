/** Who is signed in. */
export interface SignedInUser {
  /** As it stands in the token (`sub`), and so everywhere in Todoku. */
  readonly id: string;
  readonly name: string;
}

/** What the page needs of an identity provider. `oidc.ts` is one; the README has one for Firebase. */
export interface SignIn {
  /** Calls back with who is signed in, now and after each change; undefined: nobody, perhaps because it did not work. Answers the function that ends it. */
  onChange(listener: (user: SignedInUser | undefined, hasFailed: boolean) => void): () => void;
  /** @throws Error: it did not work. */
  signIn(): Promise<void>;
  signOut(): Promise<void>;
  /** A good ID token; a new one when the last was refused. Undefined when nobody is signed in; throws when it cannot be had now. */
  idToken(isRefused: boolean): Promise<string | undefined>;
}
