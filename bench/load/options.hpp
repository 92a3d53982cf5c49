// The command line. One run is one question; run.ts writes these.
#pragma once
#include <cstdlib>
#include <string>

struct Options {
  std::string mode;              // fanout | unary | get | set
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
    else fail("unknown option " + name);
  }
  const bool isKeyed = options.mode == "get" || options.mode == "set";
  if (options.mode != "fanout" && options.mode != "unary" && !isKeyed) fail("--mode must be fanout, unary, get or set");
  if (isKeyed && (options.keys < 1 || options.keys > 10000000)) fail("--keys must be 1..10000000");
  // Bounded, and what is in flight must fit into the 64 KiB window that HTTP/2 grants a connection without being asked.
  if (options.seconds > 60 || options.warmSeconds > 60) fail("at most 60 s");
  if (options.connections > 1000 || options.streams > 1000) fail("at most 1,000 connections and 1,000 streams each");
  if (options.window < 1 || options.window > 256) fail("--window must be 1..256");
  if (options.rate < 0 || options.rate > 100000) fail("--rate must be 0..100000");
  return options;
}
