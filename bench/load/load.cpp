// The load of the benches: gRPC and WebSockets without TLS on loopback, one thread, one epoll loop. Prints one line of JSON.
//   --mode fanout  subscribes connections x streams to one topic, publishes to it and counts what arrives; with --rate at
//                  that rate, else `window` messages are on their way at any time
//   --mode unary   `window` Publish calls are under way on each connection at any time
//   --mode get     the same with Get of a cache, of any of `keys` keys that hold 100 bytes
//   --mode set     the same with Set
//   --mode ws-fanout   `connections` WebSockets follow one topic; else as fanout. The first `stalled` of them stop reading
//   --mode ws-unicast  each follows a topic of its own; a message goes to any of them
//   --mode ws-idle     opens them and waits for `seconds`
#include <signal.h>

#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "h2.hpp"
#include "options.hpp"
#include "run.hpp"
#include "scan.hpp"
#include "sockets.hpp"

namespace {

// Calls on connections of HTTP/2.
class Load : public Run, public h2::Listener {
 public:
  explicit Load(const Options& options) : Run(options), publishHeaders_(h2::headersOf(options.publishPath)) {}

 protected:
  h2::Connection& open() {
    connections_.push_back(std::make_unique<h2::Connection>(epoll_, options_.port, connections_.size(), *this));
    return *connections_.back();
  }

  uint32_t publish(h2::Connection& connection) {
    return connection.call(publishHeaders_, options_.publishHead, payloadAt(nowNs()));
  }

  std::vector<std::unique_ptr<h2::Connection>> connections_;

 private:
  const std::string publishHeaders_;
};

class FanOut : public Load {
 public:
  explicit FanOut(const Options& options) : Load(options) {
    const std::string headers = h2::headersOf(options.subscribePath);
    for (int i = 0; i < options.connections; i++) {
      h2::Connection& connection = open();
      scanners_.emplace_back(options.streams);
      for (int k = 0; k < options.streams; k++) connection.call(headers, options.subscribeMessage, "");
      connection.flush();
    }
    publisher_ = &open();
    const uint64_t deadline = nowNs() + 10 * kSecond;
    while (opened_ < subscribers()) {
      if (nowNs() > deadline) fail("the subscriptions did not open");
      wait(kSecond / 100);
    }
    nextNs_ = nowNs();
  }

 protected:
  void turn() override {
    if (options_.rate > 0) turnAtRate();
    else turnInWindow();
  }

  int64_t settle() override {
    const uint64_t deadline = nowNs() + 3 * kSecond;
    while (nowNs() < deadline && done_ < published_ * subscribers()) wait(kSecond / 100);
    return published_ * subscribers() - done_;
  }

  void onHead(h2::Connection& connection, uint32_t) override { opened_ += &connection != publisher_; }

  void onData(h2::Connection& connection, uint32_t stream, const char* bytes, size_t length) override {
    if (&connection == publisher_) {
      answers_.insert(stream);
      return;
    }
    scanners_[connection.index][stream / 2].scan(bytes, length, [this](uint64_t sentNs) { finished(sentNs); });
  }

  void onEnd(h2::Connection& connection, uint32_t stream) override {
    if (&connection != publisher_) fail("the server ended a subscription");
    if (answers_.erase(stream) == 0) fail("the server refused a publish");
  }

 private:
  uint64_t subscribers() const { return static_cast<uint64_t>(options_.connections) * options_.streams; }

  void turnInWindow() {
    const auto hasRoom = [this] { return published_ * subscribers() < done_ + options_.window * subscribers(); };
    while (hasRoom()) send();
    publisher_->flush();
    wait(kSecond / 50);
    checkProgress();
  }

  // A message says when it was really sent: if this process was held up, that is no delay of the server's.
  void turnAtRate() {
    while (nowNs() >= nextNs_) {
      send();
      nextNs_ += kSecond / options_.rate;
    }
    publisher_->flush();
    const uint64_t now = nowNs();
    wait(nextNs_ > now ? nextNs_ - now : 0);
    checkProgress();
  }

  void send() {
    publish(*publisher_);
    published_++;
  }

