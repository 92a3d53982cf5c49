import { expect, it } from "vitest";
import { openPrincipal } from "../../../domain/auth/open-access.ts";
import type { Principal } from "../../../domain/auth/principal.ts";
import type { Session } from "../session.ts";
import { createAuthActions } from "./auth.ts";

it("takes the credential of the refresh that was sent last, however long each takes to verify", async () => {
  const verified = new Map<string, (principal: Principal) => void>();
  const auth = {
    authenticate: (token: string) => new Promise<Principal>((resolve) => void verified.set(token, resolve)),
  };
  const adopted: unknown[] = [];
  const session = {
    ...{ isOpen: true, environment: "dev", principal: openPrincipal, connection: { address: "" }, reply() {} },
    adopt: (principal: Principal) => adopted.push(principal.expiresAtMs),
  } as unknown as Session;
  const refresh = createAuthActions({ auth }, () => {})["auth.refresh"];
  const [older, newer] = ["older", "newer"].map((token) => refresh?.(session, { action: "auth.refresh", token }));
  verified.get("newer")?.({ ...openPrincipal, expiresAtMs: 2 });
  await newer;
  verified.get("older")?.({ ...openPrincipal, expiresAtMs: 1 });
  await expect(older).rejects.toMatchObject({ code: "failed_precondition" });
  expect(adopted).toEqual([2]);
});
