import { expect, it } from "vitest";
import { aLog, silentLog } from "../testing/log.ts";
import { CredentialRefused, keptCredential } from "./credential.ts";
import { KeptText } from "./kept-text.ts";

const echo = async (apiKey: string) => apiKey;
const accepting = (good: string) => async (apiKey: string) => {
  if (apiKey !== good) throw new CredentialRefused("refused");
  return apiKey;
};

/** A text that lives in a variable, and a clock that stands. */
function aPlace(text: string, log = silentLog) {
  const place = { text: text as string | undefined, nowMs: 0, reads: 0 };
  const kept = new KeptText({
    name: "place",
    log,
    monotonicMs: () => place.nowMs,
    async read() {
      place.reads++;
      const { text } = place;
      await new Promise((resolve) => setImmediate(resolve));
      if (text === undefined) throw new Error("not there");
      return text;
    },
  });
  return { place, kept };
}

it("is read again after five minutes", async () => {
  const { place, kept } = aPlace("first");
  expect(await kept.current()).toBe("first");
  place.text = "second";
  place.nowMs = 5 * 60_000 - 1;
  expect(await kept.current()).toBe("first");
  place.nowMs++;
  expect(await kept.current()).toBe("second");
});

it("is read at once when a call is refused, and the call tried once more; one read serves all", async () => {
  const { place, kept } = aPlace("first");
  const key = keptCredential(kept);
  expect(await key.use(accepting("first"))).toBe("first");
  place.text = "second";
  const calls = await Promise.all([1, 2, 3].map(() => key.use(accepting("second"))));
  expect(calls).toEqual(["second", "second", "second"]);
  expect(place.reads).toBe(2);
  await expect(key.use(accepting("third"))).rejects.toBeInstanceOf(CredentialRefused);
});

it("is read anew when the read under way began before the refusal", async () => {
  const { place, kept } = aPlace("first");
  const stale: Promise<string>[] = [];
  const call = async (apiKey: string) => {
    if (apiKey === "second") return apiKey;
    place.nowMs = 5 * 60_000;
    stale.push(kept.current());
    place.text = "second";
    throw new CredentialRefused("refused");
  };
  expect(await keptCredential(kept).use(call)).toBe("second");
  expect(await Promise.all(stale)).toEqual(["first"]);
});

it("is asked for again when it was swapped once more while the call was tried again, but not for ever", async () => {
  const { place, kept } = aPlace("0");
  const key = keptCredential(kept);
  let tries = 0;
  const swappedAt = (last: number) =>
    key.use(async (apiKey) => {
      tries++;
      if (Number(apiKey) === last) return apiKey;
      place.text = String(Number(apiKey) + 1);
      throw new CredentialRefused("refused");
    });
  expect(await swappedAt(2)).toBe("2");
  expect(tries).toBe(3);
  await expect(swappedAt(9)).rejects.toBeInstanceOf(CredentialRefused);
  expect(tries).toBe(6);
});

it("goes on with what it has while its place cannot be read, and says so without the text", async () => {
  const { log, lines } = aLog();
  const { place, kept } = aPlace("the-key", log);
  const key = keptCredential(kept);
  place.text = undefined;
  await expect(key.use(echo)).rejects.toThrow("not there");
  place.text = "the-key";
  expect(await key.use(echo)).toBe("the-key");
  place.text = undefined;
  place.nowMs = 10 * 60_000;
  expect(await key.use(echo)).toBe("the-key");
  expect(lines.join("")).toContain("cannot be read");
  expect(lines.join("")).not.toContain("the-key");
});
