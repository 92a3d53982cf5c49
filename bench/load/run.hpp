// What all loads share: the event loop, and the part of the run that is measured.
#pragma once
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "measure.hpp"
#include "options.hpp"

constexpr uint64_t kSecond = 1000000000ull;

// Something that epoll watches.
struct Source {
  virtual void onEvents(uint32_t events) = 0;
  virtual ~Source() = default;
};

class Run {
 public:
  explicit Run(const Options& options) : options_(options) {
    epoll_ = epoll_create1(0);
    prctl(PR_SET_TIMERSLACK, 1);
    rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  virtual ~Run() = default;

  virtual void run() {
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

  void wait(uint64_t ns) {
    epoll_event events[256];
    const timespec timeout{static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)};
    const int count = epoll_pwait2(epoll_, events, 256, &timeout, nullptr);
    receivedAt_ = nowNs();
    for (int i = 0; i < count; i++) static_cast<Source*>(events[i].data.ptr)->onEvents(events[i].events);
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

  Snapshot snapshot() { return {nowNs(), done_, processCpuSeconds(options_.pid), ownCpuSeconds()}; }

  // `connectionKb`: of the server's memory, where that is the question.
  void report(const Snapshot& from, const Snapshot& to, int64_t lost, double connectionKb = 0) {
    const double seconds = (to.ns - from.ns) / 1e9;
    const double done = to.done - from.done;
    printf(
        "{\"perSecond\":%.0f,\"serverCpuUs\":%.3f,\"p50Us\":%.0f,\"p99Us\":%.0f,\"maxUs\":%.0f,\"lost\":%lld,"
        "\"serverCpuPercent\":%.0f,\"loaderCpuPercent\":%.0f,\"serverMemoryMb\":%.1f,\"connectionKb\":%.2f}\n",
        done / seconds, done > 0 ? (to.serverCpu - from.serverCpu) / done * 1e6 : 0, latencies_.percentileUs(0.5),
        latencies_.percentileUs(0.99), latencies_.maxUs(), static_cast<long long>(lost),
        (to.serverCpu - from.serverCpu) / seconds * 100, (to.ownCpu - from.ownCpu) / seconds * 100,
        residentMb(options_.pid), connectionKb);
  }

  const Options& options_;
  int epoll_;
  uint64_t done_ = 0;

 private:
  uint64_t receivedAt_ = 0;
  uint64_t progressNs_ = 0;
  bool isMeasuring_ = false;
  Histogram latencies_;
};
