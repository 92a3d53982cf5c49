const unitMs: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/** Milliseconds of a `grpc-timeout` value (up to eight digits and a unit); undefined when there is none or it is malformed. */
export function parseTimeout(header: string | undefined): number | undefined {
  const match = header === undefined ? undefined : /^(\d{1,8})([HMSmun])$/.exec(header);
  if (!match) return undefined;
  return Number(match[1]) * (unitMs[match[2] as string] as number);
}
