import { Buffer } from "node:buffer";
import { randomBytes, randomUUID } from "node:crypto";
import { z } from "zod";
import type { Sealer } from "../encryption/sealer.ts";
import type { Engine } from "../engine.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { StoredRecord } from "../records/store.ts";
import { authorize } from "./authorize.ts";
import type { Principal } from "./principal.ts";
import { runInTurn } from "./run-in-turn.ts";

const recordKind = "signing-key";
const secretBytes = 32;

const documentSchema = z.object({
  sealed: z.string().exactOptional(),
  /** Plain, as earlier releases kept it. */
  secret: z.string().exactOptional(),
  createdAtMs: z.number(),
  /** For how long those before it verify, from its creation on. It stands here and not with them: one write says all. */
  overlapMs: z.number().default(limits.signingKey.overlapMs.default),
});

/** A key as it is known here. */
interface Kept {
  readonly id: number;
  readonly kid: string;
  readonly createdAtMs: number;
  readonly retiresAtMs: number | undefined;
  /** Opens it, once. */
  open(): Promise<Uint8Array>;
}

/** What a signing key is sealed as. */
export const sealedName = (kid: string) => `signing-key/${kid}`;

/** What may be shown of a key that signs tokens. */
export interface SigningKey {
  readonly kid: string;
  readonly createdAtMs: number;
  /** Wall time from which its tokens are refused; undefined for the current one. */
  readonly retiresAtMs?: number;
  /** New tokens are signed with it. */
  readonly isCurrent: boolean;
}

/** The keys that tokens of an environment are signed with: random, sealed, the newest one signs, older ones verify until they retire. */
export interface SigningKeys {
  /** Reads them; seals those that an earlier release kept plain. */
  start(): Promise<void>;
  /** The one to sign with; the first call for an environment makes it. */
  current(environment: string): Promise<{ readonly kid: string; readonly secret: Uint8Array }>;
  /** The one to verify with; undefined: it is not here, or has retired. */
  find(environment: string, kid: string): Promise<Uint8Array | undefined>;
  /** In no time: may its tokens still be used? */
  isLive(environment: string, kid: string): boolean;
  /** Those of the principal's environment that are live, the oldest first. @throws TodokuError `permission_denied`. */
  list(principal: Principal): Promise<readonly SigningKey[]>;
  /**
   * Makes a new one. Older ones verify for another `overlapMs` at most: 0 .. `limits.signingKey.overlapMs.max`, 0 = all tokens that were issued so far are void at once.
   * @throws TodokuError `permission_denied`, `invalid_argument`; `limit_exceeded`: `limits.signingKey.perEnvironment` would be live.
   */
  rotate(principal: Principal, options?: { readonly overlapMs?: number }): Promise<SigningKey>;
  /** Calls `listener` after keys came or went, here or on another node. */
  onChanged(listener: () => void): void;
  /** Compares with the store: for hints of other nodes and the tick each second. */
  refresh(): Promise<void>;
  /** Deletes those that have retired. */
  sweep(nowMs: number): Promise<void>;
}

