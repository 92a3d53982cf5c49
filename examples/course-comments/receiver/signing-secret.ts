import type { KeptText } from "../../task-notifications/shared/kept-text.ts";
import { type Delivery, DeliveryRefused, verifyDelivery } from "./verify.ts";

/**
 * Verifies with the secret that is kept, and when that does not fit with a newer one: the webhook's secret may have been rotated a moment ago.
 * @throws DeliveryRefused; what reading the secret throws, when there is none.
 */
export async function verifyWithKept(secret: KeptText, headers: Headers, body: Buffer): Promise<Delivery> {
  const kept = await secret.current();
  try {
    return verifyDelivery(kept, headers, body);
  } catch (error) {
    if (!(error instanceof DeliveryRefused)) throw error;
    const newer = await secret.newerThan(kept);
    if (newer === kept) throw error;
    return verifyDelivery(newer, headers, body);
  }
}
