// The current SDK has no `WebhookUtils` (gone from 1.113.0 on): this is all that it did.
import { createHmac, timingSafeEqual } from "node:crypto";

export * from "@gomomento/sdk";

const RequestValidation = { VALID: "valid", INVALID: "invalid" } as const;

export const WebhookUtils = {
  RequestValidation,
  validateWebhookRequest(request: { signature: string; signingSecret: string; body: string }): "valid" | "invalid" {
    const expected = Buffer.from(createHmac("sha3-256", request.signingSecret).update(request.body).digest("hex"));
    const given = Buffer.from(request.signature);
    const isValid = given.length === expected.length && timingSafeEqual(given, expected);
    return isValid ? RequestValidation.VALID : RequestValidation.INVALID;
  },
};
