// The load of `npm run bench`: gRPC without TLS on loopback, one thread, one epoll loop. Prints one line of JSON.
//   --mode fanout  subscribes connections x streams to one topic, publishes to it and counts what arrives; with --rate at
//                  that rate, else `window` messages are on their way at any time
//   --mode unary   `window` Publish calls are under way on each connection at any time
//   --mode get     the same with Get of a cache, of any of `keys` keys that hold 100 bytes
//   --mode set     the same with Set
#include <signal.h>
#include <sys/prctl.h>

#include <memory>
#include <unordered_map>
#include <unordered_set>

#include "h2.hpp"
#include "measure.hpp"
#include "options.hpp"
#include "scan.hpp"

namespace {

constexpr uint64_t kSecond = 1000000000ull;

// What both modes share: connections, the event loop, and the part of the run that is measured.
class Load : public h2::Listener {
 public:
  explicit Load(const Options& options) : options_(options), publishHeaders_(h2::headersOf(options.publishPath)) {
    epoll_ = epoll_create1(0);
    prctl(PR_SET_TIMERSLACK, 1);
  }

  void run() {
    begin();
    const uint64_t start = nowNs() + options_.warmSeconds * kSecond;
    while (nowNs() < start) turn();
    const Snapshot from = snapshot();
    isMeasuring_ = true;
    while (nowNs() < from.ns + options_.seconds * kSecond) turn();
    isMeasuring_ = false;
    const Snapshot to = snapshot();
    report(from, to, settle());
  }

 protected:
  struct Snapshot {
    uint64_t ns, done;
    double serverCpu, ownCpu;
  };

  virtual void begin() {}
  virtual void turn() = 0;
  // Waits for what is still on its way; returns how much of it never came.
  virtual int64_t settle() = 0;

  h2::Connection& open() {
    connections_.push_back(std::make_unique<h2::Connection>(epoll_, options_.port, connections_.size(), *this));
    return *connections_.back();
  }

  void wait(uint64_t ns) {
    epoll_event events[256];
    const timespec timeout{static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)};
    const int count = epoll_pwait2(epoll_, events, 256, &timeout, nullptr);
    receivedAt_ = nowNs();
    for (int i = 0; i < count; i++) static_cast<h2::Connection*>(events[i].data.ptr)->onEvents(events[i].events);
  }

  uint32_t publish(h2::Connection& connection) {
    return connection.call(publishHeaders_, options_.publishHead, payloadAt(nowNs()));
  }

  void finished(uint64_t sentNs) {
    done_++;
    progressNs_ = receivedAt_;
    if (isMeasuring_) latencies_.add(receivedAt_ > sentNs ? receivedAt_ - sentNs : 0);
  }

  // A server that loses messages or answers would be measured as a slow one: it is an error instead.
  void checkProgress() {
    if (progressNs_ == 0) progressNs_ = nowNs();
    if (nowNs() - progressNs_ > 2 * kSecond) fail("nothing came for two seconds: messages are lost");
  }

  const Options& options_;
  std::vector<std::unique_ptr<h2::Connection>> connections_;
  uint64_t done_ = 0;

 private:
  Snapshot snapshot() { return {nowNs(), done_, processCpuSeconds(options_.pid), ownCpuSeconds()}; }

  void report(const Snapshot& from, const Snapshot& to, int64_t lost) {
    const double seconds = (to.ns - from.ns) / 1e9;
    const double done = to.done - from.done;
    printf(
        "{\"perSecond\":%.0f,\"serverCpuUs\":%.3f,\"p50Us\":%.0f,\"p99Us\":%.0f,\"maxUs\":%.0f,\"lost\":%lld,"
        "\"serverCpuPercent\":%.0f,\"loaderCpuPercent\":%.0f,\"serverMemoryMb\":%.1f}\n",
        done / seconds, done > 0 ? (to.serverCpu - from.serverCpu) / done * 1e6 : 0, latencies_.percentileUs(0.5),
        latencies_.percentileUs(0.99), latencies_.maxUs(), static_cast<long long>(lost),
        (to.serverCpu - from.serverCpu) / seconds * 100, (to.ownCpu - from.ownCpu) / seconds * 100,
        residentMb(options_.pid));
  }

  int epoll_;
  const std::string publishHeaders_;
  uint64_t receivedAt_ = 0;
  uint64_t progressNs_ = 0;
  bool isMeasuring_ = false;
  Histogram latencies_;
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
  else Keyed(options).run();
  return 0;
}
