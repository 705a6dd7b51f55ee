// SPDX-License-Identifier: Apache-2.0
// Everything at once, for as long as asked: channels, locks, contexts, timers, storms, blocking
// code, hogs, foreign threads, exceptions, sockets, a server. When all of it has ended, resident
// memory, descriptors, threads and goroutines are where they began.
//
// usage: weft_soak SECONDS
//
// It all runs twice. The first time is the warm-up: it makes the threads, tables and stacks that
// stay. The second time must leave nothing more.
#include "soak.hpp"

#include <dirent.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <latch>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

using namespace std::chrono_literals;

namespace soak {

void failed(const char* what, int64_t got, int64_t wanted) {
  std::fprintf(stderr, "soak: FAILED: %s: %lld instead of %lld\n", what,
               static_cast<long long>(got), static_cast<long long>(wanted));
  std::_Exit(1);
}

namespace {

// More goroutines than ever block at once in the activities: each makes a thread, which stays.
// A few more in the warm-up, since how many threads look for work beside those is up to the moment.
constexpr int blocked_at_once = 48;
constexpr int more_in_warm_up = 8;
// What malloc and the kernel keep from a load that is never twice the same; a leak of one small
// object a second is more in half an hour. Stacks are trimmed 10 s after their last use: a short
// run does not wait for that.
constexpr int64_t resident_slack_kib = 24 << 10;
constexpr int64_t resident_slack_short_kib = 96 << 10;
constexpr int long_run_s = 120;
// Shadow memory grows with what was ever touched.
constexpr bool sanitized = weft::rt::sanitizer::address || weft::rt::sanitizer::thread;
// An activity that does nothing for so long hangs.
constexpr int stuck_s = 60;

// The main one, and the one that reads signals, which stays after the first notify_context().
constexpr int64_t goroutines_that_stay = 2;

struct sample {
  int64_t resident_kib = 0;
  int64_t threads = 0;
  int64_t descriptors = 0;
  int64_t goroutines = 0;
};

/// Without those that the monitor keeps to watch a thread by: one a thread, made when it first
/// looks.
int64_t count_descriptors() {
  int64_t count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return -1;
  while (const dirent* entry = ::readdir(directory)) {
    char target[64];
    const ssize_t length = ::readlinkat(::dirfd(directory), entry->d_name, target, sizeof(target));
    if (length <= 0) continue;  // "." and ".."
    const std::string_view link(target, static_cast<size_t>(length));
    if (!link.starts_with("/proc/")) ++count;  // the directory itself is in /proc, too
  }
  ::closedir(directory);
  return count;
}

sample take_sample() {
  sample s;
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) s.resident_kib = std::atoll(line.c_str() + 6);
    if (line.starts_with("Threads:")) s.threads = std::atoll(line.c_str() + 8);
  }
  status.close();
  s.descriptors = count_descriptors();
  s.goroutines = weft::num_goroutine();
  return s;
}

void print(const char* when, const sample& s) {
  std::printf(
      "soak: %-12s resident %7lld KiB, threads %3lld, descriptors %4lld, goroutines %5lld\n", when,
      static_cast<long long>(s.resident_kib), static_cast<long long>(s.threads),
      static_cast<long long>(s.descriptors), static_cast<long long>(s.goroutines));
}

struct running {
  const activity* what;
  std::atomic<uint64_t> steps{0};
  uint64_t seen = 0;  // by the sampler
  int64_t seen_s = 0;
};

std::vector<std::unique_ptr<running>> everything() {
  std::vector<std::unique_ptr<running>> all;
  for (auto part : {sync_activities(), sched_activities(), net_activities()})
    for (const activity& a : part) all.push_back(std::make_unique<running>(&a));
  return all;
}

/// As many threads as will ever be blocked at once.
void make_threads(int count) {
  std::latch there(count);
  weft::wait_group all;
  for (int i = 0; i < count; ++i) all.go([&] { weft::blocking([&] { there.arrive_and_wait(); }); });
  all.wait();
}

