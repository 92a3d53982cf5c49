import net from "node:net";
import { expect, it } from "vitest";
import { aServer } from "../../test/support/server.ts";
it("tls to plain", async () => {
  const server = await aServer({});
  const t = Date.now();
  const out = await new Promise<string>((resolve) => { const s = net.connect(server.port, "127.0.0.1"); let o = ""; s.on("data", d => o += d); s.on("close", () => resolve(o)); s.on("error", e => o += e.message); s.write(Buffer.from("16030100050100000100", "hex")); });
  console.log(Date.now() - t, out.slice(0, 80));
  await server[Symbol.asyncDispose]();
});
