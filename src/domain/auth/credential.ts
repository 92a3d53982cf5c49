import { Buffer } from "node:buffer";
import { z } from "zod";

const v1Key = z.object({ endpoint: z.string().min(1), api_key: z.string().min(1) });

/** Momento's v1 form of a credential: what its SDKs take as one string. */
export function wrapCredential(endpoint: string, apiKey: string): string {
  return Buffer.from(JSON.stringify({ endpoint, api_key: apiKey })).toString("base64");
}

/** The inner key of a v1 string; any other text as it is. SDKs unwrap by themselves, `curl` users paste the whole. */
export function unwrapCredential(text: string): string {
  if (!text.startsWith("ey") || text.includes(".")) return text;
  try {
    return v1Key.parse(JSON.parse(Buffer.from(text, "base64").toString("utf8"))).api_key;
  } catch {
    return text;
  }
}
