import { describe, expect, it } from "vitest";
import { TodokuError } from "../../domain/errors.ts";
import type { StreamCall } from "./call.ts";
import { binaryEncoding } from "./frames.ts";
import { itemBatchMethods } from "./items-batches.ts";

const nobody = {
  authenticate: async () => {
    throw new TodokuError("unauthenticated", "nobody is known here");
  },
};
const unused = () => {
  throw new Error("the items were asked");
};

describe("a batch", () => {
  it.each(itemBatchMethods(nobody, { getMany: unused, setMany: unused }))(
    "is not read for who has no credential: %s",
    async (_, method) => {
      const call: StreamCall = {
        ...{ encoding: binaryEncoding, resumePlaces: undefined, headers: {}, authorization: "", cacheName: "c" },
        caller: { address: "", isLoopbackPeer: true, host: undefined, origin: undefined, secFetchSite: undefined },
        timeoutMs: undefined,
        request: Uint8Array.of(0xff),
        open: unused,
        write: unused,
        hold: unused,
        beat: unused,
        end: unused,
        start: unused,
        onClose: unused,
      };
      if (method.kind !== "stream") throw new Error("a batch is answered by a stream");
      await expect(method.handle(call)).rejects.toMatchObject({ code: "unauthenticated" });
    },
  );
});
