import { readFileSync } from "node:fs";
import { errors } from "oidc-provider";
import { isLoopbackAddress } from "../loopback.ts";
import type { Outbox } from "../outbox.ts";
import type { SignUps } from "../sign-ups.ts";
import { confirmedPage, endedPage, errorPage, homePage, outboxPage } from "./pages.ts";
import { type Context, findRoute, PageError, type Route, redirect, sendPage } from "./router.ts";

/** What each answer carries, the provider's own pages too. They may lead back to apps on this machine, and nowhere else. */
const headers = {
  "Content-Security-Policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "form-action 'self' http://127.0.0.1:* http://localhost:*", // browsers apply it to the redirect behind a form, too
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; "),
  "Referrer-Policy": "same-origin",
  "X-Content-Type-Options": "nosniff",
};

interface Parts {
  readonly issuer: string;
  readonly outbox: Outbox;
  readonly signUps: SignUps;
  readonly log: (line: string) => void;
}

/** Everything that is not the protocol: our pages, and a page for whatever goes wrong. */
export function createSite({ issuer, outbox, signUps, log }: Parts, interactions: readonly Route[]) {
  const routes = [...interactions, ...pageRoutes({ issuer, outbox, signUps }), ...assetRoutes()];
  const { host } = new URL(issuer);

  async function answer(ctx: Context, next: () => Promise<unknown>): Promise<void> {
    // A name that somebody points at this machine (DNS rebinding) must not make a web page a neighbour of ours.
    if (ctx.host !== host) throw new PageError(421, "Another address", `This server answers at ${issuer} only.`);
    const found = findRoute(routes, ctx);
    if (found === undefined) {
      await next();
      // An empty answer (revocation) is of no type: oidc-client-ts refuses one that is not JSON.
      if (ctx.body === "") ctx.remove("Content-Type");
      if (ctx.status === 404 && !ctx.body) throw new PageError(404, "Not found", "There is nothing at this address.");
      return;
    }
    ctx.set("Cache-Control", "no-store");
    await found.route.handle(ctx, found.captured);
  }

  return async (ctx: Context, next: () => Promise<unknown>): Promise<void> => {
    ctx.set(headers);
    try {
      await answer(ctx, next);
    } catch (error) {
      if (error instanceof PageError) sendPage(ctx, errorPage(error.heading, error.message), error.status);
      else if (error instanceof errors.SessionNotFound) sendPage(ctx, endedPage(), 400);
      else {
        log(`${ctx.method} ${ctx.path} failed: ${error instanceof Error ? error.stack : String(error)}`);
        sendPage(ctx, errorPage("Something went wrong", "The reason is in the log of the server."), 500);
      }
    }
  };
}

function pageRoutes({ issuer, outbox, signUps }: Omit<Parts, "log">): Route[] {
  return [
    { method: "GET", path: /^\/$/, handle: (ctx) => sendPage(ctx, homePage(issuer)) },
    {
      method: "GET",
      path: /^\/outbox$/,
      handle(ctx) {
        if (!isLoopbackAddress(ctx.req.socket.remoteAddress)) {
          throw new PageError(403, "Not from there", "The outbox can be read on the machine of the server only.");
        }
        sendPage(ctx, outboxPage(outbox.mails));
      },
    },
    {
      method: "GET",
      path: /^\/confirm$/,
      handle(ctx) {
        const confirmed = signUps.confirm(String(ctx.query.token));
        if (!confirmed) throw new PageError(400, "This link does not work", "It was used already, or it is too old.");
        redirect(ctx, `/confirmed?interaction=${confirmed.interactionUid}`); // so that a reload shows the same page
      },
    },
    {
      method: "GET",
      path: /^\/confirmed$/,
      handle(ctx) {
        const uid = String(ctx.query.interaction);
        sendPage(ctx, confirmedPage(/^[\w-]{10,64}$/.test(uid) ? uid : undefined));
      },
    },
  ];
}

function assetRoutes(): Route[] {
  return ["style.css", "icon.svg", "outbox.js", "sign-out.js"].map((name) => {
    const content = readFileSync(new URL(`assets/${name}`, import.meta.url), "utf8");
    return {
      method: "GET",
      path: new RegExp(`^/${name.replace(".", "\\.")}$`),
      handle(ctx) {
        ctx.type = name;
        ctx.body = content;
      },
    };
  });
}
