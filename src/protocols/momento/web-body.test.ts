import { once } from "node:events";
import { createServer, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import fc from "fast-check";
import { expect, it } from "vitest";
import { limits } from "../../domain/limits.ts";
import { fromText, readMessage } from "./web-body.ts";

it("reads base64 in runs that are padded one by one, wherever they are cut", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 }), (runs) => {
      const text = runs.map((run) => Buffer.from(run).toString("base64")).join("");
      expect(fromText(Buffer.from(text))).toEqual(Buffer.concat(runs));
    }),
  );
});

it.each([
  "AA==A",
  "AA==AA=A",
  "A=AA====",
  "AA======",
  "=AAAAA==",
  "AA==A A=",
  "AAA\u00e9AA==AAAA",
  "AA=A",
  "====AAAA",
  "AA\nAA",
])("refuses %j", (text) => {
  expect(() => fromText(Buffer.from(text))).toThrow("not base64");
});

it("needs less than a second for a body of nothing but short runs", () => {
  const startMs = performance.now();
  expect(fromText(Buffer.from("AA==".repeat(3_400_000)))).toHaveLength(3_400_000);
  expect(performance.now() - startMs).toBeLessThan(1000);
});

it("takes a client that leaves in the middle, or sends too much, for the client's error, and answers on the same connection", async () => {
  const errors: unknown[] = [];
  const server = createServer((request, response) => {
    readMessage(request, false).catch((error: unknown) => {
      errors.push(error);
      response.end("answered");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const options = { port: (server.address() as AddressInfo).port, host: "127.0.0.1", method: "POST" };

  const leaving = httpRequest({ ...options, headers: { "content-length": 1000 } }).on("error", () => {});
  leaving.write("abc");
  await once(server, "request");
  leaving.destroy();
  await expect.poll(() => errors[0]).toMatchObject({ code: "invalid_argument" });

  const sending = httpRequest(options);
  for (let i = 0; i < 12; i++) sending.write(Buffer.alloc(1_000_000));
  sending.end();
  const [response] = await once(sending, "response");
  expect(Buffer.concat(await response.toArray()).toString()).toBe("answered");
  expect(errors[1]).toMatchObject({
    code: "limit_exceeded",
    message: expect.stringContaining(`<= ${limits.grpcMessageMaxBytes + 5}`),
  });
  server.closeAllConnections();
  server.close();
});
