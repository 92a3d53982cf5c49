import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TimerWheel } from "../../lib/timer-wheel.ts";
import type { Caller, Principal } from "../auth/principal.ts";
import { TodokuError } from "../errors.ts";
import { limits } from "../limits.ts";
import { RateLimiter } from "./rate-limiter.ts";
import { productionRates, type RateSettings, type ServerRateSettings } from "./settings.ts";

const caller = (address = "192.0.2.1"): Caller => ({
  isLoopbackPeer: false,
  address,
  host: undefined,
  origin: undefined,
  secFetchSite: undefined,
});

const aPrincipal = (traits: Partial<Principal> = {}): Principal => ({
  kind: "key",
  environment: "prod",
  isSuperUser: false,
  isOperator: false,
  grants: [],
  tokenId: "",
  keyId: "k1",
  expiresAtMs: undefined,
  ...traits,
});
const aToken = (jti: string, traits: Partial<Principal> = {}) => aPrincipal({ kind: "token", jti, ...traits });

function aLimiter(settings: ServerRateSettings, ofEnvironments: Record<string, RateSettings> = {}) {
  let nowMs = 1_000_000;
  const clock = { monotonicMs: () => nowMs };
  const wheel = new TimerWheel(clock);
  const rates = new RateLimiter({
    ...{ clock, wheel, settings },
    settingsOf: (environment) => ofEnvironments[environment],
  });
  return {
    rates,
    advance(ms: number) {
      nowMs += ms;
      wheel.runOnce();
    },
    /** How many of `calls` are taken. */
    taken: (principal: Principal, calls: number, from = caller()) =>
      Array.from({ length: calls }, () => outcome(() => rates.admit(principal, from))).filter((error) => !error).length,
  };
}

function outcome(work: () => void): TodokuError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return error as TodokuError;
  }
}

