import { z } from "zod";
import type { Principal } from "../../domain/auth/principal.ts";
import { TodokuError } from "../../domain/errors.ts";
import { operation } from "./operation.ts";
import type { HttpParts } from "./options.ts";
import { newRevocationSchema, revocationSchema, toRevocation, toRevocationJson } from "./revocation-codec.ts";
import type { Routes } from "./routes.ts";

/** `/v1/revocations`. */
export const revocationRoutes: Routes = {
  "/v1/revocations": {
    GET: operation({
      id: "listRevocations",
      tag: "tokens",
      summary: "List what was revoked in the environment, the oldest first",
      answers: {
        200: { description: "The log", schema: z.object({ revocations: z.array(revocationSchema) }) },
      },
      async handle({ principal, context, parts }) {
        return context.json({ revocations: (await parts.revocations.list(principal)).map(toRevocationJson) });
      },
    }),
    POST: operation({
      id: "revoke",
      tag: "tokens",
      summary: "Revoke tokens that were issued so far, and keys",
      description:
        "In effect when it answers; open streams end within a second. Tokens that are issued later are not touched.",
      body: newRevocationSchema,
      answers: { 201: { description: "It is in effect", schema: z.object({ version: z.int() }) } },
      async handle({ principal, body, context, parts }) {
        const revocation =
          "token" in body
            ? { what: "token" as const, jti: await toJti(body.token, principal, parts) }
            : toRevocation(body);
        return context.json(await parts.revocations.revoke(principal, revocation), 201);
      },
    }),
  },
};

/** A whole token is read as its own id. It is never quoted: an error may be logged. @throws TodokuError `invalid_argument`. */
async function toJti(text: string, { environment }: Principal, { auth }: HttpParts): Promise<string> {
  if (/^[0-9a-f-]{36}$/.test(text)) return text;
  const known = await auth.inspect(text).catch((error: unknown) => {
    if (error instanceof TodokuError && error.code === "unauthenticated") return undefined;
    throw error;
  });
  if (!known || known.kind === "open")
    throw invalid("this is neither the id of a token nor a token that was issued here");
  if (known.kind === "key") throw invalid('this is an API key; give its id as "keyId"');
  if (known.environment !== environment) throw invalid("this token is of another environment; revoke it there");
  if (known.jti === undefined) throw invalid("this token has no id of its own; revoke it by its token id or time");
  return known.jti;
}

function invalid(message: string): TodokuError {
  return new TodokuError("invalid_argument", `"token": ${message}`);
}