void check_progress(running& r, int64_t now_s) {
  const uint64_t steps = r.steps.load();
  if (steps != r.seen) {
    r.seen = steps;
    r.seen_s = now_s;
  } else if (now_s - r.seen_s >= stuck_s) {
    if (!WEFT_TSAN) std::fputs(weft::goroutine_dump().c_str(), stderr);
    std::fprintf(stderr, "soak: %s stands still\n", r.what->name);
    failed("steps", static_cast<int64_t>(steps), static_cast<int64_t>(steps) + 1);
  }
}

/// For as long as asked, and until everybody has done something.
void run_everything(std::chrono::milliseconds how_long, const char* name) {
  auto all = everything();
  auto [ctx, cancel] = weft::with_cancel(weft::background());
  weft::wait_group ended;
  for (auto& r : all) ended.go([&ctx, &r] { r->what->run(ctx, r->steps); });
  const auto start = weft::now();
  const auto pause = std::clamp<std::chrono::milliseconds>(how_long / 3, 1s, 10s);
  for (bool enough = false; !enough;) {
    const auto left = how_long - (weft::now() - start);
    weft::sleep_for(std::clamp<std::chrono::nanoseconds>(left, 50ms, pause));
    const auto at = weft::now() - start;
    const auto at_s = std::chrono::duration_cast<std::chrono::seconds>(at).count();
    print((std::string(name) + " " + std::to_string(at_s) + " s").c_str(), take_sample());
    enough = at >= how_long;
    for (auto& r : all) {
      check_progress(*r, at_s);
      enough = enough && r->steps != 0;
    }
  }
  cancel();
  ended.wait();
  for (auto& r : all)
    std::printf("soak:   %-12s %9llu\n", r->what->name,
                static_cast<unsigned long long>(r->steps.load()));
}

/// When everybody has ended. In a long run also when the stacks of those are trimmed.
sample quiet(bool long_run) {
  for (auto limit = weft::now() + 60s; weft::num_goroutine() > goroutines_that_stay;) {
    if (weft::now() > limit) {
      if (!WEFT_TSAN) std::fputs(weft::goroutine_dump().c_str(), stderr);
      failed("goroutines at the end", weft::num_goroutine(), goroutines_that_stay);
    }
    weft::sleep_for(1ms);
  }
  if (long_run) weft::sleep_for(30s);
  ::malloc_trim(0);
  return take_sample();
}

/// The kernel counts a thread for a moment after it was joined.
sample quiet_as(const sample& began, bool long_run) {
  sample ended = quiet(long_run);
  for (auto limit = weft::now() + 10s; ended.threads > began.threads && weft::now() < limit;) {
    weft::sleep_for(10ms);
    ended = take_sample();
  }
  return ended;
}

bool within(const char* what, int64_t began, int64_t ended, int64_t slack) {
  const bool holds = ended <= began + slack;
  std::printf("soak: %-12s began %7lld, ended %7lld%s\n", what, static_cast<long long>(began),
              static_cast<long long>(ended), holds ? "" : "   FAILED");
  return holds;
}

int soak(int seconds) {
  const bool long_run = seconds >= long_run_s;
  const auto warm = std::min<std::chrono::milliseconds>(60s, 1000ms * seconds / 3);
  make_threads(blocked_at_once + more_in_warm_up);
  run_everything(warm, "warm-up");
  const sample began = quiet(long_run);
  print("began", began);
  make_threads(blocked_at_once);
  run_everything(1000ms * seconds - warm, "soak");
  const sample ended = quiet_as(began, long_run);
  print("ended", ended);
  const int64_t slack_kib = long_run ? resident_slack_kib : resident_slack_short_kib;
  bool holds = within("resident", began.resident_kib, ended.resident_kib, slack_kib) || sanitized;
  holds &= within("threads", began.threads, ended.threads, 0);
  holds &= within("descriptors", began.descriptors, ended.descriptors, 0);
  holds &= within("goroutines", began.goroutines, ended.goroutines, 0);
  return holds ? 0 : 1;
}

}  // namespace
}  // namespace soak

int main(int count, char** words) {
  const int seconds = count == 2 ? std::atoi(words[1]) : 0;
  if (seconds < 3) {
    std::fprintf(stderr, "usage: weft_soak SECONDS (at least 3)\n");
    return 2;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  return weft::run([&] { return soak::soak(seconds); });
}
