/**
 * Whom an address counts as: IPv4 as it is; of IPv6 the /64, which is what one customer gets at least, so that nobody is 2^64
 * addresses. An IPv4 address in IPv6 form is IPv4. `address` is in the form that sockets give.
 */
export function toNetwork(address: string): string {
  if (!address.includes(":")) return address;
  if (/^::ffff:\d+\./i.test(address)) return address.slice(7);
  const [bare = ""] = address.split("%", 1); // a link-local address names its interface
  const [head = "", tail] = bare.split("::");
  const groups = head === "" ? [] : head.split(":");
  const after = tail === undefined || tail === "" ? [] : tail.split(":");
  // A dotted end stands for two groups; none of them is among the first four.
  const missing = 8 - groups.length - after.length - (after.at(-1)?.includes(".") ? 1 : 0);
  const all = tail === undefined ? groups : [...groups, ...Array<string>(Math.max(0, missing)).fill("0"), ...after];
  const network = all.slice(0, 4).map((group) => group.toLowerCase().replace(/^0+(?=.)/, ""));
  return `${network.join(":")}::/64`;
}
