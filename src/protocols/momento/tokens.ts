import { create, toBinary } from "@bufbuild/protobuf";
import type { Auth } from "../../domain/auth/auth.ts";
import type { Tokens } from "../../domain/auth/tokens.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { Method } from "./call.ts";
import { decodeMessage } from "./codec.ts";
import { GenerateDisposableTokenRequestSchema, GenerateDisposableTokenResponseSchema } from "./gen/token_pb.ts";
import { toGrants } from "./permissions.ts";

/** `token.Token`. The caller's credential is in the message; `endpoint` (with its port) is what the new token's clients dial. */
export function tokenMethods(auth: Auth, tokens: Tokens, endpoint: () => string): [string, Method][] {
  return [
    [
      "/token.Token/GenerateDisposableToken",
      {
        kind: "unary",
        async handle(call) {
          const request = decodeMessage(GenerateDisposableTokenRequestSchema, call.request);
          const principal = await auth.authenticate(request.authToken, call.caller);
          if (!request.expires) throw new TodokuError("invalid_argument", "a disposable token must expire");
          const { token, expiresAtMs } = await tokens.issue(principal, {
            grants: toGrants(request.permissions),
            tokenId: request.tokenId,
            validForMs: request.expires.validForSeconds * 1000,
          });
          const response = { apiKey: token, endpoint: endpoint(), validUntil: BigInt(expiresAtMs / 1000) };
          return toBinary(
            GenerateDisposableTokenResponseSchema,
            create(GenerateDisposableTokenResponseSchema, response),
          );
        },
      },
    ],
  ];
}
