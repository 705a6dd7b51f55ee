// SPDX-License-Identifier: Apache-2.0
// Programs of which it is known what a profile must say: truth CASE FILE writes one, and prints
// what is true as JSON. truth.py reads both.
#include <time.h>
#include <weft/weft.hpp>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

extern "C" void without_frame_pointers(int rounds);

namespace {

using namespace weft;
using namespace std::chrono_literals;

int64_t cpu_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

struct file_sink {
  explicit file_sink(const char* path) : file(std::fopen(path, "wb")) {
    if (file == nullptr) std::perror(path), std::exit(1);
  }
  ~file_sink() { std::fclose(file); }
  void operator()(std::string_view bytes) const {
    if (std::fwrite(bytes.data(), 1, bytes.size(), file) != bytes.size()) std::exit(1);
  }
  std::FILE* file;
};

void must(const result<void>& r) {
  if (!r) std::fprintf(stderr, "%s\n", r.error().message().c_str()), std::exit(1);
}

/// By a count that is the same for all, not by the clock: the work is what is in proportion.
[[gnu::noinline]] void spin(int64_t rounds) {
  for (int64_t i = 0; i < rounds; ++i) asm volatile("");
}
[[gnu::noinline]] void half(int64_t unit) {
  spin(50 * unit);
  asm volatile("");  // no tail call: it is to be on the stack
}
[[gnu::noinline]] void third(int64_t unit) {
  spin(30 * unit);
  asm volatile("");  // no tail call: it is to be on the stack
}
[[gnu::noinline]] void fifth(int64_t unit) {
  spin(20 * unit);
  asm volatile("");  // no tail call: it is to be on the stack
}

int64_t rounds_per_ms() {
  const int64_t before = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
  spin(20'000'000);
  return int64_t{20'000'000} * 1'000'000 / (cpu_ns(CLOCK_THREAD_CPUTIME_ID) - before);
}

/// CPU time of half, third and fifth: 50, 30 and 20 % of all, but that a machine that is shared
/// does not do the same work in the same time.
std::array<std::atomic<int64_t>, 3> used_by;
constexpr std::array<void (*)(int64_t), 3> parts = {half, third, fifth};

/// 50, 30 and 20 % of the CPU time.
void shares() {
  const int64_t unit = rounds_per_ms() / 100;
  wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([unit] {
      // Each for many periods at a time: then chance has little to say.
      for (int round = 0; round < 2; ++round)
        for (size_t n = 0; n < parts.size(); ++n) {
          // Nothing in between enters the runtime, so it stays on its thread.
          const int64_t before = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
          for (int i = 0; i < 500; ++i) parts[n](unit);
          used_by[n].fetch_add(cpu_ns(CLOCK_THREAD_CPUTIME_ID) - before);
        }
    });
  all.wait();
}

struct tree {
  std::unique_ptr<tree> left, right;
  char bytes[40];
};
std::unique_ptr<tree> grow(int depth) {
  auto t = std::make_unique<tree>();
  if (depth > 0) t->left = grow(depth - 1), t->right = grow(depth - 1);
  return t;
}

/// What is hard to unwind: malloc, switches, code without frame pointers under libc's qsort,
/// exceptions, foreign threads.
void corners() {
  const int64_t until = cpu_ns(CLOCK_MONOTONIC) + 4'000'000'000;
  const auto left = [=] { return cpu_ns(CLOCK_MONOTONIC) < until; };
  wait_group all;
  all.go([=] {
    while (left()) (void)grow(12);
  });
  all.go([=] {
    while (left()) without_frame_pointers(20), weft::yield();
  });
  const auto ping = make_chan<int>();
  const auto pong = make_chan<int>();
  all.go([=] {
    while (left())
      for (int i = 0; i < 1000; ++i) ping.send(i), (void)pong.recv();
    ping.close();
  });
  all.go([=] {
    while (ping.recv().has_value()) pong.send(1);
  });
  all.go([=] {
    while (left()) {
      try {
        throw std::string("thrown");
      } catch (const std::string&) {
      }
    }
  });
  std::thread foreign([=] {
    while (left()) without_frame_pointers(10);
  });
  all.wait();
  weft::blocking([&] { foreign.join(); });
}

template <class Work>
void with_cpu_profile(const char* path, int rate_hz, Work work) {
  const file_sink to(path);
  must(prof::start_cpu({.rate_hz = rate_hz}));
  const int64_t before = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
  work();
  const int64_t used = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - before;
  const result<prof::cpu_summary> got = prof::stop_cpu(to);
  if (!got) std::exit(1);
  const auto threads = std::distance(std::filesystem::directory_iterator("/proc/self/task"), {});
  std::printf(
      "{\"threads\": %lld, \"cpu_ns\": %lld, \"samples\": %lld, \"lost\": %lld,"
      " \"achieved_hz\": %.1f, \"parts\": [%lld, %lld, %lld]}\n",
      static_cast<long long>(threads), static_cast<long long>(used),
      static_cast<long long>(got->samples), static_cast<long long>(got->lost), got->achieved_hz,
      static_cast<long long>(used_by[0]), static_cast<long long>(used_by[1]),
      static_cast<long long>(used_by[2]));
}

// --- heap ----------------------------------------------------------------------------------------

[[gnu::noinline]] void* small_ones() {
  void* made = ::operator new(64);
  asm volatile("" : "+r"(made));
  return made;
}
[[gnu::noinline]] void* middle_ones() {
  void* made = ::operator new(4096);
  asm volatile("" : "+r"(made));
  return made;
}
[[gnu::noinline]] void* large_ones() {
  void* made = ::operator new(300'000);
  asm volatile("" : "+r"(made));
  return made;
}

constexpr size_t heap_rate = size_t{32} << 10;

/// 32 MB kept and 32 MB freed of small and of middle objects, 30 MB kept and 60 MB freed of large
/// ones.
void heap(const char* path) {
  prof::set_memory_rate(heap_rate);
  // Distances that were drawn before are used up.
  for (int i = 0; i < 100'000; ++i) ::operator delete(small_ones());
  std::vector<void*> kept;
  kept.reserve(1'000'000);
  const auto make = [&](void* (*one)(), int keep, int drop) {
    for (int i = 0; i < keep; ++i) kept.push_back(one());
    for (int i = 0; i < drop; ++i) ::operator delete(one());
  };
  make(small_ones, 500'000, 500'000);
  make(middle_ones, 8'000, 8'000);
  make(large_ones, 100, 200);
  must(prof::write("heap", file_sink(path)));
  std::printf(
      "{\"small_ones\": [1100000, 70400000, 500000, 32000000],"
      " \"middle_ones\": [16000, 65536000, 8000, 32768000],"
      " \"large_ones\": [300, 90000000, 100, 30000000]}\n");
  for (void* p : kept) ::operator delete(p);
}

// --- block, mutex, wall --------------------------------------------------------------------------

/// Time that this goroutine spends in `wait`, in nanoseconds.
template <class Wait>
int64_t waited(Wait wait) {
  const int64_t before = cpu_ns(CLOCK_MONOTONIC);
  wait();
  return cpu_ns(CLOCK_MONOTONIC) - before;
}

[[gnu::noinline]] int64_t receive_late(const chan<int>& from) {
  const int64_t ns = waited([&] { (void)from.recv(); });
  asm volatile("");
  return ns;
}
[[gnu::noinline]] int64_t lock_late(mutex& m) {
  const int64_t ns = waited([&] { m.lock(); });
  m.unlock();
  return ns;
}
[[gnu::noinline]] void hold(mutex& m, chan<int> held) {
  m.lock();
  held.send(1);
  weft::sleep_for(20ms);
  m.unlock();
  asm volatile("");
}

/// Prints how long each function was kept waiting.
void contention(const char* name, const char* path) {
  prof::set_block_rate(1);
  prof::set_mutex_fraction(1);
  int64_t received = 0;
  int64_t locked = 0;
  const auto values = make_chan<int>();
  const auto held = make_chan<int>();
  mutex m;
  for (int i = 0; i < 20; ++i) {
    wait_group all;
    all.go([&] { received += receive_late(values); });
    weft::sleep_for(20ms);
    values.send(i);
    all.go([&] { hold(m, held); });
    (void)held.recv();
    locked += lock_late(m);
    all.wait();
  }
  must(prof::write(name, file_sink(path)));
  std::printf("{\"receive_late\": %lld, \"lock_late\": %lld}\n", static_cast<long long>(received),
              static_cast<long long>(locked));
}

[[gnu::noinline]] void park_here(const chan<int>& until) {
  (void)until.recv();
  asm volatile("");
}

/// 1,000 goroutines that are parked, two that compute.
void wall(const char* path) {
  const auto until = make_chan<int>();
  wait_group all;
  for (int i = 0; i < 1000; ++i) all.go([&] { park_here(until); });
  weft::sleep_for(50ms);
  must(prof::start_wall());
  const int64_t ns = waited([&] {
    const int64_t unit = rounds_per_ms() / 100;
    wait_group computing;
    for (int g = 0; g < 2; ++g)
      computing.go([unit] {
        for (int i = 0; i < 2000; ++i) half(unit);
      });
    computing.wait();
  });
  const file_sink to(path);
  if (!prof::stop_wall(to)) std::exit(1);
  until.close();
  all.wait();
  std::printf("{\"parked_ns\": %lld}\n", static_cast<long long>(ns * 1000));
}

// --- labels, inlining ----------------------------------------------------------------------------

void labelled() {
  const int64_t unit = rounds_per_ms() / 100;
  wait_group all;
  for (const char* route : {"/pay", "/get"})
    all.go([=] {
      prof::do_(prof::labels{"route", route}, [=] {
        wait_group inner;
        inner.go([=] {
          for (int i = 0; i < 1000; ++i) half(unit);
        });
        inner.wait();
      });
    });
  all.wait();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string which = argv[1];
  const char* path = argv[2];
  return weft::run([&] {
    if (which == "shares") return with_cpu_profile(path, 100, shares), 0;
    if (which == "fast") return with_cpu_profile(path, 1000, shares), 0;
    if (which == "corners") return with_cpu_profile(path, 1000, corners), 0;
    if (which == "labels") return with_cpu_profile(path, 100, labelled), 0;
    if (which == "block" || which == "mutex") return contention(argv[1], path), 0;
    if (which == "wall") return wall(path), 0;
    if (which == "heap") return heap(path), 0;
    return 2;
  });
}
