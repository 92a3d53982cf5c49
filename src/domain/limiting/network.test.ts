import { expect, it } from "vitest";
import { toNetwork } from "./network.ts";

it.each([
  ["192.0.2.1", "192.0.2.1"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:db8:0:1::1", "2001:db8:0:1::/64"],
  ["::1", "0:0:0:0::/64"],
  ["::", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["64:ff9b::192.0.2.33", "64:ff9b:0:0::/64"],
  ["", ""],
])("%s counts as %s", (address, network) => {
  expect(toNetwork(address)).toBe(network);
});

it("all spellings of one /64 are one", () => {
  const spellings = ["2001:db8::a:0:0:1", "2001:DB8::b", "2001:0db8:0000:0000:ffff:1:2:3", "2001:db8:0:0::"];
  expect(new Set(spellings.map(toNetwork)).size).toBe(1);
});
