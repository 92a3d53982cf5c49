/** What a server sends: a JSON object. */
export type Frame = Readonly<Record<string, unknown>>;

/** Undefined for anything else. A page must not fall over what one frame has in it. */
export function parseFrame(data: unknown): Frame | undefined {
  if (typeof data !== "string") return undefined;
  try {
    const frame: unknown = JSON.parse(data);
    return typeof frame === "object" && frame !== null && !Array.isArray(frame) ? (frame as Frame) : undefined;
  } catch {
    return undefined;
  }
}
