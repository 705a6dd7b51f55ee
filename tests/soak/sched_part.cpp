// SPDX-License-Identifier: Apache-2.0
// What is hard on the scheduler: storms of goroutines, code that blocks or computes, foreign
// threads, a changing number of Ps, exceptions, deep stacks, dumps.
#include <poll.h>

#include <array>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "soak.hpp"

using namespace std::chrono_literals;

namespace soak {
namespace {

void compute(std::chrono::microseconds how_long) {
  const auto until = std::chrono::steady_clock::now() + how_long;
  while (std::chrono::steady_clock::now() < until) {
  }
}
void sleep_in_kernel(int ms) {
  pollfd none{-1, 0, 0};
  ::poll(&none, 1, ms);
}

/// Crowds that come and go, in each of the ways there are.
void storms(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  while (!ctx.err()) {
    std::atomic<int> ran{0};
    weft::wait_group all;
    for (int i = 0; i < 2000; ++i) all.go([&] { ++ran; });
    all.wait();
    ++steps;
    expect_equal("goroutines of a storm", ran, 2000);

    std::vector<weft::task<int>> tasks;
    for (int i = 0; i < 200; ++i)
      tasks.push_back(weft::spawn([i] {
        weft::yield();
        return i;
      }));
    int sum = 0;
    for (auto& t : tasks) sum += t.join();
    expect_equal("sum of the tasks", sum, 199 * 200 / 2);

    auto [g, inner] = weft::with_group(ctx);
    g.limit(16);
    for (int i = 0; i < 100; ++i)
      g.go([i]() -> weft::result<void> {
        if (i == 50) return weft::fail(weft::error("fifty"));
        return {};
      });
    if (const auto done = g.wait(); done) failed("errors of a group", 0, 1);
    ++steps;
    weft::sleep_for(2ms);
  }
}

void blockers(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  crowd(ctx, 6, [&](std::mt19937& random) {
    if (random() % 2 == 0)
      sleep_in_kernel(1 + static_cast<int>(random() % 4));  // announced to nobody
    else
      weft::blocking([&] { sleep_in_kernel(1 + static_cast<int>(random() % 4)); });
    weft::yield();
    ++steps;
  });
}

void hogs(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  crowd(ctx, 2, [&](std::mt19937& random) {
    compute(std::chrono::microseconds(random() % 25'000));
    ++steps;
    weft::sleep_for(20ms);
  });
}

weft::local<std::string> guest_note;

/// Threads that Weft did not make come, take part and end.
void foreigners(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  while (!ctx.err()) {
    auto to = weft::make_chan<int>(2);
    auto from = weft::make_chan<int>();
    weft::mutex m;
    int64_t counted = 0;
    std::array<std::thread, 3> threads;
    for (auto& t : threads)
      t = std::thread([&] {
        guest_note.get() = "a string that is longer than the room inside one";
        for (int v : to) {
          from.send(v + 1);
          const std::scoped_lock hold(m);
          ++counted;
        }
      });
    weft::go([=] {
      for (int i = 0; i < 100; ++i) to.send(i);
      to.close();
    });
    int64_t sum = 0;
    for (int i = 0; i < 100; ++i) {
      sum += *from.recv();
      ++steps;
    }
    weft::blocking([&] {
      for (auto& t : threads) t.join();
    });
    expect_equal("sum from the threads", sum, 100 * 101 / 2);
    expect_equal("counted by the threads", counted, 100);
    weft::sleep_for(1ms);
  }
}

void resizer(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  const int before = weft::maxprocs(0);
  while (!ctx.err()) {
    weft::maxprocs(1 + static_cast<int>(steps % 4));
    ++steps;
    weft::select(weft::on_done(ctx, [] {}), weft::after(25ms, [] {}));
  }
  weft::maxprocs(before);
}

/// Exceptions stay with their goroutine, across switches and while another is handled.
void exceptions(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  crowd(ctx, 8, [&](std::mt19937& random) {
    const int mark = static_cast<int>(random() % 1000);
    try {
      throw mark;
    } catch (int caught) {
      weft::yield();
      try {
        weft::spawn([] { throw std::runtime_error("inner"); }).join();
        failed("exceptions of a task", 0, 1);
      } catch (const std::runtime_error&) {
        weft::sleep_for(std::chrono::microseconds(random() % 200));
      }
      try {
        throw;
      } catch (int again) {
        expect_equal("exception after a switch", again, caught);
      }
    }
    try {
      weft::chan<int> closed = weft::make_chan<int>();
      closed.close();
      closed.send(1);
      failed("panics", 0, 1);
    } catch (const weft::panic_error&) {
    }
    ++steps;
  });
}

/// Needs about 256 bytes a level, so that a few dozen pages are touched.
[[gnu::noinline]] int64_t descend(int depth) {
  std::array<char, 128> frame{};
  frame[static_cast<size_t>(depth) % frame.size()] = 1;
  asm volatile("" ::"r"(frame.data()) : "memory");
  return depth == 0 ? 0 : 1 + descend(depth - 1);
}

void deep_stacks(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  while (!ctx.err()) {
    weft::wait_group all;
    for (int i = 0; i < 8; ++i)
      all.go({.name = "deep", .stack = size_t{1} << 20}, [i] {
        const int depth = 400 + 10 * i;
        expect_equal("depth of the stack", descend(depth), depth);
        weft::yield();
      });
    all.wait();
    ++steps;
    weft::sleep_for(5ms);
  }
}

void dumps(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  while (!ctx.err()) {
    const std::string text = weft::goroutine_dump();
    if (!text.starts_with("goroutine ")) failed("bytes of a dump", 0, 1);
    ++steps;
    weft::select(weft::on_done(ctx, [] {}), weft::after(250ms, [] {}));
  }
}

constexpr activity all[] = {
    {"storms", storms},           {"blockers", blockers}, {"hogs", hogs},
    {"foreigners", foreigners},   {"resizer", resizer},   {"exceptions", exceptions},
    {"deep_stacks", deep_stacks}, {"dumps", dumps}};

}  // namespace

// What dumps() reads others write meanwhile, on purpose: ThreadSanitizer is right to report it.
std::span<const activity> sched_activities() {
  return std::span(all).first(std::size(all) - (WEFT_TSAN ? 1 : 0));
}

}  // namespace soak
