import fc from "fast-check";
import ipaddr from "ipaddr.js";
import { describe, expect, it } from "vitest";
import { isPublicAddress } from "./addresses.ts";

describe("an address", () => {
  it.each([
    ...["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0"],
    ...[
      "11.0.0.0",
      "9.255.255.255",
      "126.255.255.255",
      "128.0.0.0",
      "169.253.255.255",
      "192.167.255.255",
      "223.255.255.255",
    ],
    ...["2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "2001:4860:4860::8888", "2000::1"],
    // An IPv4 address in another dress is judged itself.
    ...["::ffff:8.8.8.8", "::ffff:808:808", "64:ff9b::8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"],
  ])("%s is public", (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  it.each([
    // This machine, this network.
    ...["127.0.0.1", "127.255.255.255", "0.0.0.0", "0.1.2.3", "::1", "::"],
    // Private, carrier-grade NAT, link-local (where clouds keep credentials of machines).
    ...["10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "100.127.255.255"],
    ...["169.254.169.254", "169.254.0.1", "fe80::1", "fe80::1%1", "febf::1", "fec0::1", "fc00::1", "fd00:ec2::254"],
    // Azure's own of that kind, whose range is a public one.
    ...["168.63.129.16", "::ffff:168.63.129.16", "64:ff9b::a83f:8110", "2002:a83f:8110::"],
    // Protocol assignments, documentation, benchmarks, multicast, reserved, broadcast.
    ...["192.0.0.1", "192.0.2.1", "198.51.100.1", "203.0.113.1", "192.88.99.1", "198.18.0.1", "198.19.255.255"],
    ...["224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "ff02::1", "ff0e::1"],
    ...[
      "100::1",
      "2001::1",
      "2001:2::1",
      "2001:10::1",
      "2001:20::1",
      "2001:db8::1",
      "3fff::1",
      "5f00::1",
      "4000::1",
      "e000::1",
    ],
    // In the dress of IPv6: mapped, compatible, translated, NAT64, 6to4.
    ...["::ffff:127.0.0.1", "::ffff:7f00:1", "::ffff:a9fe:a9fe", "::ffff:10.0.0.1", "::127.0.0.1", "::8.8.8.8"],
    ...["::ffff:0:127.0.0.1", "::ffff:0:8.8.8.8", "64:ff9b::127.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1"],
    ...[
      "64:ff9b:1::8.8.8.8",
      "64:ff9b:1::1",
      "64:ff9b:0:1::8.8.8.8",
      "2002:7f00:1::1",
      "2002:a9fe:a9fe::",
      "2002:c0a8:1::1",
    ],
    ...["", "localhost", "10.1", "0x7f000001", "2130706433", "[::1]"],
  ])("%s is not public", (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  it("is judged alike in whatever dress it comes: what is refused as IPv4 is refused mapped, by NAT64 and by 6to4 too", () => {
    const part = fc.integer({ min: 0, max: 255 });
    const special = fc.constantFrom(
      [0, 0],
      [10, 0],
      [100, 64],
      [127, 0],
      [169, 254],
      [172, 16],
      [192, 168],
      [198, 18],
      [224, 0],
    );
    const octets = fc.oneof(
      fc.tuple(part, part, part, part),
      fc.tuple(special, part, part).map(([head, c, d]) => [...head, c, d]),
    );
    fc.assert(
      fc.property(octets, fc.nat(0xffff), (bytes, rest) => {
        const isPublic = isPublicAddress(bytes.join("."));
        const [high, low] = [bytes.slice(0, 2), bytes.slice(2)].map(([a = 0, b = 0]) => (a * 256 + b).toString(16));
        const dresses = [
          `::ffff:${high}:${low}`,
          `64:ff9b::${high}:${low}`,
          `2002:${high}:${low}::${rest.toString(16)}`,
        ];
        for (const dress of dresses) {
          expect(isPublicAddress(dress), dress).toBe(isPublic);
          expect(isPublicAddress(ipaddr.parse(dress).toNormalizedString()), dress).toBe(isPublic);
        }
      }),
    );
  });
});
