import { createHmac, timingSafeEqual } from "node:crypto";
import type Provider from "oidc-provider";
import { limits } from "../limits.ts";
import { checkSignUp, normalizeEmail, type SignUps } from "../sign-ups.ts";
import type { Users } from "../state/users.ts";
import { Tries } from "../tries.ts";
import { checkMailPage, signInPage, signUpPage } from "./pages.ts";
import { type Context, PageError, type Route, readForm, redirect, sendPage } from "./router.ts";

interface Parts {
  readonly provider: Provider;
  readonly users: Users;
  readonly signUps: SignUps;
  /** Signs the forms' tokens. */
  readonly cookieKey: string;
}

/** Sign-in and sign-up: what happens between an app's request and the answer to it. */
export function interactionRoutes({ provider, users, signUps, cookieKey }: Parts): Route[] {
  const signInTries = new Tries(limits.signInTries);
  const signUpTries = new Tries(limits.signUpTries);
  const formTokenOf = (uid: string) => createHmac("sha256", cookieKey).update(`form ${uid}`).digest("base64url");

  /** The interaction of this browser's cookie, which must be the one of the path. @throws SessionNotFound when it has ended. */
  async function open(ctx: Context, uid: string) {
    const interaction = await provider.interactionDetails(ctx.req, ctx.res);
    if (interaction.uid !== uid) throw new PageError(400, "Not this sign-in", "Go back to the app and sign in again.");
    return interaction;
  }

  async function readOwnForm(ctx: Context, uid: string): Promise<(name: string) => string> {
    const form = await readForm(ctx);
    const [expected, actual] = [formTokenOf(uid), form.get("formToken") ?? ""].map((text) => Buffer.from(text));
    if (expected?.length !== actual?.length || !timingSafeEqual(expected as Buffer, actual as Buffer)) {
      throw new PageError(403, "Not our form", "This form did not come from our page. Go back and try again.");
    }
    return (name) => form.get(name) ?? "";
  }

  async function showSignIn(ctx: Context, uid: string): Promise<void> {
    const { prompt, params } = await open(ctx, uid);
    // An app that asks for consent gets it: there is nothing that our own app should not have.
    if (prompt.name === "consent")
      return redirect(ctx, await provider.interactionResult(ctx.req, ctx.res, { consent: {} }));
    const email = typeof params.login_hint === "string" ? normalizeEmail(params.login_hint) : "";
    sendPage(ctx, signInPage({ uid, formToken: formTokenOf(uid), app: String(params.client_id), email }));
  }

  async function signIn(ctx: Context, uid: string): Promise<void> {
    const { params } = await open(ctx, uid);
    const value = await readOwnForm(ctx, uid);
    const email = normalizeEmail(value("email"));
    const refuse = (status: number, problem: string) =>
      sendPage(
        ctx,
        signInPage({ uid, formToken: formTokenOf(uid), app: String(params.client_id), email, problem }),
        status,
      );
    const waitMs = signInTries.take(email, ctx.ip);
    if (waitMs > 0) return refuse(429, tooMany(ctx, waitMs));
    const user = await users.authenticate(email, value("password"));
    if (user === undefined) return refuse(400, "E-mail or password is wrong.");
    signInTries.giveBack(email, ctx.ip);
    const result = { login: { accountId: user.sub } };
    redirect(ctx, await provider.interactionResult(ctx.req, ctx.res, result, { mergeWithLastSubmission: false }));
  }

  async function showSignUp(ctx: Context, uid: string): Promise<void> {
    await open(ctx, uid);
    sendPage(ctx, signUpPage({ uid, formToken: formTokenOf(uid) }));
  }

  async function signUp(ctx: Context, uid: string): Promise<void> {
    await open(ctx, uid);
    const value = await readOwnForm(ctx, uid);
    const values = { email: normalizeEmail(value("email")), name: value("name").trim(), password: value("password") };
    const page = { uid, formToken: formTokenOf(uid), values };
    const problems = checkSignUp(values);
    if (Object.keys(problems).length > 0) return sendPage(ctx, signUpPage({ ...page, problems }), 400);
    const waitMs = signUpTries.take(values.email, ctx.ip);
    if (waitMs > 0) return sendPage(ctx, signUpPage({ ...page, problem: tooMany(ctx, waitMs) }), 429);
    await signUps.request(values, uid);
    sendPage(ctx, checkMailPage(values.email, uid));
  }

  const signInPath = /^\/interaction\/([\w-]{1,64})$/;
  const signUpPath = /^\/interaction\/([\w-]{1,64})\/sign-up$/;
  return [
    { method: "GET", path: signInPath, handle: showSignIn },
    { method: "POST", path: signInPath, handle: signIn },
    { method: "GET", path: signUpPath, handle: showSignUp },
    { method: "POST", path: signUpPath, handle: signUp },
  ];
}

function tooMany(ctx: Context, waitMs: number): string {
  const seconds = Math.ceil(waitMs / 1000);
  ctx.set("Retry-After", String(seconds));
  return `Too many tries. Wait ${seconds < 120 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`} and try again.`;
}
