// The loads of WebSockets. In what is sent, `{i}` stands for the number of a topic, in six digits, and `{p}` for the payload.
#pragma once
#include <fstream>
#include <memory>
#include <vector>

#include "scan.hpp"
#include "websocket.hpp"

// Opens connections, a bounded number of them at a time, and knows when the server has told each that it is ready.
class Sockets : public Run, public ws::Listener {
 public:
  explicit Sockets(const Options& options) : Run(options) {
    std::ifstream file(options.tokenFile);
    for (std::string line; std::getline(file, line);) tokens_.push_back(line);
  }

 protected:
  static constexpr size_t kOpeningMax = 128;
  static constexpr uint64_t kOpenSeconds = 60;

  void openSubscribers() {
    const uint64_t deadline = nowNs() + kOpenSeconds * kSecond;
    const size_t wanted = options_.connections;
    while (ready_ < wanted) {
      while (connections_.size() < wanted && connections_.size() - ready_ < kOpeningMax) {
        open(options_.path, connections_.size() < static_cast<size_t>(options_.stalled));
      }
      wait(kSecond / 100);
      if (nowNs() > deadline) fail("the connections did not open");
    }
  }

  void openPublishers() {
    const size_t wanted = connections_.size() + options_.publishers;
    while (connections_.size() < wanted) open(options_.publishPath, false);
    const uint64_t deadline = nowNs() + kOpenSeconds * kSecond;
    while (ready_ < wanted) {
      wait(kSecond / 100);
      if (nowNs() > deadline) fail("the publishers did not open");
    }
  }

  bool isPublisher(const ws::Connection& connection) const {
    return connection.index >= static_cast<size_t>(options_.connections);
  }

  ws::Connection& publisher(size_t number) {
    return *connections_[options_.connections + number % options_.publishers];
  }

  void onOpen(ws::Connection& connection) override {
    const std::string& frame = isPublisher(connection) ? options_.greeting : options_.subscribe;
    if (!frame.empty()) connection.send(expand(frame, topicOf(connection.index), ""), options_.isBinary);
    connection.flush();
    if (sign(connection).empty()) becomeReady(connection.index);
  }

  void onBytes(ws::Connection& connection, const char* bytes, size_t length) override {
    if (isReady_[connection.index]) {
      if (!isPublisher(connection)) onReadyBytes(connection, bytes, length);
      return;
    }
    auto& greeting = greetings_[connection.index];
    greeting.append(bytes, length);
    if (greeting.find(sign(connection)) != std::string::npos) becomeReady(connection.index);
  }

  virtual void onReadyBytes(ws::Connection&, const char*, size_t) {}

  int topicOf(size_t index) const { return options_.mode == "ws-fanout" ? 0 : index; }

  static std::string expand(const std::string& pattern, int topic, const std::string& payload) {
    char digits[16];
    snprintf(digits, sizeof digits, "%06d", topic);
    std::string text;
    for (size_t at = 0; at < pattern.size(); at++) {
      const bool isPlace = pattern[at] == '{' && at + 2 < pattern.size() && pattern[at + 2] == '}';
      const char name = isPlace ? pattern[at + 1] : 0;
      if (name != 'i' && name != 'p') {
        text += pattern[at];
        continue;
      }
      text += name == 'i' ? digits : payload;
      at += 2;
    }
    return text;
  }

  std::vector<std::unique_ptr<ws::Connection>> connections_;

 private:
  void open(const std::string& path, bool isSmall) {
    const size_t index = connections_.size();
    isReady_.push_back(false);
    greetings_.emplace_back();
    const std::string token = tokens_.empty() ? "" : tokens_[index % tokens_.size()];
    const ws::Handshake handshake{expand(path, topicOf(index), ""), options_.protocol, token};
    connections_.push_back(
        std::make_unique<ws::Connection>(epoll_, options_.port, index, handshake, isSmall, *this));
  }

  const std::string& sign(const ws::Connection& connection) const {
    return isPublisher(connection) ? options_.greetedSign : options_.subscribedSign;
  }

  void becomeReady(size_t index) {
    isReady_[index] = true;
    std::string().swap(greetings_[index]);
    ready_++;
  }

  std::vector<std::string> tokens_;
  std::vector<bool> isReady_;
  std::vector<std::string> greetings_;  // what came before it was ready
  size_t ready_ = 0;
};

// Messages to all connections, or each to one of them; with --rate at that rate, else `window` on their way at any time.
class Push : public Sockets {
 public:
  explicit Push(const Options& options) : Sockets(options), scanners_(options.connections) {}

 protected:
  void begin() override {
    openSubscribers();
    openPublishers();
    for (int i = 0; i < options_.stalled; i++) connections_[i]->stopReading();
    // Not every server says when a subscription counts.
    const uint64_t start = nowNs() + 3 * kSecond / 10;
    while (nowNs() < start) wait(kSecond / 100);
    nextNs_ = nowNs();
  }

  void turn() override {
    if (options_.rate > 0) turnAtRate();
    else turnInWindow();
    checkProgress();
  }

  int64_t settle() override {
    const uint64_t deadline = nowNs() + 3 * kSecond;
    while (nowNs() < deadline && done_ < published_ * receivers()) wait(kSecond / 100);
    return published_ * receivers() - done_;
  }

  void onReadyBytes(ws::Connection& connection, const char* bytes, size_t length) override {
    scanners_[connection.index].scan(bytes, length, [this](uint64_t sentNs) { finished(sentNs); });
  }

 private:
  uint64_t receivers() const { return options_.mode == "ws-unicast" ? 1 : options_.connections - options_.stalled; }

  void turnInWindow() {
    while (published_ * receivers() < done_ + options_.window * receivers()) send();
    flush();
    wait(kSecond / 50);
  }

  // A message says when it was really sent: if this process was held up, that is no delay of the server's.
  void turnAtRate() {
    while (nowNs() >= nextNs_) {
      send();
      nextNs_ += kSecond / options_.rate;
    }
    flush();
    const uint64_t now = nowNs();
    wait(nextNs_ > now ? nextNs_ - now : 0);
  }

  void send() {
    const int topic = options_.mode == "ws-unicast" ? random() % options_.connections : 0;
    const std::string message = expand(options_.publish, topic, payloadAt(nowNs(), options_.bytes));
    publisher(published_++).send(message, options_.isBinary);
  }

  void flush() {
    for (int i = 0; i < options_.publishers; i++) publisher(i).flush();
  }

  uint64_t random() {
    state_ ^= state_ << 13, state_ ^= state_ >> 7, state_ ^= state_ << 17;
    return state_;
  }

  std::vector<Scanner> scanners_;
  uint64_t published_ = 0;
  uint64_t nextNs_ = 0;
  uint64_t state_ = 88172645463325252ull;
};

// Opens connections and leaves them alone: how many a second, and the memory that each takes from the server.
class Idle : public Sockets {
 public:
  explicit Idle(const Options& options) : Sockets(options) {}

  void run() override {
    const double beforeMb = residentMb(options_.pid);
    const Snapshot from = snapshot();
    openSubscribers();
    done_ = options_.connections;
    const Snapshot to = snapshot();
    const uint64_t end = nowNs() + options_.seconds * kSecond;
    while (nowNs() < end) wait(kSecond / 50);
    report(from, to, 0, (residentMb(options_.pid) - beforeMb) * 1024 / options_.connections);
  }

 protected:
  void turn() override {}
  int64_t settle() override { return 0; }
};
