// SPDX-License-Identifier: Apache-2.0
// A million goroutines under default system limits: created, parked, woken, ended, and again on the
// memory of the first. And what happens where the kernel cannot guard so many stacks.
//
// usage: weft_million [GOROUTINES]                         (default: 1,000,000)
//        WEFT_DEBUG=mprotectguards=1 weft_million limit    too many for vm.max_map_count
//
// Exit status 77: this machine has not enough memory.
#include <weft/weft.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace {

// A parked goroutine is a page of stack, its cell of 64 bytes, an eighth of a page of page table
// (256 KiB stacks: eight share one) and its part of a few tables.
constexpr int64_t bytes_per_goroutine_max = 4900;
// What is needed of the machine: the above, and as much again for everything else.
constexpr int64_t available_kib_min = 7 << 20;
// Reservations, libraries, threads' stacks; the number of goroutines must not show.
constexpr int64_t mappings_more_max = 100;

int failures = 0;

void expect(bool holds, const char* what, int64_t value, int64_t bound) {
  std::printf("  %-44s %12lld  (%lld)%s\n", what, static_cast<long long>(value),
              static_cast<long long>(bound), holds ? "" : "   FAILED");
  if (!holds) ++failures;
}
void expect_equal(const char* what, int64_t value, int64_t wanted) {
  expect(value == wanted, what, value, wanted);
}
void expect_at_most(const char* what, int64_t value, int64_t bound) {
  expect(value <= bound, what, value, bound);
}

/// A field of /proc/self/status or /proc/meminfo, in KiB.
int64_t field_kib(const char* path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with(name + ":")) return std::atoll(line.c_str() + name.size() + 1);
  return 0;
}
int64_t mappings() {
  std::ifstream file("/proc/self/maps");
  int64_t lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  return lines;
}

struct memory {
  int64_t resident = field_kib("/proc/self/status", "VmRSS") * 1024;
  int64_t page_tables = field_kib("/proc/self/status", "VmPTE") * 1024;
  [[nodiscard]] int64_t total() const { return resident + page_tables; }
};

void wait_for_goroutines(int64_t wanted) {
  while (weft::num_goroutine() > wanted) weft::yield();
}

/// All park on one channel; `wake` makes each receive once.
template <class Wake>
memory round(int64_t count, const char* name, Wake wake) {
  const auto start = std::chrono::steady_clock::now();
  const int64_t before = weft::num_goroutine();
  auto gate = weft::make_chan<int64_t>();
  std::atomic<int64_t> woken{0};
  weft::wait_group arrived;
  for (int64_t i = 0; i < count; ++i) {
    arrived.add(1);
    weft::go([&gate, &arrived, &woken] {
      arrived.done();
      gate.recv();
      woken.fetch_add(1, std::memory_order_relaxed);
    });
  }
  arrived.wait();
  expect_equal("goroutines", weft::num_goroutine() - before, count);
  const memory full;
  wake(gate);
  wait_for_goroutines(before);
  expect_equal("woken", woken.load(), count);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::printf("%s: %.1f s\n", name, took.count());
  return full;
}

int million(int64_t count) {
  const int64_t available = field_kib("/proc/meminfo", "MemAvailable");
  const int64_t wanted = available_kib_min * count / 1'000'000;
  if (available < wanted) {
    std::printf("%lld MiB of memory are available, %lld MiB are needed\n",
                static_cast<long long>(available >> 10), static_cast<long long>(wanted >> 10));
    return 77;
  }
  weft::run([count] {
    const memory empty;
    const int64_t mappings_before = mappings();
    int64_t mappings_full = 0;
    const memory first = round(count, "created, parked, woken by close", [&](auto& gate) {
      mappings_full = mappings();
      gate.close();
    });
    expect_at_most("bytes per goroutine, with page tables", (first.total() - empty.total()) / count,
                   bytes_per_goroutine_max);
    expect_at_most("mappings more", mappings_full - mappings_before, mappings_more_max);
    const memory second = round(count, "again, woken one by one", [count](auto& gate) {
      for (int64_t i = 0; i < count; ++i) gate.send(i);
    });
    // Slack for what malloc keeps and for the order in which stacks are taken.
    expect_at_most("bytes more per goroutine the second time",
                   (second.total() - first.total()) / count, 64);
  });
  return failures == 0 ? 0 : 1;
}

/// Starts goroutines until there is no guard for another stack; everybody who is there goes on.
int limit() {
  weft::run([] {
    const int64_t before = weft::num_goroutine();
    auto gate = weft::make_chan<int>();
    std::string refused;
    int64_t alive = 0;
    try {
      while (alive < 100'000) {
        weft::go([gate] { gate.recv(); });
        ++alive;
      }
    } catch (const weft::panic_error& e) {
      refused = e.what();
    }
    std::printf("after %lld goroutines: %s\n", static_cast<long long>(alive), refused.c_str());
    expect(alive >= 20'000, "goroutines with a mapping each", alive, 20'000);
    expect(refused.find("vm.max_map_count") != std::string::npos, "the error names the limit",
           static_cast<int64_t>(refused.size()), 0);
    gate.close();
    wait_for_goroutines(before);
    for (int i = 0; i < 1000; ++i) weft::spawn([] {}).join();  // on the stacks of those
  });
  return failures == 0 ? 0 : 1;
}

}  // namespace

int main(int count, char** words) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (count > 1 && std::strcmp(words[1], "limit") == 0) return limit();
  return million(count > 1 ? std::max(1LL, std::atoll(words[1])) : 1'000'000);
}
