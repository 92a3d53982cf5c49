import { create, toBinary } from "@bufbuild/protobuf";
import type { MadeKey } from "../../domain/auth/api-key.ts";
import type { Auth } from "../../domain/auth/auth.ts";
import { unwrapCredential } from "../../domain/auth/credential.ts";
import type { Keys } from "../../domain/auth/keys.ts";
import type { Principal } from "../../domain/auth/principal.ts";
import { TodokuError } from "../../domain/errors.ts";
import type { Call, Method } from "./call.ts";
import { decodeMessage } from "./codec.ts";
import {
  type GenerateApiTokenRequest,
  GenerateApiTokenRequestSchema,
  GenerateApiTokenResponseSchema,
  RefreshApiTokenRequestSchema,
  RefreshApiTokenResponseSchema,
} from "./gen/auth_pb.ts";
import { toKeyRights } from "./permissions.ts";

/** `auth.Auth`. The caller's credential is in the message; `endpoint` (with its port) is what the new key's clients dial. */
export function authMethods(auth: Auth, keys: Keys, endpoint: () => string): [string, Method][] {
  async function generate(call: Call): Promise<Uint8Array> {
    const request = decodeMessage(GenerateApiTokenRequestSchema, call.request);
    const principal = await auth.authenticate(request.authToken, call.caller);
    const rights = toKeyRights(request.permissions);
    if (rights.isSuperUser) checkMayMakeSuperUser(principal);
    if (request.tokenId !== "") throw new TodokuError("invalid_argument", "an API key has no token id; a token has");
    const made = await keys.create(principal, {
      ...rights,
      ...toLifetime(request),
      description: request.description,
      withRefreshToken: true,
    });
    return toBinary(GenerateApiTokenResponseSchema, create(GenerateApiTokenResponseSchema, toAnswer(made)));
  }

  async function refresh(call: Call): Promise<Uint8Array> {
    const { apiKey, refreshToken } = decodeMessage(RefreshApiTokenRequestSchema, call.request);
    // First, so that a guess counts as one, and a key that has ended is told so.
    await auth.authenticate(apiKey, call.caller);
    const made = await keys.renew(unwrapCredential(apiKey), refreshToken);
    return toBinary(RefreshApiTokenResponseSchema, create(RefreshApiTokenResponseSchema, toAnswer(made)));
  }

  function toAnswer({ key: { expiresAtMs }, secret, refreshToken = "" }: MadeKey) {
    // 0: it does not expire.
    const validUntil = BigInt(expiresAtMs === undefined ? 0 : Math.floor(expiresAtMs / 1000));
    return { apiKey: secret, refreshToken, endpoint: endpoint(), validUntil };
  }

  return [
    ["/auth.Auth/GenerateApiToken", { kind: "unary", handle: generate }],
    ["/auth.Auth/RefreshApiToken", { kind: "unary", handle: refresh }],
  ];
}

/** Momento lets only a signed-in person make super users (reference 3.3): here that is an operator. */
function checkMayMakeSuperUser({ isOperator }: Principal): void {
  if (isOperator) return;
  throw new TodokuError(
    "permission_denied",
    "an API key may not make a super-user key with this call; POST /v1/keys and todoku key create do",
  );
}

function toLifetime({ expiry }: GenerateApiTokenRequest): { readonly validForMs?: number } {
  if (expiry.case === "never") return {};
  if (expiry.case === "expires") return { validForMs: expiry.value.validForSeconds * 1000 };
  throw new TodokuError("invalid_argument", "an API key must either expire or never expire; the request says neither");
}
