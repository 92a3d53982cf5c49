// Secrets of webhooks over the embedded engine.
import { describe, expect, it } from "vitest";
import { clock, engine, hook, me, node, storedDocument, useWebhooks } from "../../../test/support/webhook-nodes.ts";
import { subscriptionKeyOf } from "./subscription-document.ts";

useWebhooks();
const dayMs = 24 * 3600 * 1000;
const secretForm = /^whsec_[A-Za-z0-9+/]{43}=$/;

describe("the secrets of a webhook", () => {
  it("are sealed in the store, each for its own name and number", async () => {
    const secret = (await node.webhooks.put(me, "c", "w", hook)).secret;
    const other = await node.webhooks.put(me, "c", "other", hook);
    const stored = JSON.stringify(await engine.records.list("subscription"));
    for (const form of ["utf8", "hex", "base64", "base64url"] as const) {
      expect(stored.includes(Buffer.from(secret).toString(form)), form).toBe(false);
      expect(stored.includes(Buffer.from(secret.slice("whsec_".length), "base64").toString(form)), form).toBe(false);
    }
    const key = subscriptionKeyOf(me.environment, "c", "other");
    await engine.records.replace(
      key,
      { ...(await storedDocument("other")), secrets: (await storedDocument())?.secrets },
      1,
    );
    await node.registry.refresh();
    await expect(node.webhooks.signingSecrets(other.webhook)).rejects.toMatchObject({ code: "internal" });
    const mended = await node.webhooks.rotate(me, "c", "other", 0);
    expect(await node.webhooks.signingSecrets(other.webhook)).toEqual([mended]);
  });

  it("sign both after a rotation, the new one first, until the overlap ends on the wall clock", async () => {
    const { webhook, secret: first } = await node.webhooks.put(me, "c", "w", hook);
    const second = await node.webhooks.rotate(me, "c", "w");
    expect(second).toMatch(secretForm);
    expect(await node.webhooks.secret(me, "c", "w")).toBe(second);
    clock.nowMs += dayMs - 1;
    expect(await node.webhooks.signingSecrets(webhook)).toEqual([second, first]);
    clock.nowMs += 1;
    expect(await node.webhooks.signingSecrets(webhook)).toEqual([second]);
    await node.webhooks.pause(me, "c", "w");
    expect((await storedDocument())?.secrets).toHaveLength(1);
    expect(await node.webhooks.signingSecrets(webhook)).toEqual([second]);
  });

  it("sign all after two rotations, none for longer than either says, and only the newest without an overlap", async () => {
    const { webhook, secret: first } = await node.webhooks.put(me, "c", "w", hook);
    const second = await node.webhooks.rotate(me, "c", "w", 1000);
    const third = await node.webhooks.rotate(me, "c", "w", 500);
    expect(await node.webhooks.signingSecrets(webhook)).toEqual([third, second, first]);
    expect((await node.webhooks.get(me, "c", "w")).overlap).toEqual({
      endsAtMs: clock.nowMs + 500,
      receiverIsBehind: true,
    });
    clock.nowMs += 500;
    expect(await node.webhooks.signingSecrets(webhook)).toEqual([third]);
    const fourth = await node.webhooks.rotate(me, "c", "w", 0);
    expect(await node.webhooks.signingSecrets(webhook)).toEqual([fourth]);
    expect((await node.webhooks.get(me, "c", "w")).overlap).toBeUndefined();
    expect((await storedDocument())?.secrets.map(({ number }) => number)).toEqual([4]);
  });

  it("are four at most: the oldest ends when there would be more", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    const rotated: string[] = [];
    for (let n = 0; n < 5; n++) rotated.unshift(await node.webhooks.rotate(me, "c", "w"));
    expect(await node.webhooks.signingSecrets(webhook)).toEqual(rotated.slice(0, 4));
  });

  it.each([-1, 1.5, Number.NaN, 7 * dayMs + 1])("do not overlap for %s ms", async (overlapMs) => {
    await node.webhooks.put(me, "c", "w", hook);
    await expect(node.webhooks.rotate(me, "c", "w", overlapMs)).rejects.toMatchObject({
      code: "invalid_argument",
      message: `overlap in ms ${overlapMs} must be a whole number >= 0 and <= 604800000`,
    });
  });

  it("that many rotate at the same time are one after the other", async () => {
    const { webhook } = await node.webhooks.put(me, "c", "w", hook);
    const drawn = await Promise.all(Array.from({ length: 10 }, () => node.webhooks.rotate(me, "c", "w")));
    expect(new Set(drawn).size).toBe(10);
    expect(await node.webhooks.signingSecrets(webhook)).toEqual(drawn.slice(-4).toReversed());
  });
});
