// SPDX-License-Identifier: Apache-2.0
// Channels, select, locks, contexts and timers, each with a sum that must come out.
#include <charconv>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "soak.hpp"

using namespace std::chrono_literals;

namespace soak {
namespace {

/// Tokens go round; none is lost and none is made.
void tokens(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  constexpr int64_t count = 24;
  auto ring = weft::make_chan<int>(32);
  for (int i = 0; i < count; ++i) ring.send(i);
  crowd(ctx, 32, [&](std::mt19937& random) {
    const std::optional<int> token = ring.recv();
    if (random() % 4 == 0) weft::yield();
    if (random() % 64 == 0) weft::sleep_for(std::chrono::microseconds(random() % 300));
    ring.send(*token);
    ++steps;
  });
  expect_equal("tokens", static_cast<int64_t>(ring.len()), count);
}

/// A pipeline: producers, workers and a consumer, made and closed again and again.
void pipeline(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  for (int round = 0; !ctx.err(); ++round) {
    auto jobs = weft::make_chan<int64_t>(round % 3 == 0 ? 0 : 64);
    auto results = weft::make_chan<std::string>();
    weft::wait_group workers;
    for (int w = 0; w < 4; ++w)
      workers.go([=] {
        for (int64_t j : jobs) results.send(std::to_string(j));
      });
    weft::go([=] {
      for (int64_t i = 0; i < 100; ++i) jobs.send(i);
      jobs.close();
    });
    weft::go([&, results] {
      workers.wait();
      results.close();
    });
    int64_t sum = 0;
    for (const std::string& text : results) {
      int64_t j = 0;  // by std::stol it would be errno's, whose address loops keep across recv()
      std::from_chars(text.data(), text.data() + text.size(), j);
      sum += j;
      ++steps;
    }
    expect_equal("sum of the pipeline", sum, 99 * 100 / 2);
  }
}

/// Everybody selects among the same channels; what was sent was received.
void selects(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  auto a = weft::make_chan<int>();
  auto b = weft::make_chan<int>(4);
  std::atomic<int64_t> sent{0};
  std::atomic<int64_t> received{0};
  crowd(ctx, 24, [&](std::mt19937& random) {
    const auto got = [&](std::optional<int>) { ++received; };
    const auto put = [&] { ++sent; };
    const auto patience = std::chrono::microseconds(random() % 400);
    if (random() % 8 == 0)
      weft::select(weft::on_recv(a, got), weft::on_send(b, 1, put), weft::otherwise([] {}));
    else if (random() % 2 == 0)
      weft::select(weft::on_recv(a, got), weft::on_send(b, 1, put), weft::on_done(ctx, [] {}),
                   weft::after(patience, [] {}));
    else
      weft::select(weft::on_send(a, 1, put), weft::on_recv(b, got), weft::after(patience, [] {}));
    ++steps;
  });
  while (b.try_recv()) ++received;
  expect_equal("received of what was sent", received, sent);
}

/// Every kind of lock around a counter that is not atomic.
void locks(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  weft::mutex m;
  weft::rw_mutex shared;
  weft::semaphore units(3);
  int64_t under_m = 0;
  int64_t under_shared = 0;
  std::atomic<int64_t> wanted_m{0};
  std::atomic<int64_t> wanted_shared{0};
  std::atomic<int> inside{0};
  crowd(ctx, 24, [&](std::mt19937& random) {
    switch (random() % 4) {
      case 0: {
        const std::scoped_lock hold(m);
        ++under_m;
        ++wanted_m;
        if (random() % 32 == 0) weft::sleep_for(50us);
        break;
      }
      case 1: {
        const std::unique_lock hold(shared);
        ++under_shared;
        ++wanted_shared;
        break;
      }
      case 2: {
        const std::shared_lock hold(shared);
        if (random() % 16 == 0) weft::yield();
        break;
      }
      default: {
        if (!units.acquire(ctx, 1)) break;
        const weft::defer give_back([&] { units.release(1); });
        if (++inside > 3) failed("in the semaphore", inside, 3);
        weft::yield();
        --inside;
      }
    }
    ++steps;
  });
  expect_equal("counted under the mutex", under_m, wanted_m);
  expect_equal("counted under the rw_mutex", under_shared, wanted_shared);
}

/// A bounded queue of a mutex and two conditions.
void conditions(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  while (!ctx.err()) {
    weft::mutex m;
    weft::cond filled;
    weft::cond drained;
    int queue = 0;
    constexpr int rounds = 100;
    auto producer = weft::spawn([&] {
      for (int i = 0; i < rounds; ++i) {
        std::unique_lock held(m);
        drained.wait(held, [&] { return queue < 4; });
        ++queue;
        filled.signal();
      }
    });
    for (int i = 0; i < rounds; ++i) {
      std::unique_lock held(m);
      filled.wait(held, [&] { return queue > 0; });
      --queue;
      drained.broadcast();
      ++steps;
    }
    producer.join();
    expect_equal("left in the queue", queue, 0);
  }
}

const weft::context_key<int> depth_key{"depth"};

/// Trees of contexts that end by time, by hand and with their parent.
void contexts(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  crowd(ctx, 8, [&](std::mt19937& random) {
    auto [top, cancel_top] = weft::with_cancel_cause(ctx);
    weft::wait_group all;
    for (int i = 0; i < 8; ++i)
      all.go([&top, i, wait = std::chrono::microseconds(random() % 2000)] {
        auto [timed, cancel] = weft::with_timeout(top, wait);
        const weft::context deep = weft::with_value(timed, depth_key, i);
        auto stop = weft::after_func(deep, [] {});
        weft::select(weft::on_done(deep, [] {}), weft::after(1500us, [] {}));
        expect_equal("value in the context", *deep.value(depth_key), i);
        stop();
      });
    if (random() % 2 == 0) cancel_top(weft::error("enough"));
    all.wait();
    ++steps;
  });
}

void timers(const weft::context& ctx, std::atomic<uint64_t>& steps) {
  crowd(ctx, 16, [&](std::mt19937& random) {
    const auto d = std::chrono::microseconds(random() % 3000);
    switch (random() % 4) {
      case 0:
        weft::sleep_for(d);
        break;
      case 1: {
        weft::timer t(d);
        if (random() % 2 == 0) t.reset(d / 2);
        if (random() % 2 == 0 && t.stop()) break;
        weft::select(weft::on_recv(t.c()), weft::after(d, [] {}), weft::on_done(ctx, [] {}));
        break;
      }
      case 2: {
        weft::ticker every(200us);
        for (int i = 0; i < 3; ++i) every.c().recv();
        every.stop();
        break;
      }
      default: {
        auto ran = weft::make_chan<int>(1);
        auto t = weft::after_func(d, [ran] { ran.send(1); });
        if (!t.stop()) ran.recv();
      }
    }
    ++steps;
  });
}

constexpr activity all[] = {{"tokens", tokens}, {"pipeline", pipeline},     {"selects", selects},
                            {"locks", locks},   {"conditions", conditions}, {"contexts", contexts},
                            {"timers", timers}};

}  // namespace

std::span<const activity> sync_activities() { return all; }

}  // namespace soak
