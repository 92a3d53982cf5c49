import { hash } from "node:crypto";
import type { Position } from "../topics/position.ts";

/** The MessageId of SNS for an item, a UUID: whoever publishes it, and whoever gets it however often, hears the same one. */
export function snsMessageIdOf(environment: string, topic: string, { page, sequence }: Position): string {
  const digest = hash("sha256", JSON.stringify(["sns-message", environment, topic, page, sequence]));
  return uuidOf(digest);
}

/** The id of a subscription, the last part of its ARN: who subscribes the same endpoint again, however it came about, gets the same one. */
export function snsSubscriptionIdOf(environment: string, topic: string, protocol: string, endpoint: string): string {
  return uuidOf(hash("sha256", JSON.stringify(["sns-subscription", environment, topic, protocol, endpoint])));
}

/** In the form of version 5, a name's hash, which all that check UUIDs know. */
export function uuidOf(hex: string): string {
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), `5${hex.slice(13, 16)}`, variant + hex.slice(17, 20)];
  return [...parts, hex.slice(20, 32)].join("-");
}
