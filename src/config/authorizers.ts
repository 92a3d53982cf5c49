import { z } from "zod";
import { defaultTemplates, problemOfNameTemplate, problemOfTopicTemplate } from "../domain/auth/grant-templates.ts";
import { limits } from "../domain/limits.ts";

const { identity } = limits;

const url = z.url({ protocol: /^https?$/, error: "must be a URL that begins with https:// or http://" });

function templates(problemOf: (text: string) => string | undefined) {
  return z
    .array(
      z
        .string()
        .max(512)
        .superRefine((text, context) => {
          const problem = problemOf(text);
          if (problem !== undefined) context.addIssue({ code: "custom", message: problem });
        }),
    )
    .max(limits.tokenMaxGrants);
}

const grantsSchema = z.strictObject({
  subscribe: templates(problemOfTopicTemplate)
    .default([])
    .describe("Topics that they may subscribe to, each `cache/topic`. Without `grants`: `notifications/{sub}`."),
  publish: templates(problemOfTopicTemplate)
    .default([])
    .describe("Topics that they may publish to, each `cache/topic`."),
  routes: templates(problemOfNameTemplate)
    .default([...defaultTemplates.routes])
    .describe("Routes of the gateway that they may use; those of `gateway.endpoints[].routes` have to be named."),
  watch: templates(problemOfNameTemplate).default([]).describe("Users whose presence they may watch."),
});

const authorizerSchema = z
  .strictObject({
    issuer: z
      .string()
      .min(1)
      .max(2048)
      .describe(
        "The claim `iss` of its tokens, to the letter. Without another source of keys its OpenID document names them.",
      ),
    environment: z
      .string()
      .regex(/^[A-Za-z0-9-]{1,63}$/)
      .optional()
      .describe(
        "Where its users are. Default: the one that all endpoints name, else `dev` in dev mode; else it must be said.",
      ),
    jwksUri: url.optional().describe("Where its keys are, as a JSON Web Key Set."),
    x509Uri: url.optional().describe("Where its keys are, as certificates by key id, as Firebase has them."),
    jwksFile: z
      .string()
      .min(1)
      .optional()
      .describe("A file with its keys, in either form; a relative path starts at the working directory."),
    audiences: z
      .array(z.string().min(1).max(2048))
      .describe("A token must be for one of these: its claim `aud`, or `client_id`. Empty: for anybody."),
    algorithms: z
      .array(z.enum(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]))
      .min(1)
      .default(["RS256", "ES256"])
      .describe("How its tokens may be signed."),
    leewayMs: z
      .int()
      .min(0)
      .max(identity.leewayMs.max)
      .default(identity.leewayMs.default)
      .describe("By how many ms its clock and this one may differ."),
    grants: grantsSchema
      .optional()
      .describe(
        "What its users may do; default: subscribe to `notifications/{sub}`, and the routes `publish` and `send`.",
      ),
  })
  .superRefine(({ issuer, jwksUri, x509Uri, jwksFile }, context) => {
    const sources = Object.entries({ jwksUri, x509Uri, jwksFile }).filter(([, value]) => value !== undefined);
    const names = sources.map(([name]) => name);
    if (names.length > 1) {
      context.addIssue({ code: "custom", path: [names[1] as string], message: `goes not with ${names[0]}: give one` });
    }
    if (names.length === 0 && !(/^https?:\/\//.test(issuer) && URL.canParse(issuer))) {
      const message = "must be a URL, or give jwksUri, x509Uri or jwksFile: there is no other way to find its keys";
      context.addIssue({ code: "custom", path: ["issuer"], message });
    }
  });

/** Which of two a token is meant for, only its audience tells. */
function overlap(some: readonly string[], others: readonly string[]): boolean {
  return some.length === 0 || others.length === 0 || some.some((audience) => others.includes(audience));
}

/** Identity providers whose tokens let their users in. */
export const authorizersSchema = z
  .array(authorizerSchema)
  .max(identity.authorizersMax)
  .superRefine((authorizers, context) => {
    for (const [i, { issuer, audiences }] of authorizers.entries()) {
      const other = authorizers
        .slice(0, i)
        .findIndex((one) => one.issuer === issuer && overlap(one.audiences, audiences));
      if (other < 0) continue;
      const message = `must have nothing in common with those of gateway.authorizers[${other}], whose issuer is the same`;
      context.addIssue({ code: "custom", path: [i, "audiences"], message });
    }
  })
  .default([])
  .describe("Identity providers whose tokens (JWT) let their users in, see [sign-in.md](../guides/sign-in.md).");
