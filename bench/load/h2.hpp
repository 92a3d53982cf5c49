// The client half of HTTP/2 that gRPC needs, without TLS: https://www.rfc-editor.org/rfc/rfc9113. Headers are sent as
// literals and received ones are not decoded: a gRPC call went well when a message came before its end.
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "options.hpp"
#include "run.hpp"

namespace h2 {

enum FrameType { kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6, kGoaway = 7, kWindowUpdate = 8 };
constexpr int kEndStream = 1, kAck = 1, kEndHeaders = 4, kPadded = 8;
constexpr uint32_t kMaxWindow = 0x7fffffff;
constexpr size_t kFrameHead = 9;

class Connection;

// Who is told what comes in.
struct Listener {
  virtual void onHead(Connection& connection, uint32_t stream) = 0;
  virtual void onData(Connection& connection, uint32_t stream, const char* bytes, size_t length) = 0;
  virtual void onEnd(Connection& connection, uint32_t stream) = 0;
  virtual ~Listener() = default;
};

inline void putNumber(std::string& out, uint64_t value, int bytes) {
  for (int i = bytes - 1; i >= 0; i--) out += static_cast<char>(value >> (8 * i));
}

inline void putFrame(std::string& out, FrameType type, int flags, uint32_t stream, const std::string& payload) {
  putNumber(out, payload.size(), 3);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  putNumber(out, stream, 4);
  out += payload;
}

// The header block of a gRPC call, built once for each method; `cache` is a piece of Momento's metadata.
inline std::string headersOf(const std::string& path, const std::string& cache = "") {
  std::string block = "\x83\x86";  // HPACK's static table: POST, http
  const auto literal = [&](const std::string& name, const std::string& value) {
    if (value.size() > 126) fail("a header is too long");
    block += '\0';
    block += static_cast<char>(name.size());
    block += name;
    block += static_cast<char>(value.size());
    block += value;
  };
  literal(":path", path);
  literal(":authority", "127.0.0.1");
  literal("content-type", "application/grpc");
  literal("te", "trailers");
  if (!cache.empty()) literal("cache", cache);
  return block;
}

// One connection; `flush` after `call`, so that calls of one turn leave in one write.
class Connection : public Source {
 public:
  Connection(int epoll, int port, size_t index, Listener& listener) : index(index), epoll_(epoll), listener_(listener) {
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) fail("cannot connect");
    const int one = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = static_cast<Source*>(this);
    epoll_ctl(epoll_, EPOLL_CTL_ADD, socket_, &event);
    greet();
  }

  const size_t index;

  // Starts a call whose request is `head` and `tail` glued together. Returns its stream.
  uint32_t call(const std::string& headers, const std::string& head, const std::string& tail) {
    const uint32_t stream = nextStream_;
    nextStream_ += 2;
    putFrame(out_, kHeaders, kEndHeaders, stream, headers);
    const size_t length = head.size() + tail.size();
    putNumber(out_, length + 5, 3);
    out_ += static_cast<char>(kData);
    out_ += static_cast<char>(kEndStream);
    putNumber(out_, stream, 4);
    out_ += '\0';  // gRPC: not compressed
    putNumber(out_, length, 4);
    out_ += head;
    out_ += tail;
    return stream;
  }

  void flush() {
    size_t sent = 0;
    while (sent < out_.size()) {
      const ssize_t count = send(socket_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count <= 0) break;
      sent += count;
    }
    out_.erase(0, sent);
    if (out_.empty() != waitsForRoom_) return;
    waitsForRoom_ = !out_.empty();
    epoll_event event{};
    event.events = EPOLLIN;
    if (waitsForRoom_) event.events |= EPOLLOUT;
    event.data.ptr = static_cast<Source*>(this);
    epoll_ctl(epoll_, EPOLL_CTL_MOD, socket_, &event);
  }

  void onEvents(uint32_t events) override {
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive();
    flush();
  }

 private:
  void greet() {
    out_ = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    std::string settings;
    putNumber(settings, 1, 2), putNumber(settings, 0, 4);           // no dynamic header table
    putNumber(settings, 4, 2), putNumber(settings, kMaxWindow, 4);  // a stream's window: never in the way
    putFrame(out_, kSettings, 0, 0, settings);
    grant(kMaxWindow - 65535);
    flush();
  }

  void grant(uint32_t bytes) {
    std::string payload;
    putNumber(payload, bytes, 4);
    putFrame(out_, kWindowUpdate, 0, 0, payload);
  }

  void receive() {
    static char buffer[1 << 18];
    for (;;) {
      memcpy(buffer, rest_.data(), rest_.size());
      const size_t room = sizeof buffer - rest_.size();
      const ssize_t count = recv(socket_, buffer + rest_.size(), room, MSG_DONTWAIT);
      if (count == 0 || (count < 0 && errno != EAGAIN)) fail("the server closed a connection");
      if (count < 0) return;
      const size_t length = rest_.size() + count;
      const size_t used = readFrames(buffer, length);
      rest_.assign(buffer + used, length - used);
      if (static_cast<size_t>(count) < room) return;
    }
  }

  size_t readFrames(const char* bytes, size_t length) {
    size_t at = 0;
    while (length - at >= kFrameHead) {
      const auto* head = reinterpret_cast<const uint8_t*>(bytes + at);
      const size_t size = head[0] << 16 | head[1] << 8 | head[2];
      if (length - at < kFrameHead + size) break;
      const uint32_t stream = (head[5] & 0x7f) << 24 | head[6] << 16 | head[7] << 8 | head[8];
      onFrame(head[3], head[4], stream, bytes + at + kFrameHead, size);
      at += kFrameHead + size;
    }
    return at;
  }

  void onFrame(int type, int flags, uint32_t stream, const char* payload, size_t size) {
    if (type == kData) {
      consumed_ += size;
      if (flags & kPadded) fail("padded frames are not supported");
      listener_.onData(*this, stream, payload, size);
    } else if (type == kHeaders) {
      listener_.onHead(*this, stream);
    } else if (type == kSettings && !(flags & kAck)) {
      putFrame(out_, kSettings, kAck, 0, "");
    } else if (type == kPing && !(flags & kAck)) {
      putFrame(out_, kPing, kAck, 0, std::string(payload, size));
    } else if (type == kReset || type == kGoaway) {
      fail("the server refused: frame type " + std::to_string(type));
    }
    if ((type == kData || type == kHeaders) && (flags & kEndStream)) listener_.onEnd(*this, stream);
    if (consumed_ < kMaxWindow / 4) return;
    grant(consumed_);
    consumed_ = 0;
  }

  const int epoll_;
  int socket_;
  Listener& listener_;
  uint32_t nextStream_ = 1;
  uint32_t consumed_ = 0;  // of the connection's window, since the last grant
  bool waitsForRoom_ = false;
  std::string out_;
  std::string rest_;  // the beginning of a frame whose end is still to come
};

}  // namespace h2