describe("calls per second", () => {
  it("takes a burst at once, and then what the rate gives back", () => {
    const { taken, advance } = aLimiter({ key: { callsPerSecond: 10, burst: 30 } });
    expect(taken(aPrincipal(), 100)).toBe(30);
    advance(500);
    expect(taken(aPrincipal(), 100)).toBe(5);
    advance(60_000);
    expect(taken(aPrincipal(), 100)).toBe(30);
  });

  it("refuses with whose rate it is, the rate, and when to try again", () => {
    const { rates } = aLimiter({ key: { callsPerSecond: 4, burst: 1 } });
    rates.admit(aPrincipal(), caller());
    const error = outcome(() => rates.admit(aPrincipal(), caller()));
    expect(error).toBeInstanceOf(TodokuError);
    expect(error).toMatchObject({ code: "limit_exceeded", subject: "operations", retryAfterMs: 250 });
    expect(error?.message).toBe(
      "operations: calls of this key must be <= 4 per second and 1 at once; try again in 250 ms",
    );
  });

  it("is refused no more when the time it names has passed", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 50 }), (callsPerSecond, burst) => {
        const { rates, advance } = aLimiter({ key: { callsPerSecond, burst } });
        for (let i = 0; i < burst; i++) rates.admit(aPrincipal(), caller());
        const error = outcome(() => rates.admit(aPrincipal(), caller()));
        advance(error?.retryAfterMs ?? Number.NaN);
        expect(outcome(() => rates.admit(aPrincipal(), caller()))).toBeUndefined();
      }),
    );
  });

  it("never takes more than the burst and the rate allow, whatever the times between calls", () => {
    const steps = fc.array(fc.tuple(fc.integer({ min: 0, max: 700 }), fc.integer({ min: 1, max: 40 })), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(steps, (times) => {
        const { taken, advance } = aLimiter({ key: { callsPerSecond: 20, burst: 15 } });
        let elapsedMs = 0;
        let all = 0;
        for (const [ms, calls] of times) {
          advance(ms);
          elapsedMs += ms;
          all += taken(aPrincipal(), calls);
        }
        expect(all).toBeLessThanOrEqual(15 + (elapsedMs * 20) / 1000 + 1e-6);
      }),
    );
  });

  it("counts each key by itself, and the same id in another environment as another", () => {
    const { taken } = aLimiter({ key: { callsPerSecond: 1, burst: 2 } });
    expect(taken(aPrincipal(), 5)).toBe(2);
    expect(taken(aPrincipal({ keyId: "k2" }), 5)).toBe(2);
    expect(taken(aPrincipal({ environment: "dev" }), 5)).toBe(2);
  });

  it("counts one key once, however often its credential was verified", () => {
    const { taken } = aLimiter({ key: { callsPerSecond: 1, burst: 4 } });
    expect(taken(aPrincipal(), 3) + taken(aPrincipal(), 3)).toBe(4);
  });

  it("does not count a token for the key that issued it", () => {
    const { taken } = aLimiter({ key: { callsPerSecond: 1, burst: 1 } });
    expect(taken(aToken("t1"), 50)).toBe(50);
  });

  it("counts all tokens of a user together", () => {
    const { taken } = aLimiter({ user: { callsPerSecond: 1, burst: 5 } });
    const tokens = ["t1", "t2", "t3"].map((jti) => aToken(jti, { userId: "alice" }));
    expect(tokens.map((token) => taken(token, 4))).toEqual([4, 1, 0]);
    expect(taken(aToken("t4", { userId: "bob" }), 4)).toBe(4);
  });

  it("takes nothing from one bucket when another refuses", () => {
    const { taken, advance } = aLimiter({
      environment: { callsPerSecond: 1, burst: 10 },
      key: { callsPerSecond: 1, burst: 4 },
    });
    expect(taken(aPrincipal(), 1000)).toBe(4);
    expect(taken(aPrincipal({ keyId: "k2" }), 4)).toBe(4);
    expect(taken(aPrincipal({ keyId: "k3" }), 4)).toBe(2);
    advance(0);
  });

  it("counts tokens by address too, IPv6 by /64, and leaves keys alone", () => {
    const { taken } = aLimiter({ address: { callsPerSecond: 1, burst: 6 } });
    expect(taken(aToken("t1"), 4)).toBe(4);
    expect(taken(aToken("t2"), 4)).toBe(2);
    expect(taken(aToken("t3"), 4, caller("192.0.2.2"))).toBe(4);
    expect(taken(aToken("t4"), 4, caller("2001:db8:0:1::1"))).toBe(4);
    expect(taken(aToken("t5"), 4, caller("2001:db8::1:ffff:0:0:9"))).toBe(2);
    expect(taken(aToken("t6"), 4, caller("2001:db8:0:2::1"))).toBe(4);
    expect(taken(aPrincipal(), 100)).toBe(100);
  });

  it("has no limit where none is set", () => {
    const { taken } = aLimiter({});
    expect(taken(aPrincipal(), 5000)).toBe(5000);
    expect(taken(aToken("t"), 5000)).toBe(5000);
  });
});

describe("settings", () => {
  it("an environment's own setting wins, number by number; a rate brings its own burst", () => {
    const { taken, rates } = aLimiter(
      { token: { callsPerSecond: 3, burst: 4, streams: 1 } },
      { dev: { token: { callsPerSecond: 1 } }, stage: { token: { burst: 9 } } },
    );
    expect(taken(aToken("a"), 100)).toBe(4);
    expect(taken(aToken("b", { environment: "dev" }), 100)).toBe(5);
    expect(taken(aToken("c", { environment: "stage" }), 100)).toBe(9);
    rates.openStream(aToken("d", { environment: "dev" }));
    expect(outcome(() => rates.openStream(aToken("d", { environment: "dev" })))).toBeDefined();
  });

  it("takes five seconds' worth at once when no burst is set", () => {
    const { rates, taken } = aLimiter(productionRates);
    expect(taken(aToken("a"), 10_000)).toBe(5 * limits.rates.tokenCallsPerSecond);
    rates.configure({ token: { callsPerSecond: 2 } });
    expect(taken(aToken("b"), 10_000)).toBe(10);
  });

  it("0 lifts the limit", () => {
    const { rates, taken } = aLimiter(
      { token: { callsPerSecond: 1, burst: 1 } },
      { dev: { token: { callsPerSecond: 0 } } },
    );
    expect(taken(aToken("a", { environment: "dev" }), 100)).toBe(100);
    rates.configure({ token: { callsPerSecond: 0 } });
    expect(taken(aToken("b"), 100)).toBe(100);
  });

  it("follows an environment's change within a second, for callers that are known already", () => {
    const settings: Record<string, RateSettings> = {};
    const { taken, advance } = aLimiter({}, settings);
    const principal = aPrincipal();
    expect(taken(principal, 100)).toBe(100);
    settings.prod = { key: { callsPerSecond: 1, burst: 7 } };
    advance(1020);
    expect(taken(principal, 100)).toBe(7);
    delete settings.prod;
    advance(1020);
    expect(taken(principal, 100)).toBe(100);
  });

  it("a smaller burst counts at once, and what was taken stays taken", () => {
    const { rates, taken } = aLimiter({ key: { callsPerSecond: 1, burst: 100 } });
    expect(taken(aPrincipal(), 95)).toBe(95);
    rates.configure({ key: { callsPerSecond: 1, burst: 50 } });
    expect(taken(aPrincipal(), 100)).toBe(5);
  });
});

