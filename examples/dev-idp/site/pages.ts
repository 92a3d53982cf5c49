import type { Mail } from "../outbox.ts";
import type { SignUp } from "../sign-ups.ts";
import { demoEmails, demoPassword } from "../state/users.ts";
import { Html, html } from "./html.ts";
import { field, layout } from "./layout.ts";

/** What the forms of one interaction share. */
interface FormPage {
  readonly uid: string;
  readonly formToken: string;
  /** What went wrong with the last try, in words. */
  readonly problem?: string;
}

const alert = (problem: string | undefined) =>
  problem === undefined ? undefined : html`<p class="alert" role="alert">${problem}</p>`;

export function signInPage(page: FormPage & { readonly app: string; readonly email: string }): string {
  const { uid, formToken, problem, app, email } = page;
  return layout({
    heading: "Sign in",
    body: html`<p class="lead">to continue to <strong>${app}</strong></p>
      ${alert(problem)}
      <form method="post" action="/interaction/${uid}">
        <input type="hidden" name="formToken" value="${formToken}" />
        ${field({ name: "email", label: "E-mail", type: "email", autocomplete: "username", value: email, isFocused: email === "" })}
        ${field({ name: "password", label: "Password", type: "password", autocomplete: "current-password", isFocused: email !== "" })}
        <button type="submit">Sign in</button>
      </form>
      <p class="aside">No account yet? <a href="/interaction/${uid}/sign-up">Sign up</a></p>
      <div class="note">
        <p>To try it out: <code>${demoEmails[0]}</code></p>
        <p>or <code>${demoEmails[1]}</code></p>
        <p>demo password: <code>${demoPassword}</code></p>
      </div>`,
  });
}

export function signUpPage(
  page: FormPage & {
    readonly values?: SignUp;
    readonly problems?: Partial<Record<keyof SignUp, string>>;
  },
): string {
  const { uid, formToken, problem, values, problems = {} } = page;
  const focused = (["name", "email", "password"] as const).find((name) => problems[name]) ?? "name";
  return layout({
    heading: "Sign up",
    body: html`${alert(problem)}
      <form method="post" action="/interaction/${uid}/sign-up" novalidate>
        <input type="hidden" name="formToken" value="${formToken}" />
        ${field({ name: "name", label: "Name", type: "text", autocomplete: "name", value: values?.name, problem: problems.name, isFocused: focused === "name" })}
        ${field({ name: "email", label: "E-mail", type: "email", autocomplete: "username", value: values?.email, problem: problems.email, isFocused: focused === "email" })}
        ${field({ name: "password", label: "Password", type: "password", autocomplete: "new-password", hint: "At least 8 characters. Do not use one of your real passwords.", problem: problems.password, isFocused: focused === "password" })}
        <button type="submit">Send me the link</button>
      </form>
      <p class="aside">Have an account? <a href="/interaction/${uid}">Sign in</a></p>`,
  });
}

export function checkMailPage(email: string, uid: string): string {
  return layout({
    heading: "Check your mail",
    body: html`<p>We have sent a link to <strong>${email}</strong>. Open it within an hour to go on.</p>
      <p><a class="button" href="/outbox" target="_blank">Open the outbox</a></p>
      <p class="aside"><a href="/interaction/${uid}">Back to sign-in</a></p>`,
  });
}

export function confirmedPage(uid: string | undefined): string {
  const next = html`<p><a class="button" href="/interaction/${uid}">Continue to sign-in</a></p>
    <p class="aside">If you began in another browser, go back to the app there.</p>`;
  return layout({
    heading: "Your account is ready",
    body: html`<p>Your e-mail address is confirmed.</p>
      ${uid === undefined ? undefined : next}`,
  });
}

/** `form` is the provider's own, with its token; the buttons belong to it by its id. */
export function signOutPage(form: string, isCertain: boolean): string {
  const stay = html`<button type="submit" form="op.logoutForm" class="quiet">Stay signed in</button>`;
  return layout({
    heading: isCertain ? "Signing out" : "Sign out?",
    body: html`${new Html(form)}
      <p>${isCertain ? "One moment." : "An app asks to sign you out of this identity provider."}</p>
      <button type="submit" form="op.logoutForm" name="logout" value="yes">Sign out</button>
      ${isCertain ? undefined : stay}`,
    ...(isCertain ? { script: "sign-out.js" } : {}),
  });
}

export function signedOutPage(): string {
  return layout({ heading: "You are signed out", body: html`<p>You can close this page.</p>` });
}

export function errorPage(heading: string, message: string, detail?: string): string {
  return layout({
    heading,
    body: html`<p>${message}</p>
      ${detail === undefined ? undefined : html`<p class="note"><code>${detail}</code></p>`}`,
  });
}

/** For a form that is sent twice, or from a page that lay open too long. */
export function endedPage(): string {
  const message = "It was finished already, or it is too old. Go back to the app and sign in again.";
  return errorPage("This sign-in has ended", message);
}

export function homePage(issuer: string): string {
  return layout({
    heading: "Identity provider",
    body: html`<p>An OpenID Connect provider for developers. Apps on this machine send you here to sign in.</p>
      <dl>
        <dt>Issuer</dt>
        <dd><code>${issuer}</code></dd>
        <dt>Discovery</dt>
        <dd><a href="/.well-known/openid-configuration">openid-configuration</a></dd>
      </dl>`,
  });
}

export function outboxPage(mails: readonly Mail[]): string {
  const items = mails.map(
    ({ to, subject, text, link, atMs }) => html`<li class="mail">
      <h2>${subject}</h2>
      <p class="hint">to <strong>${to}</strong>, <time datetime="${new Date(atMs).toISOString()}">${new Date(atMs).toLocaleTimeString("en-GB")}</time></p>
      <p>${text}</p>
      ${link === undefined ? undefined : html`<p class="link"><a href="${link}">${link}</a></p>`}
    </li>`,
  );
  return layout({
    heading: "Outbox",
    body: html`<p class="lead">Mails of this development server, newest first. Nothing is sent; the page keeps itself up to date.</p>
      <div id="mails" aria-live="polite">${items.length === 0 ? html`<p class="empty">No mail yet.</p>` : html`<ul>${items}</ul>`}</div>`,
    script: "outbox.js",
    isWide: true,
  });
}
