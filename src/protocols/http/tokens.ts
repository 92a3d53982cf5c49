import { z } from "zod";
import { authorize } from "../../domain/auth/authorize.ts";
import { grantSchema } from "../../domain/auth/grants.ts";
import { limits } from "../../domain/limits.ts";
import { readJson } from "./body.ts";
import { authenticate } from "./caller.ts";
import type { HttpOptions } from "./options.ts";
import type { Routes } from "./routes.ts";

const issueSchema = z.strictObject({
  grants: z.array(grantSchema),
  tokenId: z.string().optional(),
  validForSeconds: z.number(),
});

/** `/v1/tokens`. */
export function tokenRoutes({ auth, tokens }: Pick<HttpOptions, "auth" | "tokens">): Routes {
  return {
    "/v1/tokens": {
      async POST(context) {
        const principal = await authenticate(auth, context.env.incoming);
        authorize(principal, "token.create");
        const request = await readJson(context.env.incoming, issueSchema, limits.http.jsonBodyMaxBytes);
        const issued = await tokens.issue(principal.environment, {
          grants: request.grants,
          tokenId: request.tokenId ?? "",
          validForMs: request.validForSeconds * 1000,
        });
        return context.json(issued, 201);
      },
    },
  };
}
