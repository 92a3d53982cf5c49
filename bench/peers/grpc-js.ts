// The server that most Node programs use for gRPC, with the same two methods as h2hand.ts. It is given the messages as
// bytes, with no protobuf library in the way: the fastest that it can be.
import { Metadata, type MethodDefinition, Server, ServerCredentials, type ServerWritableStream } from "@grpc/grpc-js";

type Subscriber = ServerWritableStream<Buffer, Buffer>;

const subscribers = new Map<string, Set<Subscriber>>();
const published = Buffer.from([8, 1]);
const same = (bytes: Buffer) => bytes;

function method(name: string, responseStream: boolean): MethodDefinition<Buffer, Buffer> {
  return {
    path: `/bench.Topics/${name}`,
    requestStream: false,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

const server = new Server({ "grpc.max_concurrent_streams": 100_000 });
server.addService(
  { Publish: method("Publish", false), Subscribe: method("Subscribe", true) },
  {
    Publish({ request }: { request: Buffer }, answer: (error: null, message: Buffer) => void) {
      const topicEnd = 2 + (request[1] as number);
      const item = Buffer.from(request.subarray(topicEnd));
      item[0] = 0x0a; // the payload is field 1 of an item
      for (const call of subscribers.get(request.toString("latin1", 2, topicEnd)) ?? []) call.write(item);
      answer(null, published);
    },
    Subscribe(call: Subscriber) {
      const topic = call.request.toString("latin1", 2);
      const calls = subscribers.get(topic) ?? new Set();
      subscribers.set(topic, calls.add(call));
      call.on("cancelled", () => calls.delete(call));
      call.on("error", () => calls.delete(call));
      call.sendMetadata(new Metadata()); // else the head waits for the first message
    },
  },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`listens on http://127.0.0.1:${port}`);
});