  h2::Connection* publisher_ = nullptr;
  std::vector<std::vector<Scanner>> scanners_;  // by connection, then stream
  std::unordered_set<uint32_t> answers_;  // publishes whose answer came and whose end has not
  uint64_t opened_ = 0;
  uint64_t published_ = 0;
  uint64_t nextNs_ = 0;
};

class Unary : public Load {
 public:
  explicit Unary(const Options& options) : Load(options) {
    for (int i = 0; i < options.connections; i++) {
      open();
      calls_.emplace_back();
    }
  }

 protected:
  void begin() override {
    for (const auto& connection : connections_) {
      for (int k = 0; k < options_.window; k++) start(*connection);
      connection->flush();
    }
  }

  // Starts a call and returns its stream.
  virtual uint32_t send(h2::Connection& connection) { return publish(connection); }

  // May another call begin?
  virtual bool hasMore() { return true; }

  void turn() override {
    wait(kSecond / 50);
    checkProgress();
  }

  int64_t settle() override { return 0; }

  void onHead(h2::Connection&, uint32_t) override {}

  void onData(h2::Connection& connection, uint32_t stream, const char*, size_t) override {
    calls_[connection.index][stream].hasMessage = true;
  }

  // The next call leaves with whatever else this input chunk finished.
  void onEnd(h2::Connection& connection, uint32_t stream) override {
    auto& calls = calls_[connection.index];
    const auto call = calls.find(stream);
    if (call == calls.end() || !call->second.hasMessage) fail("the server refused a call");
    finished(call->second.sentNs);
    calls.erase(call);
    start(connection);
  }

 private:
  struct Call {
    uint64_t sentNs = 0;
    bool hasMessage = false;
  };

  void start(h2::Connection& connection) {
    if (!hasMore()) return;
    const uint64_t sentNs = nowNs();
    calls_[connection.index][send(connection)].sentNs = sentNs;
  }

  std::vector<std::unordered_map<uint32_t, Call>> calls_;  // by connection, then stream
};

// Get and Set of cache_client.Scs.
class Keyed : public Unary {
 public:
  explicit Keyed(const Options& options) : Unary(options) {}

 protected:
  void begin() override {
    isFilling_ = true;
    Unary::begin();
    while (done_ < static_cast<uint64_t>(options_.keys)) turn();
    isFilling_ = false;
    done_ = 0;
    Unary::begin();
  }

  bool hasMore() override { return !isFilling_ || filled_ < options_.keys; }

  uint32_t send(h2::Connection& connection) override {
    if (isFilling_) return connection.call(setHeaders_, keyField(filled_++), setTail_);
    const std::string key = keyField(random() % options_.keys);
    return options_.mode == "set" ? connection.call(setHeaders_, key, setTail_)
                                  : connection.call(getHeaders_, key, "");
  }

  // A miss is quicker than a hit: the server may not have lost a key.
  void onData(h2::Connection& connection, uint32_t stream, const char* bytes, size_t length) override {
    if (options_.mode == "get" && !isFilling_ && length < kValueBytes) fail("a key is missing");
    Unary::onData(connection, stream, bytes, length);
  }

 private:
  static constexpr size_t kValueBytes = 100;

  static std::string keyField(int key) {
    char text[16];
    snprintf(text, sizeof text, "\x0a\x08%08d", key);
    return text;
  }

  uint64_t random() {
    state_ ^= state_ << 13, state_ ^= state_ >> 7, state_ ^= state_ << 17;
    return state_;
  }

  const std::string getHeaders_ = h2::headersOf("/cache_client.Scs/Get", options_.cache);
  const std::string setHeaders_ = h2::headersOf("/cache_client.Scs/Set", options_.cache);
  // 2: the value, 3: an hour in milliseconds
  const std::string setTail_ = std::string("\x12\x64") + std::string(kValueBytes, 'x') + "\x18\x80\xdd\xdb\x01";
  bool isFilling_ = false;
  int filled_ = 0;
  uint64_t state_ = 88172645463325252ull;
};

}  // namespace

int main(int count, char** arguments) {
  signal(SIGPIPE, SIG_IGN);
  const Options options = parseOptions(count, arguments);
  if (options.mode == "fanout") FanOut(options).run();
  else if (options.mode == "unary") Unary(options).run();
  else if (options.mode == "ws-idle") Idle(options).run();
  else if (options.isWebSocket()) Push(options).run();
  else Keyed(options).run();
  return 0;
}