/** @param wallMs the clock that creation and retirement are read from. */
export function createSigningKeys(
  { records, bus }: Pick<Engine, "records" | "bus">,
  sealer: Pick<Sealer, "seal" | "open">,
  wallMs: () => number,
): SigningKeys {
  /** Of each environment, the oldest first. */
  let rings = new Map<string, readonly Kept[]>();
  const firsts = new Map<string, Promise<void>>();
  const listeners: (() => void)[] = [];

  const refresh = runInTurn(async () => {
    const was = rings;
    const stored = [...(await records.list(recordKind))].sort((a, b) => a.id - b.id);
    rings = new Map();
    for (const [environment, ofIt] of Map.groupBy(stored, (record) => record.environment)) {
      rings.set(environment, toRing(ofIt, was.get(environment) ?? []));
    }
    if (!isSame(was, rings)) for (const listener of listeners) listener();
  });

  function toRing(stored: readonly StoredRecord[], was: readonly Kept[]): readonly Kept[] {
    const ring: Kept[] = [];
    let retiresAtMs: number | undefined;
    // From the newest on: a key retires when the first of those after it says so.
    for (const record of stored.toReversed()) {
      const { createdAtMs, overlapMs, ...secret } = documentSchema.parse(record.document);
      const open = was.find(({ id }) => id === record.id)?.open ?? opener(record, secret);
      ring.unshift({ id: record.id, kid: record.name, createdAtMs, retiresAtMs, open });
      // With no overlap it is void for good: a clock that is set back must not bring it back.
      const endsAtMs = overlapMs === 0 ? 0 : createdAtMs + overlapMs;
      retiresAtMs = Math.min(endsAtMs, retiresAtMs ?? Number.POSITIVE_INFINITY);
    }
    return ring;
  }

  function opener({ environment, name }: StoredRecord, { sealed, secret }: { sealed?: string; secret?: string }) {
    let opened: Promise<Uint8Array> | undefined;
    return () => {
      opened ??=
        sealed === undefined
          ? Promise.resolve(Buffer.from(secret ?? "", "base64url"))
          : sealer.open(environment, sealedName(name), sealed);
      opened.catch(() => {
        opened = undefined;
      });
      return opened;
    };
  }

  async function create(environment: string, overlapMs: number): Promise<string> {
    const name = randomUUID();
    const sealed = await sealer.seal(environment, sealedName(name), randomBytes(secretBytes));
    await records.create({ kind: recordKind, environment, name }, { sealed, createdAtMs: wallMs(), overlapMs });
    bus.send({ kind: "record-changed", recordKind, environment, name });
    await refresh();
    return name;
  }

  /** Two nodes may both make one: the newer signs, and verifies what the other has signed. */
  async function createFirst(environment: string): Promise<void> {
    await refresh();
    if (!rings.has(environment)) await create(environment, limits.signingKey.overlapMs.default);
  }

  const isRetired = ({ retiresAtMs = Number.POSITIVE_INFINITY }: Kept, nowMs: number) => retiresAtMs <= nowMs;

  function live(environment: string): readonly Kept[] {
    const nowMs = wallMs();
    return (rings.get(environment) ?? []).filter((kept) => !isRetired(kept, nowMs));
  }

  /** As the list shows it. */
  function describe(environment: string): readonly SigningKey[] {
    const ring = live(environment);
    return ring.map(({ kid, createdAtMs, retiresAtMs }, n) => {
      return { kid, createdAtMs, ...(retiresAtMs !== undefined && { retiresAtMs }), isCurrent: n === ring.length - 1 };
    });
  }

  async function seal({ environment, name, version, document }: StoredRecord): Promise<void> {
    const { secret, sealed: _, ...rest } = documentSchema.parse(document);
    try {
      const sealed = await sealer.seal(environment, sealedName(name), Buffer.from(secret ?? "", "base64url"));
      await records.replace({ kind: recordKind, environment, name }, { ...rest, sealed }, version);
    } catch (error) {
      // Another node was faster, or the environment is being destroyed.
      if (!(error instanceof TodokuError && ["failed_precondition", "not_found"].includes(error.code))) throw error;
    }
  }

  bus.listen((hint) => {
    if (hint.kind !== "record-changed" || hint.recordKind !== recordKind) return;
    refresh().catch(() => {}); // as if the hint were lost: the tick of each second comes anyway
  });

  return {
    refresh,
    onChanged: (listener) => void listeners.push(listener),
    isLive(environment, kid) {
      const kept = rings.get(environment)?.find((one) => one.kid === kid);
      return kept !== undefined && !isRetired(kept, wallMs());
    },

    async start() {
      for (const record of await records.list(recordKind)) {
        if (record.document.secret !== undefined) await seal(record);
      }
      await refresh();
    },

    async current(environment) {
      if (!rings.has(environment)) {
        const first = firsts.get(environment) ?? createFirst(environment).finally(() => firsts.delete(environment));
        firsts.set(environment, first);
        await first;
      }
      const newest = rings.get(environment)?.at(-1);
      if (!newest) throw new TodokuError("internal", "the signing key has gone");
      return { kid: newest.kid, secret: await newest.open() };
    },

    async find(environment, kid) {
      const found = () => rings.get(environment)?.find((kept) => kept.kid === kid);
      // Of another node, a moment ago.
      if (!found() && (await records.read({ kind: recordKind, environment, name: kid }))) await refresh();
      const kept = found();
      return kept && !isRetired(kept, wallMs()) ? kept.open() : undefined;
    },

    async list(principal) {
      authorize(principal, "signing-key.list");
      return describe(principal.environment);
    },

    async rotate(principal, { overlapMs = limits.signingKey.overlapMs.default } = {}) {
      authorize(principal, "signing-key.rotate");
      const { overlapMs: bounds, perEnvironment } = limits.signingKey;
      if (!(Number.isSafeInteger(overlapMs) && overlapMs >= 0 && overlapMs <= bounds.max)) {
        throw new TodokuError(
          "invalid_argument",
          `overlap ${overlapMs} ms must be a whole number >= 0 and <= ${bounds.max}`,
        );
      }
      const { environment } = principal;
      if (overlapMs > 0 && live(environment).length >= perEnvironment) {
        throw new TodokuError(
          "limit_exceeded",
          `environment "${environment}" has ${perEnvironment} signing keys that verify, the most it may have: wait until one retires, or rotate with no overlap`,
        );
      }
      const kid = await create(environment, overlapMs);
      const made = describe(environment).find((key) => key.kid === kid);
      if (!made) throw new TodokuError("unavailable", "the new signing key was rotated out at once by another call");
      return made;
    },

    async sweep(nowMs) {
      let isChanged = false;
      for (const [environment, ring] of rings) {
        for (const { kid } of ring.filter((kept) => isRetired(kept, nowMs))) {
          await records.remove({ kind: recordKind, environment, name: kid });
          isChanged = true;
        }
      }
      if (isChanged) await refresh();
    },
  };
}

function isSame(was: ReadonlyMap<string, readonly Kept[]>, is: ReadonlyMap<string, readonly Kept[]>): boolean {
  const ids = (rings: typeof was) => [...rings.values()].flat().map(({ id }) => id);
  return ids(was).join() === ids(is).join();
}
