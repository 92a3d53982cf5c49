// The practical limit: a bare broadcaster on one epoll loop, one send() for each subscriber and message. Text frames
// "S<topic>" subscribe, "P<topic> <payload>" publish. No limits, no checks; it speaks to the load only, which does not ask
// for Sec-WebSocket-Accept.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

struct Client {
  int socket;
  bool isOpen = false;
  std::string in, out;
};

static int epoll;
static std::unordered_map<std::string, std::vector<Client*>> topics;

static void watch(int operation, Client* client, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = client;
  epoll_ctl(epoll, operation, client->socket, &event);
}

static void write(Client* client, const std::string& bytes) {
  if (!client->out.empty()) {
    client->out += bytes;
    return;
  }
  const ssize_t sent = std::max<ssize_t>(send(client->socket, bytes.data(), bytes.size(), MSG_NOSIGNAL), 0);
  if (static_cast<size_t>(sent) == bytes.size()) return;
  client->out = bytes.substr(sent);
  watch(EPOLL_CTL_MOD, client, EPOLLIN | EPOLLOUT);
}

static void drain(Client* client) {
  const ssize_t sent = send(client->socket, client->out.data(), client->out.size(), MSG_NOSIGNAL);
  client->out.erase(0, std::max<ssize_t>(sent, 0));
  if (client->out.empty()) watch(EPOLL_CTL_MOD, client, EPOLLIN);
}

static void onMessage(Client* client, const std::string& text) {
  if (text[0] == 'S') topics[text.substr(1)].push_back(client);
  const size_t space = text.find(' ');
  if (text[0] != 'P' || space == std::string::npos) return;
  const std::string payload = text.substr(space + 1);
  std::string frame = "\x81";
  if (payload.size() >= 126) {
    frame += static_cast<char>(126);
    frame += static_cast<char>(payload.size() >> 8);
  }
  frame += static_cast<char>(payload.size());
  frame += payload;
  for (Client* subscriber : topics[text.substr(1, space - 1)]) write(subscriber, frame);
}

static void readFrames(Client* client) {
  size_t at = 0;
  while (client->in.size() - at >= 6) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(client->in.data()) + at;
    size_t length = bytes[1] & 127, head = 2;
    if (length == 126) {
      if (client->in.size() - at < 8) break;
      length = bytes[2] << 8 | bytes[3];
      head = 4;
    }
    if (client->in.size() - at < head + 4 + length) break;
    std::string text(client->in, at + head + 4, length);
    for (size_t i = 0; i < length; i++) text[i] ^= bytes[head + (i & 3)];
    if (length > 0) onMessage(client, text);
    at += head + 4 + length;
  }
  client->in.erase(0, at);
  if (client->in.empty()) client->in.shrink_to_fit();
}

static void remove(Client* client) {
  for (auto& [name, clients] : topics) clients.erase(std::remove(clients.begin(), clients.end(), client), clients.end());
  close(client->socket);
  delete client;
}

static void receive(Client* client) {
  static char buffer[1 << 16];
  const ssize_t count = recv(client->socket, buffer, sizeof buffer, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) return remove(client);
  client->in.append(buffer, count);
  if (!client->isOpen) {
    const size_t end = client->in.find("\r\n\r\n");
    if (end == std::string::npos) return;
    client->in.erase(0, end + 4);
    client->isOpen = true;
    write(client, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
  }
  readFrames(client);
}

static void acceptAll(int listener) {
  const int one = 1;
  for (int socket; (socket = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0;) {
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watch(EPOLL_CTL_ADD, new Client{socket}, EPOLLIN);
  }
}

int main() {
  signal(SIGPIPE, SIG_IGN);
  rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  Client listener{socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (bind(listener.socket, reinterpret_cast<sockaddr*>(&address), length) < 0) return 1;
  listen(listener.socket, 4096);
  getsockname(listener.socket, reinterpret_cast<sockaddr*>(&address), &length);
  epoll = epoll_create1(0);
  watch(EPOLL_CTL_ADD, &listener, EPOLLIN);
  printf("listens on http://127.0.0.1:%d\n", ntohs(address.sin_port));
  fflush(stdout);
  static epoll_event events[1024];
  for (;;) {
    const int count = epoll_wait(epoll, events, 1024, -1);
    for (int i = 0; i < count; i++) {
      auto* client = static_cast<Client*>(events[i].data.ptr);
      if (client == &listener) acceptAll(listener.socket);
      else if (events[i].events & EPOLLOUT) drain(client);
      else receive(client);
    }
  }
}
