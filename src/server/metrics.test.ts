import { afterAll, beforeAll, expect, it } from "vitest";
import { connect, socketUrl } from "../../test/support/gateway.ts";
import { aServer } from "../../test/support/server.ts";

let server: Awaited<ReturnType<typeof aServer>>;
beforeAll(async () => {
  server = await aServer({ devKey: true });
});
afterAll(() => server[Symbol.asyncDispose]());

it("sums over environments for those who may not know them, and keeps the other labels apart", async () => {
  const client = await connect(socketUrl(server, `/push?user=alice&token=${server.devKey}`));
  await client.ask({ action: "ping" });
  await client.ask({ action: "ping" });
  await client.ask("no route");
  const read = async (headers: Record<string, string>) => {
    const text = await (await fetch(`${server.url}/metrics`, { headers })).text();
    return text.split("\n").filter((line) => line.startsWith("todoku_gateway_frames_received_total"));
  };
  expect(await read({})).toEqual([
    'todoku_gateway_frames_received_total{route="ping"} 2',
    'todoku_gateway_frames_received_total{route="unknown"} 1',
  ]);
  expect(await read({ authorization: `Bearer ${server.devKey}` })).toEqual([
    'todoku_gateway_frames_received_total{environment="dev",route="ping"} 2',
    'todoku_gateway_frames_received_total{environment="dev",route="unknown"} 1',
  ]);
  await client.close();
});
