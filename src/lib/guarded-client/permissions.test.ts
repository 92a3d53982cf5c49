import { describe, expect, it } from "vitest";
import { isPermission, Permissions } from "./permissions.ts";

const none = new Permissions([], false);

describe("a permission", () => {
  it.each([
    ...["10.0.0.0/8", "10.1.2.3", "::1", "fd00::/8", "receiver", "receiver.internal", "*.internal.example", "my_host"],
    ...["r-1", "RECEIVER", "xn--bcher-kva.example"],
  ])("may be %s", (text) => {
    expect(isPermission(text)).toBe(true);
  });

  it.each([
    ...["", "*", "*.", "a.*.example", "10.0.0.0/33", "10.0.0", "10", "1.2.3.4.5", "http://receiver", "receiver:80"],
    ...["receiver/path", "[::1]", "a..b", "fd00::/129", "user@host", "10.0.0.1-10.0.0.9", "bücher.example", "a b"],
  ])("is never %j", (text) => {
    expect(isPermission(text)).toBe(false);
  });

  it("of an address or a network is good for those addresses, also when IPv6 has them mapped, and for no others", () => {
    const permissions = new Permissions(["10.1.0.0/16", "192.168.0.5", "fd00:1::/32", "::1"], false);
    for (const address of ["10.1.2.3", "::ffff:10.1.2.3", "192.168.0.5", "fd00:1::7", "::1", "8.8.8.8"])
      expect(permissions.permits("any", address), address).toBe(true);
    // A NAT64 gateway that reaches private machines has to be permitted in its own form.
    for (const address of [
      "10.2.0.1",
      "192.168.0.6",
      "fd00:2::7",
      "127.0.0.1",
      "64:ff9b::10.1.2.3",
      "2002:a01:203::",
      "nonsense",
    ])
      expect(permissions.permits("any", address), address).toBe(false);
  });

  it("of a name is good for wherever it leads to, for that name only", () => {
    const permissions = new Permissions(["Receiver", "*.internal.example"], false);
    for (const host of ["receiver", "a.internal.example", "a.b.internal.example"])
      expect(permissions.permits(host, "10.0.0.1"), host).toBe(true);
    for (const host of [
      "receiver.evil.example",
      "xreceiver",
      "internal.example",
      "ainternal.example",
      "a.internal.example.evil",
    ])
      expect(permissions.permits(host, "10.0.0.1"), host).toBe(false);
  });

  it("is needed for everything that is not public; loopback may be permitted as a whole", () => {
    const dev = new Permissions([], true);
    for (const address of ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"]) {
      expect(none.permits("any", address), address).toBe(false);
      expect(dev.permits("any", address), address).toBe(true);
    }
    for (const address of ["10.0.0.1", "0.0.0.0", "64:ff9b::127.0.0.1", "::127.0.0.1", "169.254.169.254"])
      expect(dev.permits("any", address), address).toBe(false);
    expect(
      [dev, none, new Permissions(["127.0.0.0/8"], false)].map((permissions) => permissions.loopback("localhost")),
    ).toEqual([["127.0.0.1", "::1"], [], ["127.0.0.1"]]);
  });
});
