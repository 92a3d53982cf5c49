import type { Sealer } from "../encryption/sealer.ts";
import type { Engine } from "../engine.ts";
import { noRates, type Rates } from "../limiting/rates.ts";
import { type AccessOptions, type Auth, createAuth } from "./auth.ts";
import type { Identity } from "./identity.ts";
import { createKeys, type Keys } from "./keys.ts";
import { createRevocations, type Revocations } from "./revocations.ts";
import { createSigningKeys, type SigningKeys } from "./signing-keys.ts";
import { createTokens, type Tokens } from "./tokens.ts";
import { createUsers, type Users } from "./users.ts";
import { type KnownEnvironments, Withdrawals } from "./withdrawal.ts";

/** Who is let in, and with what: all services of this folder, put together. */
export interface Access {
  readonly auth: Auth;
  readonly keys: Keys;
  readonly tokens: Tokens;
  readonly users: Users;
  readonly revocations: Revocations;
  readonly signingKeys: SigningKeys;
  /** Reads what is known from the store: nobody may be let in before. */
  start(): Promise<void>;
  /** Compares with the store, for the tick each second. */
  refresh(): Promise<void>;
  /** Ends and removes what is over, for the tick each second. `nowMs` is wall time. */
  sweep(nowMs: number): Promise<void>;
}

export interface AccessParts {
  readonly engine: Pick<Engine, "records" | "bus">;
  readonly sealer: Pick<Sealer, "seal" | "open">;
  readonly wallMs: () => number;
  /** Default: only keys and tokens let in. */
  readonly access?: AccessOptions;
  /** Default: no identity provider's tokens are taken. */
  readonly identity?: Identity | undefined;
  /** Default: nothing is bounded. */
  readonly rates?: Rates;
  /** Without it every environment is taken to be there. */
  readonly environments?: KnownEnvironments | undefined;
}

export function createAccess(parts: AccessParts): Access {
  const { engine, sealer, wallMs, environments, identity, rates = noRates } = parts;
  const { records, bus } = engine;
  const { access = { isOpen: false, devOrigins: [], devKey: undefined } } = parts;
  const revocations = createRevocations(engine, wallMs);
  const signingKeys = createSigningKeys(engine, sealer, wallMs);
  const withdrawals = new Withdrawals(revocations, signingKeys, environments);
  const keys = createKeys({ records, bus, revocations, withdrawals, sealer, environments, wallMs });
  const tokens = createTokens({ signingKeys, revocations, withdrawals, wallMs });
  const users = createUsers(withdrawals);
  const auth = createAuth({ keys, tokens, users, identity, rates, environments, access, wallMs });

  async function refresh(): Promise<void> {
    await revocations.refresh();
    await signingKeys.refresh();
    await keys.refresh();
  }
  // What is left of it here must not be taken for a part of one that is made with its name.
  environments?.onGone(() => void refresh().catch(() => {}));

  return {
    ...{ auth, keys, tokens, users, revocations, signingKeys, refresh },
    async start() {
      await revocations.start();
      await signingKeys.start();
    },
    async sweep(nowMs) {
      // Keys before revocations: a key's record outlives no revocation of it.
      await keys.sweep(nowMs);
      await revocations.sweep(nowMs);
      await signingKeys.sweep(nowMs);
    },
  };
}
