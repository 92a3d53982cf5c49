// Finds messages in a stream of bytes by their mark, whatever the protocol wraps them in: each payload begins with "@@T"
// and the time it was sent, in 16 hexadecimal digits.
#pragma once
#include <cstdio>
#include <cstring>
#include <string>

#include "options.hpp"

constexpr size_t kMarkBytes = 19;

// A payload sent at `ns`. What fills it never looks like a mark.
inline const std::string& payloadAt(uint64_t ns, int bytes = Options::payloadBytes) {
  static std::string payload(bytes, 'x');
  char mark[kMarkBytes + 1];
  snprintf(mark, sizeof mark, "@@T%016llx", static_cast<unsigned long long>(ns));
  memcpy(&payload[0], mark, kMarkBytes);
  return payload;
}

// One stream's scanner: a mark may be cut in two by the frames it came in.
class Scanner {
 public:
  template <typename Found>
  void scan(const char* bytes, size_t length, Found found) {
    if (cut_.empty()) {
      scanWhole(bytes, length, found);
      return;
    }
    const std::string joined = cut_ + std::string(bytes, length);
    cut_.clear();
    scanWhole(joined.data(), joined.size(), found);
  }

 private:
  template <typename Found>
  void scanWhole(const char* bytes, size_t length, Found found) {
    const char* end = bytes + length;
    const char* at = bytes;
    while ((at = static_cast<const char*>(memchr(at, '@', end - at))) != nullptr) {
      const size_t left = end - at;
      if (left < kMarkBytes) {
        cut_.assign(at, left);
        return;
      }
      if (at[1] != '@' || at[2] != 'T') {
        at++;
        continue;
      }
      found(timeOf(at + 3));
      at += kMarkBytes;
    }
  }

  static uint64_t timeOf(const char* digits) {
    uint64_t ns = 0;
    for (int i = 0; i < 16; i++) ns = ns << 4 | (digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10);
    return ns;
  }

  std::string cut_;
};
