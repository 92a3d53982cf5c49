// The client half of a WebSocket without TLS, as far as a load needs it: https://www.rfc-editor.org/rfc/rfc6455. What comes
// in is not cut into frames: marks are found wherever they lie. Runs are shorter than any server's patience for a pong.
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "run.hpp"

namespace ws {

class Connection;

// Who is told what comes in.
struct Listener {
  virtual void onOpen(Connection& connection) = 0;
  virtual void onBytes(Connection& connection, const char* bytes, size_t length) = 0;
  virtual ~Listener() = default;
};

struct Handshake {
  std::string path, protocol, token;

  std::string text() const {
    std::string head = "GET " + path + " HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    head += "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
    if (!protocol.empty()) head += "Sec-WebSocket-Protocol: " + protocol + "\r\n";
    if (!token.empty()) head += "Authorization: Bearer " + token + "\r\n";
    return head + "\r\n";
  }
};

// One connection; `flush` after `send`, so that frames of one turn leave in one write.
class Connection : public Source {
 public:
  // `isSmall`: the kernels hold as little for it as they can.
  Connection(int epoll, int port, size_t index, const Handshake& handshake, bool isSmall, Listener& listener)
      : index(index), epoll_(epoll), listener_(listener), out_(handshake.text()) {
    socket_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (socket_ < 0) fail("no more sockets: see `ulimit -n`");
    const int one = 1;
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (isSmall) makeSmall();
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0 && errno != EINPROGRESS) {
      fail("cannot connect");
    }
    watch(EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT);
    waitsForRoom_ = true;
  }

  const size_t index;

  void send(const std::string& payload, bool isBinary) {
    const size_t length = payload.size();
    out_ += static_cast<char>(isBinary ? 0x82 : 0x81);
    if (length < 126) {
      out_ += static_cast<char>(0x80 | length);
    } else {
      if (length > 0xffff) fail("a message is too long");
      out_ += static_cast<char>(0x80 | 126);
      out_ += static_cast<char>(length >> 8);
      out_ += static_cast<char>(length);
    }
    static constexpr char kMask[] = {0x12, 0x34, 0x56, 0x78};
    out_.append(kMask, sizeof kMask);
    for (size_t i = 0; i < length; i++) out_ += payload[i] ^ kMask[i & 3];
  }

  void flush() {
    size_t sent = 0;
    while (sent < out_.size()) {
      const ssize_t count = ::send(socket_, out_.data() + sent, out_.size() - sent, MSG_NOSIGNAL);
      if (count <= 0) break;
      sent += count;
    }
    out_.erase(0, sent);
    if (out_.empty() != waitsForRoom_) return;
    waitsForRoom_ = !out_.empty();
    watch(EPOLL_CTL_MOD, EPOLLIN | (waitsForRoom_ ? EPOLLOUT : 0u));
  }

  void stopReading() { epoll_ctl(epoll_, EPOLL_CTL_DEL, socket_, nullptr); }

  void onEvents(uint32_t events) override {
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive();
    if (events & EPOLLOUT) flush();
  }

 private:
  // The sender's kernel makes room for 20 segments, which are 64 KiB each on loopback: the server would see a client that
  // does not read only after 1.3 MB.
  void makeSmall() {
    const int receiveBuffer = 4096, segment = 536;
    setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, sizeof receiveBuffer);
    setsockopt(socket_, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
  }

  void watch(int operation, uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = static_cast<Source*>(this);
    epoll_ctl(epoll_, operation, socket_, &event);
  }

  void receive() {
    static char buffer[1 << 18];
    for (;;) {
      const ssize_t count = recv(socket_, buffer, sizeof buffer, 0);
      if (count == 0 || (count < 0 && errno != EAGAIN)) fail("the server closed a connection");
      if (count < 0) return;
      if (isOpen_) listener_.onBytes(*this, buffer, count);
      else readHead(buffer, count);
      if (static_cast<size_t>(count) < sizeof buffer) return;
    }
  }

  void readHead(const char* bytes, size_t length) {
    head_.append(bytes, length);
    const size_t end = head_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    if (head_.compare(0, 12, "HTTP/1.1 101") != 0) fail("a handshake was refused: " + head_.substr(0, 200));
    const std::string rest = head_.substr(end + 4);
    std::string().swap(head_);
    isOpen_ = true;
    listener_.onOpen(*this);
    if (!rest.empty()) listener_.onBytes(*this, rest.data(), rest.size());
  }

  const int epoll_;
  int socket_;
  Listener& listener_;
  bool isOpen_ = false;
  bool waitsForRoom_ = false;
  std::string out_;
  std::string head_;
};

}  // namespace ws
