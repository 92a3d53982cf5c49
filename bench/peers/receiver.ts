// A receiver of webhooks that does as little as one can: a 200 for each request whose body has come. Prints its port.
import { type AddressInfo, createServer } from "node:net";

const answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

const server = createServer((socket) => {
  let waiting = Buffer.alloc(0);
  socket.setNoDelay(true).on("error", () => undefined);
  socket.on("data", (chunk) => {
    waiting = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
    for (let end = endOf(waiting); end <= waiting.length; end = endOf(waiting)) {
      waiting = waiting.subarray(end);
      socket.write(answer);
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
process.stdin.on("end", () => process.exit()).resume(); // the bench is gone

/** Where the first request ends; infinite while its head is not whole. */
function endOf(bytes: Buffer): number {
  const head = bytes.indexOf("\r\n\r\n");
  if (head === -1) return Number.POSITIVE_INFINITY;
  const length = /content-length: (\d+)/i.exec(bytes.toString("latin1", 0, head))?.[1];
  return head + 4 + Number(length ?? 0);
}
