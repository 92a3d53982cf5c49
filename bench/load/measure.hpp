// Clocks, a latency histogram and the CPU time of processes.
#pragma once
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

inline uint64_t nowNs() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ull + time.tv_nsec;
}

// Counts nanoseconds in buckets of 1/32 of a power of two: an error of at most 3 %, whatever the size.
class Histogram {
 public:
  void add(uint64_t ns) {
    buckets_[indexOf(ns)]++;
    count_++;
    if (ns > max_) max_ = ns;
  }

  double percentileUs(double part) const {
    const uint64_t wanted = static_cast<uint64_t>(std::ceil(part * count_));
    uint64_t seen = 0;
    for (size_t i = 0; i < buckets_.size() && count_ > 0; i++) {
      seen += buckets_[i];
      if (seen >= wanted) return middleOf(i) / 1e3;
    }
    return 0;
  }

  double maxUs() const { return max_ / 1e3; }

 private:
  static size_t indexOf(uint64_t ns) {
    if (ns < 64) return ns;
    const int exponent = 63 - __builtin_clzll(ns);
    return 64 + (exponent - 6) * 32 + ((ns >> (exponent - 5)) & 31);
  }

  static uint64_t middleOf(size_t index) {
    if (index < 64) return index;
    const int exponent = (index - 64) / 32 + 6;
    const uint64_t step = (index - 64) % 32;
    return (1ull << exponent) + (step << (exponent - 5)) + (1ull << (exponent - 6));
  }

  std::vector<uint64_t> buckets_ = std::vector<uint64_t>(64 + 58 * 32, 0);
  uint64_t count_ = 0;
  uint64_t max_ = 0;
};

// Seconds of CPU that process `pid` has used with all its threads; 0 when there is none. Steps of 10 ms.
inline double processCpuSeconds(int pid) {
  char path[64], text[2048];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE* file = fopen(path, "r");
  if (!file) return 0;
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  const char* behindName = strrchr(text, ')');  // the name may hold anything, a `)` too
  unsigned long long user = 0, system = 0;
  if (!behindName) return 0;
  sscanf(behindName + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system);
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

// Resident memory of process `pid`; 0 when there is none.
inline double residentMb(int pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/statm", pid);
  FILE* file = fopen(path, "r");
  if (!file) return 0;
  unsigned long long pages = 0;
  if (fscanf(file, "%*u %llu", &pages) != 1) pages = 0;
  fclose(file);
  return pages * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

inline double ownCpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
