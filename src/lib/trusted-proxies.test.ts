import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plainAddress, TrustedProxies } from "./trusted-proxies.ts";

function trusting(networks: readonly string[], header: "x-forwarded-for" | "forwarded" = "x-forwarded-for") {
  const proxies = new TrustedProxies();
  proxies.set(networks, header);
  return (peer: string, value?: string) => proxies.clientOf(peer, value === undefined ? {} : { [header]: value });
}

describe("the client's address", () => {
  it("is the peer's when no proxy is trusted, whatever the headers say", () => {
    expect(trusting([])("192.0.2.1", "10.9.9.9")).toBe("192.0.2.1");
  });

  it("is what the trusted hops say, from the right, up to the first that is not trusted", () => {
    const client = trusting(["10.0.0.0/8", "127.0.0.1"]);
    expect(client("10.0.0.1", "198.51.100.7")).toBe("198.51.100.7");
    expect(client("10.0.0.1", "1.1.1.1, 198.51.100.7, 10.0.0.2")).toBe("198.51.100.7");
    expect(client("127.0.0.1", "10.1.1.1, 10.2.2.2")).toBe("10.1.1.1");
    expect(client("10.0.0.1")).toBe("10.0.0.1");
  });

  it("is the last one known where a hop is no address", () => {
    const client = trusting(["10.0.0.0/8"]);
    for (const wrong of ["unknown", "", "_hidden", "1.2.3", "10.0.0.999", "evil, 10.0.0.2, ,"])
      expect(client("10.0.0.1", wrong), wrong).toBe("10.0.0.1");
    expect(client("10.0.0.1", "198.51.100.7, nonsense, 10.0.0.2")).toBe("10.0.0.2");
  });

  it("may have a port, brackets, quotes and IPv4 in IPv6 form", () => {
    const client = trusting(["10.0.0.0/8", "2001:db8::/32"]);
    expect(client("::ffff:10.0.0.1", "198.51.100.7:5123")).toBe("198.51.100.7");
    expect(client("2001:db8::1", "[2001:DB9:0:0::7]:443")).toBe("2001:db9::7");
    expect(client("10.0.0.1", "::ffff:c633:6407")).toBe("198.51.100.7");
  });

  it("stands in Forwarded when that is the header, with all that RFC 7239 lets be around it", () => {
    const client = trusting(["10.0.0.0/8"], "forwarded");
    expect(client("10.0.0.1", 'for=1.1.1.1, For="[2001:db9::7]:4711";proto=https;by=10.0.0.1')).toBe("2001:db9::7");
    expect(client("10.0.0.1", 'host="a,b;for=9.9.9.9";for=198.51.100.7, by=x;for=10.0.0.3')).toBe("198.51.100.7");
    expect(client("10.0.0.1", "proto=https")).toBe("10.0.0.1");
  });

  it("is not read from the other header, which a proxy passes on as the client wrote it", () => {
    const proxies = new TrustedProxies();
    proxies.set(["10.0.0.0/8"], "x-forwarded-for");
    expect(proxies.clientOf("10.0.0.1", { forwarded: "for=9.9.9.9", "x-forwarded-for": "198.51.100.7" })).toBe(
      "198.51.100.7",
    );
    expect(proxies.clientOf("10.0.0.1", { forwarded: "for=9.9.9.9" })).toBe("10.0.0.1");
  });

  it("follows a change at once", () => {
    const proxies = new TrustedProxies();
    const headers = { "x-forwarded-for": "198.51.100.7" };
    expect(proxies.clientOf("10.0.0.1", headers)).toBe("10.0.0.1");
    proxies.set(["10.0.0.1"], "x-forwarded-for");
    expect(proxies.clientOf("10.0.0.1", headers)).toBe("198.51.100.7");
  });
});

describe("for all requests", () => {
  const address = fc.oneof(fc.ipV4(), fc.ipV6());
  const claim = fc.oneof(
    fc.string(),
    fc.array(address).map((all) => all.join(", ")),
  );

  it("no header of a peer that is not trusted changes its address", () => {
    fc.assert(
      fc.property(address, claim, claim, fc.boolean(), (peer, forwardedFor, forwarded, isFirst) => {
        fc.pre(!plainAddress(peer).startsWith("10."));
        const proxies = new TrustedProxies();
        proxies.set(["10.0.0.0/8"], isFirst ? "x-forwarded-for" : "forwarded");
        const headers = { "x-forwarded-for": forwardedFor, forwarded: `for=${forwarded}`, host: forwarded };
        expect(proxies.clientOf(peer, headers)).toBe(plainAddress(peer));
      }),
    );
  });

  it("nothing that stands left of the client in the header changes it", () => {
    fc.assert(
      fc.property(claim, fc.ipV4(), fc.array(fc.ipV4()), (claimed, client, hops) => {
        fc.pre(!client.startsWith("10."));
        const proxies = hops.map((hop) => hop.replace(/^\d+/, "10"));
        expect(trusting(["10.0.0.0/8"])("10.0.0.1", [claimed, client, ...proxies].join(", "))).toBe(client);
      }),
    );
  });

  it("an address in plain form stays as it is", () => {
    fc.assert(
      fc.property(address, (one) => {
        expect(plainAddress(plainAddress(one))).toBe(plainAddress(one));
      }),
    );
  });
});