describe("streams", () => {
  it("are as many as are set, and one that ends makes room once", () => {
    const { rates } = aLimiter({ token: { streams: 2 } });
    const end = rates.openStream(aToken("t"));
    rates.openStream(aToken("t"));
    const error = outcome(() => rates.openStream(aToken("t")));
    expect(error).toMatchObject({ code: "limit_exceeded", subject: "subscribers", retryAfterMs: 1000 });
    expect(error?.message).toBe("subscribers: this token has 2 subscriptions and waiting receives open; must be <= 2");
    end();
    end();
    rates.openStream(aToken("t"));
    expect(outcome(() => rates.openStream(aToken("t")))).toBeDefined();
  });

  it("are counted for the environment together, and a refused one counts nowhere", () => {
    const { rates } = aLimiter({ environment: { streams: 3 }, key: { streams: 2 } });
    for (const keyId of ["k1", "k1", "k2"]) rates.openStream(aPrincipal({ keyId }));
    for (let i = 0; i < 5; i++) expect(outcome(() => rates.openStream(aPrincipal({ keyId: "k3" })))).toBeDefined();
    rates.configure({ environment: { streams: 5 }, key: { streams: 2 } });
    rates.openStream(aPrincipal({ keyId: "k3" }));
    rates.openStream(aPrincipal({ keyId: "k3" }));
  });

  it("that are open are not forgotten while the meters of others come and go", () => {
    const { rates, advance } = aLimiter({ token: { streams: 1 } });
    rates.openStream(aToken("keeps"));
    for (let i = 0; i < 2000; i++) rates.openStream(aToken(`t${i}`))();
    advance(60_000);
    expect(outcome(() => rates.openStream(aToken("keeps")))).toBeDefined();
  });
});

describe("refused credentials", () => {
  it("past the bound the address is refused, without verification, until the minute gives some back", () => {
    const { rates, advance } = aLimiter({ failedCredentialsPerMinute: 6 });
    for (let i = 0; i < 6; i++) {
      rates.admitUnknown(caller());
      rates.refused(caller());
    }
    const error = outcome(() => rates.admitUnknown(caller()));
    expect(error).toMatchObject({ code: "limit_exceeded", subject: "operations", retryAfterMs: 10_000 });
    rates.admitUnknown(caller("192.0.2.2"));
    advance(10_000);
    rates.admitUnknown(caller());
  });

  it("credentials that turn out to be good cost nothing", () => {
    const { rates } = aLimiter({ failedCredentialsPerMinute: 2 });
    for (let i = 0; i < 1000; i++) rates.admitUnknown(caller());
  });

  it("those that were under way together are paid back", () => {
    const { rates, advance } = aLimiter({ failedCredentialsPerMinute: 60 });
    for (let i = 0; i < 100; i++) rates.refused(caller());
    advance(30_000);
    expect(outcome(() => rates.admitUnknown(caller()))).toBeDefined();
    advance(12_000);
    rates.admitUnknown(caller());
  });
});
