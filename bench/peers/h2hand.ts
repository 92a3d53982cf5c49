// The bare server that sets the scale: gRPC framing by hand on node:http2, and nothing else. No limits, no checks, no log,
// no numbers on the messages; a subscription that is slow grows without bound. What Todoku's promises cost is the
// difference to it.  Publish {1: topic, 2: payload} -> {1: 1}     Subscribe {1: topic} -> stream of {1: payload}
// And Momento's Get {1: key} and Set {1: key, 2: value, 3: ttl} on a Map that forgets nothing.
import { createServer, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";

const head = { ":status": 200, "content-type": "application/grpc" };
const okTrailers = { "grpc-status": "0" };
const published = toFrame(Buffer.from([8, 1]));
const subscribers = new Map<string, Set<ServerHttp2Stream>>();

function toFrame(message: Buffer): Buffer {
  const frame = Buffer.allocUnsafe(5 + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, 5);
  return frame;
}

/** `request`: five bytes of prefix, one tag, one byte of the topic's length, the topic, the payload's field. */
function publish(stream: ServerHttp2Stream, request: Buffer): void {
  const topicEnd = 7 + (request[6] as number);
  const streams = subscribers.get(request.toString("latin1", 7, topicEnd));
  if (streams) {
    const item = Buffer.from(request.subarray(topicEnd));
    item[0] = 0x0a; // the payload is field 1 of an item
    const frame = toFrame(item);
    for (const subscriber of streams) subscriber.write(frame);
  }
  answer(stream, published);
}

const items = new Map<string, Buffer>();
const [stored, missed] = [toFrame(Buffer.from([8, 1])), toFrame(Buffer.from([8, 3]))];
/** Field 2 of 100 bytes, with its tag and length: the same in the answer of a Get, behind `1: hit`. */
const valueFieldBytes = 102;

/** `request`: five bytes of prefix, a tag, the key's length of one byte, the key, the value's field. */
function set(stream: ServerHttp2Stream, request: Buffer): void {
  const keyEnd = 7 + (request[6] as number);
  const message = Buffer.concat([Buffer.from([8, 2]), request.subarray(keyEnd, keyEnd + valueFieldBytes)]);
  items.set(request.toString("latin1", 7, keyEnd), toFrame(message));
  answer(stream, stored);
}

function get(stream: ServerHttp2Stream, request: Buffer): void {
  answer(stream, items.get(request.toString("latin1", 7)) ?? missed);
}

function answer(stream: ServerHttp2Stream, frame: Buffer): void {
  stream.respond(head, { waitForTrailers: true });
  stream.on("wantTrailers", () => stream.sendTrailers(okTrailers));
  stream.end(frame);
}

function subscribe(stream: ServerHttp2Stream, request: Buffer): void {
  const topic = request.toString("latin1", 7);
  const streams = subscribers.get(topic) ?? new Set();
  subscribers.set(topic, streams.add(stream));
  stream.on("close", () => streams.delete(stream));
  stream.respond(head);
}

const server = createServer({ settings: { maxConcurrentStreams: 100_000 } });
server.on("session", (session) => session.on("error", () => {}));
server.on("stream", (stream, headers) => {
  stream.on("error", () => {});
  stream.once("data", (request: Buffer) => {
    const path = headers[":path"];
    if (path === "/bench.Topics/Publish") publish(stream, request);
    else if (path === "/cache_client.Scs/Get") get(stream, request);
    else if (path === "/cache_client.Scs/Set") set(stream, request);
    else subscribe(stream, request);
  });
});
server.listen(0, "127.0.0.1", 4096, () => {
  console.log(`listens on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
