const steps: readonly { unit: Intl.RelativeTimeFormatUnit; ms: number }[] = [
  { unit: "day", ms: 86_400_000 },
  { unit: "hour", ms: 3_600_000 },
  { unit: "minute", ms: 60_000 },
];
const format = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

/** "just now", "3 minutes ago", "yesterday". Clocks differ: what lies in the future happens now. */
export function relativeTime(atMs: number, nowMs: number): string {
  const agoMs = nowMs - atMs;
  const step = steps.find(({ ms }) => agoMs >= ms);
  return step ? format.format(-Math.floor(agoMs / step.ms), step.unit) : "just now";
}
