// The command line. One run is one question; run.ts writes these.
#pragma once
#include <cstdlib>
#include <string>

struct Options {
  std::string mode;              // load.cpp says what they do
  int port = 0;                  // on 127.0.0.1
  int pid = 0;                   // the server, for its CPU
  std::string publishPath;       // method path, e.g. /cache_client.pubsub.Pubsub/Publish
  std::string publishHead;       // the request message up to its payload, which comes last (given in hex)
  std::string subscribePath;
  std::string subscribeMessage;  // the whole request message (given in hex)
  std::string cache;             // of the calls on keys
  int keys = 0;                  // each is set before it is measured, then any of them is asked for
  int connections = 1;           // of subscribers, or of unary callers
  int streams = 1;               // subscriptions on each of them
  int window = 8;                // messages, or calls per connection, in flight in the closed loop
  double rate = 0;               // messages per second; 0 = closed loop
  double warmSeconds = 1;
  double seconds = 2;
  static constexpr int payloadBytes = 128;

  // Of WebSockets. In frames `{i}` and `{p}` are replaced (sockets.hpp); they and the signs are given in hex.
  std::string path;              // of a subscriber's handshake; a publisher's is publishPath
  std::string protocol;          // Sec-WebSocket-Protocol
  std::string tokenFile;         // a line for each connection: Authorization: Bearer
  bool isBinary = false;         // frames are
  std::string subscribe;         // a subscriber's first frame;
  std::string subscribedSign;    // it is ready when this came; none: when it is open
  std::string greeting;          // the same of a publisher
  std::string greetedSign;
  std::string publish;
  int publishers = 1;
  int stalled = 0;
  int bytes = payloadBytes;      // of a payload

  bool isWebSocket() const { return mode == "ws-fanout" || mode == "ws-unicast" || mode == "ws-idle"; }
};

inline std::string fromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return bytes;
}

[[noreturn]] inline void fail(const std::string& why) {
  fprintf(stderr, "load: %s\n", why.c_str());
  exit(2);
}

inline Options parseOptions(int count, char** arguments) {
  Options options;
  for (int i = 2; i < count; i += 2) {
    const std::string name = arguments[i - 1], value = arguments[i];
    if (name == "--mode") options.mode = value;
    else if (name == "--port") options.port = std::stoi(value);
    else if (name == "--pid") options.pid = std::stoi(value);
    else if (name == "--publish-path") options.publishPath = value;
    else if (name == "--publish-head") options.publishHead = fromHex(value);
    else if (name == "--subscribe-path") options.subscribePath = value;
    else if (name == "--subscribe-message") options.subscribeMessage = fromHex(value);
    else if (name == "--cache") options.cache = value;
    else if (name == "--keys") options.keys = std::stoi(value);
    else if (name == "--connections") options.connections = std::stoi(value);
    else if (name == "--streams") options.streams = std::stoi(value);
    else if (name == "--window") options.window = std::stoi(value);
    else if (name == "--rate") options.rate = std::stod(value);
    else if (name == "--warm") options.warmSeconds = std::stod(value);
    else if (name == "--seconds") options.seconds = std::stod(value);
    else if (name == "--path") options.path = value;
    else if (name == "--protocol") options.protocol = value;
    else if (name == "--token-file") options.tokenFile = value;
    else if (name == "--binary") options.isBinary = value == "true";
    else if (name == "--subscribe") options.subscribe = fromHex(value);
    else if (name == "--subscribed-sign") options.subscribedSign = fromHex(value);
    else if (name == "--greeting") options.greeting = fromHex(value);
    else if (name == "--greeted-sign") options.greetedSign = fromHex(value);
    else if (name == "--publish") options.publish = fromHex(value);
    else if (name == "--publishers") options.publishers = std::stoi(value);
    else if (name == "--stalled") options.stalled = std::stoi(value);
    else if (name == "--bytes") options.bytes = std::stoi(value);
    else fail("unknown option " + name);
  }
  const bool isKeyed = options.mode == "get" || options.mode == "set";
  if (options.mode != "fanout" && options.mode != "unary" && !isKeyed && !options.isWebSocket()) fail("no such --mode");
  if (isKeyed && (options.keys < 1 || options.keys > 10000000)) fail("--keys must be 1..10000000");
  // Bounded, and what is in flight must fit into the 64 KiB window that HTTP/2 grants a connection without being asked.
  if (options.seconds > 60 || options.warmSeconds > 60) fail("at most 60 s");
  const int connectionsMax = options.isWebSocket() ? 20000 : 1000;
  if (options.connections > connectionsMax || options.streams > 1000) fail("too many connections or streams");
  if (options.stalled >= options.connections && options.stalled > 0) fail("somebody has to read");
  if (options.window < 1 || options.window > 256) fail("--window must be 1..256");
  if (options.rate < 0 || options.rate > 100000) fail("--rate must be 0..100000");
  return options;
}
