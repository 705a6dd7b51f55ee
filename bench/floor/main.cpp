// SPDX-License-Identifier: Apache-2.0
// floor-bench: what the machine itself costs, with no runtime at all. Rows: a bare switch of
// stacks, a C++20 coroutine made and destroyed, a futex wake, the first touch of a page, a signal.
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <coroutine>
#include <thread>

#include "bench/common/measure.hpp"
#include "bench/floor/bare_switch.hpp"
#include "bench/floor/sampling.hpp"
#include "weft/base/atomic.hpp"

namespace bench {
namespace {

using weft::rt::acquire;
using weft::rt::atomic;
using weft::rt::relaxed;
using weft::rt::release;

constexpr const char* program = "floor";
constexpr size_t slot_bytes = 64 * 1024;

/// `slots` stacks of 64 KiB in one reservation, without guards.
std::byte* reserve(int64_t slots) {
  void* memory = mmap(nullptr, static_cast<size_t>(slots) * slot_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    std::perror("floor-bench: mmap");
    std::exit(1);
  }
  madvise(memory, static_cast<size_t>(slots) * slot_bytes, MADV_NOHUGEPAGE);
  return static_cast<std::byte*>(memory);
}

/// Contexts in a ring, each switching to the next until the count is used up.
struct ring {
  std::vector<bare_context> contexts;
  bare_context outside;
  int64_t left = 0;
};
ring the_ring;
int64_t next_to_enter = 0;

[[noreturn]] void ring_body() {
  ring& all = the_ring;
  const auto self = static_cast<size_t>(next_to_enter);
  bare_context& mine = all.contexts[self];
  bare_context& next = all.contexts[(self + 1) % all.contexts.size()];
  for (;;) {
    if (--all.left < 0) bare_switch(mine, all.outside);
    next_to_enter = static_cast<int64_t>((self + 1) % all.contexts.size());
    bare_switch(mine, next);
  }
}

void run_ring(int64_t switches) {
  the_ring.left = switches;
  next_to_enter = 0;
  bare_switch(the_ring.outside, the_ring.contexts[0]);
}

void switches(const call& how, int64_t contexts) {
  std::byte* stacks = reserve(contexts);
  the_ring.contexts.resize(static_cast<size_t>(contexts));
  for (int64_t i = 0; i < contexts; ++i) {
    // Tops differ by 16 cache lines in turn, as Weft colours its stacks; otherwise all the stacks
    // compete for the same cache sets.
    const auto index = static_cast<size_t>(i);
    std::byte* top = stacks + (index + 1) * slot_bytes - (index % 16) * 64;
    the_ring.contexts[index].prepare(top, &ring_body);
  }
  const int64_t count = how.count(60'000'000, contexts);
  run_ring(2 * contexts);
  // The ring stops anywhere; from here on every context is inside its loop, so enter at the first.
  result out{how};
  out.start();
  run_ring(count);
  out.stop(count);
  out.print(program);
}
void switch_2(const call& how) { switches(how, 2); }
void switch_1000(const call& how) { switches(how, 1000); }

/// The least that a spawn can be: a heap frame, a resume, a destroy.
struct task {
  struct promise_type {
    task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::abort(); }
  };
  std::coroutine_handle<promise_type> handle;
};

[[gnu::noinline]] task count_one(int64_t& counter) {
  ++counter;
  co_return;
}

void coroutine_128(const call& how) {
  const int64_t count = how.count(6'000'000, 128);
  int64_t counter = 0;
  task batch[128]{};
  const auto run = [&](int64_t batches) {
    for (int64_t b = 0; b < batches; ++b) {
      for (task& one : batch) one = count_one(counter);
      for (task& one : batch) one.handle.resume();
      for (task& one : batch) one.handle.destroy();
    }
  };
  run(count / 1280 + 1);
  result out{how};
  out.start();
  run(count / 128);
  out.stop(count);
  keep(counter);
  out.print(program);
}

void futex(atomic<uint32_t>& word, int op, uint32_t value) noexcept {
  syscall(SYS_futex, word.address(), op | FUTEX_PRIVATE_FLAG, value, nullptr, nullptr, 0);
}

/// Waits until the count in `word` has reached `wanted`.
void await_value(atomic<uint32_t>& word, uint32_t wanted) noexcept {
  for (;;) {
    const uint32_t now = word.load(acquire);
    if (now >= wanted) return;
    futex(word, FUTEX_WAIT, now);
  }
}

void post(atomic<uint32_t>& word, uint32_t value) noexcept {
  word.store(value, release);
  futex(word, FUTEX_WAKE, 1);
}

void futex_wake(const call& how) {
  const auto wakes = static_cast<uint32_t>(how.count(2500, 10));
  atomic<uint32_t> word{0};
  atomic<int64_t> stamp{0};
  std::vector<int64_t> samples;
  samples.reserve(wakes);
  std::thread receiver{[&] {
    for (uint32_t i = 1; i <= wakes; ++i) {
      await_value(word, i);
      samples.push_back(wall_ns() - stamp.load(relaxed));
    }
  }};
  result out{how};
  out.start();
  for (uint32_t i = 1; i <= wakes; ++i) {
    for (const int64_t until = wall_ns() + 200'000; wall_ns() < until;) {
    }
    stamp.store(wall_ns(), relaxed);
    post(word, i);
    // Go on computing, so that the receiver has gone to sleep again before the next gap.
    for (const int64_t until = wall_ns() + 50'000; wall_ns() < until;) {
    }
  }
  out.stop(wakes);
  receiver.join();
  latency_values(out, std::span{samples}.subspan(samples.size() / 10));
  out.print(program);
}

void futex_round_trip(const call& how) {
  const auto trips = static_cast<uint32_t>(how.count(60'000));
  atomic<uint32_t> ping{0};
  atomic<uint32_t> pong{0};
  std::thread echo{[&] {
    for (uint32_t i = 1; i <= trips; ++i) {
      await_value(ping, i);
      post(pong, i);
    }
  }};
  result out{how};
  out.start();
  for (uint32_t i = 1; i <= trips; ++i) {
    post(ping, i);
    await_value(pong, i);
  }
  out.stop(trips);
  echo.join();
  out.print(program);
}

/// One page of every slot: what creating a parked goroutine cannot go below.
void page_touch(const call& how) {
  const int64_t slots = how.count(1'000'000);
  result out{how};
  const memory before;
  out.start();
  std::byte* stacks = reserve(slots);
  for (int64_t i = 1; i <= slots; ++i) {
    stacks[static_cast<size_t>(i) * slot_bytes - 64] = std::byte{1};
  }
  out.stop(slots);
  const memory after;
  out.value("bytes",
            static_cast<double>(after.rss - before.rss + after.page_tables - before.page_tables) /
                static_cast<double>(slots));
  out.print(program);
  _exit(0);  // the kernel frees the pages faster than an orderly end would
}

/// Touches much of the machine's memory once. In a virtual machine the host backs memory on demand,
/// and whoever touches it first pays several times the price of a page: not what is measured here.
void prefault(const call& how) {
  constexpr size_t page = 4096;
  const int64_t bytes = how.count(10'000'000'000, 1 << 21);
  void* memory = mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) std::exit(1);
  auto* first = static_cast<std::byte*>(memory);
  result out{how};
  out.start();
  for (size_t at = 0; at < static_cast<size_t>(bytes); at += page) first[at] = std::byte{1};
  out.stop(bytes / static_cast<int64_t>(page));
  out.print(program);
  _exit(0);
}

/// At 10,000 signals a second, told per 1,000.
void sampling(const call& how) {
  constexpr int rate = 10'000;
  constexpr size_t pairs = 15;
  const int fd = sampling_event(rate);
  if (fd < 0) std::exit(1);
  const int64_t rounds = how.count(300'000'000);
  const auto timed = [&] {
    const int64_t before = cpu_ns();
    spin(rounds);
    return static_cast<double>(cpu_ns() - before);
  };
  timed();
  std::vector<double> more;
  result out{how};
  out.start();
  for (size_t i = 0; i < pairs; ++i) {
    const double plain = timed();
    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0);
    more.push_back(100 * (timed() / plain - 1));
    ioctl(fd, PERF_EVENT_IOC_DISABLE, 0);
  }
  out.stop(2 * pairs * rounds);
  std::sort(more.begin(), more.end());
  out.value("percent_at_1000hz", more[pairs / 2] / (rate / 1000));
  out.print(program);
}

constexpr entry rows[] = {
    {"switch_2", switch_2},
    {"switch_1000", switch_1000},
    {"coroutine_128", coroutine_128},
    {"futex_wake", futex_wake},
    {"futex_round_trip", futex_round_trip},
    {"page_touch", page_touch},
    {"prefault", prefault},
    {"sampling", sampling},
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::dispatch(argc, argv, bench::rows); }
