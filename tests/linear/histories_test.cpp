// SPDX-License-Identifier: Apache-2.0
// Histories of Weft's channels, mutexes, semaphores and pools, recorded under seeded schedules and
// on two Ps with the real clock, are linearizable. One of a broken queue is not, and that is
// noticed.
#include <gtest/gtest.h>
#include <weft/weft.hpp>

#include <atomic>
#include <cstdio>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>

#include "models.hpp"
#include "record.hpp"

using namespace std::chrono_literals;

namespace {

using namespace linear;

// --- channels: four workers do at random, the fifth closes ---

template <class Chan>
void do_one(const Chan& c, chan_op& op) {
  try {
    switch (op.call) {
      case chan_call::send:
        c.send(op.value);
        op.answer = chan_answer::ok;
        break;
      case chan_call::try_send:
        op.answer = c.try_send(op.value) ? chan_answer::ok : chan_answer::blocked;
        break;
      case chan_call::recv: {
        const std::optional<int> v = c.recv();
        op.answer = v ? chan_answer::ok : chan_answer::closed;
        op.value = v.value_or(0);
        break;
      }
      case chan_call::try_recv: {
        bool closed = false;
        const std::optional<int> v = c.try_recv(closed);
        op.answer = v ? chan_answer::ok : closed ? chan_answer::closed : chan_answer::blocked;
        op.value = v.value_or(0);
        break;
      }
      case chan_call::close:
        c.close();
        op.answer = chan_answer::ok;
    }
  } catch (const weft::panic_error&) {
    op.answer = chan_answer::closed;
  }
}

template <class Chan>
history<chan_op> record_channel(const Chan& c, uint32_t seed) {
  constexpr size_t workers = 4;
  recorder<chan_op> record(workers + 1);
  with_workers(workers + 1, [&](size_t w) {
    std::mt19937 random(seed + static_cast<uint32_t>(w));
    if (w == workers) {
      for (uint32_t i = random() % 8; i > 0; --i) weft::yield();
      record(w, {chan_call::close, chan_answer::ok}, [&](chan_op& op) { do_one(c, op); });
      return;
    }
    for (int i = 0; i < 6; ++i) {
      const chan_op op{static_cast<chan_call>(random() % 4), chan_answer::ok,
                       static_cast<int>(w) * 100 + i + 1};
      record(w, op, [&](chan_op& done) { do_one(c, done); });
    }
  });
  return record.all();
}

void check_channel(size_t capacity, uint32_t seed) {
  const auto c = weft::make_chan<int>(static_cast<int64_t>(capacity));
  const history<chan_op> ops = record_channel(c, seed);
  count_overlaps(ops);
  if (capacity != 0) return demand(is_linearizable(ops, chan_model{.capacity = capacity}));
  history<chan_op> joined;
  demand(join_pairs(ops, joined) && is_linearizable(joined, rendezvous_model{}));
}

// --- mutexes: two of them, so the history is checked lock by lock ---

template <class Lock>
void check_locks(uint32_t seed) {
  constexpr size_t workers = 4;
  Lock locks[2];
  recorder<lock_op> record(workers);
  with_workers(workers, [&](size_t w) {
    std::mt19937 random(seed + static_cast<uint32_t>(w));
    for (int i = 0; i < 6; ++i) {
      const int which = static_cast<int>(random() % 2);
      Lock& lock = locks[which];
      lock_op op{random() % 3 == 0 ? lock_call::try_lock : lock_call::lock, static_cast<int>(w),
                 true, which};
      record(w, op, [&](lock_op& done) {
        if (done.call == lock_call::lock)
          lock.lock();
        else
          done.ok = lock.try_lock();
        op.ok = done.ok;
      });
      if (!op.ok) continue;
      if (random() % 2 == 0) weft::yield();
      op.call = lock_call::unlock;
      record(w, op, [&](lock_op&) { lock.unlock(); });
    }
  });
  const history<lock_op> ops = record.all();
  count_overlaps(ops);
  demand(is_linearizable(ops, lock_model{}, [](const lock_op& op) { return op.lock; }));
}

// --- semaphores ---

/// With one unit each, a failing try proves that none was free. With several units, whoever waits
/// for many is served first. A canceled acquire may have held its units for a moment, so there are
/// no tries beside it.
enum class sema_kind : uint8_t { units_of_one, mixed_units, cancellations };

void check_semaphore(sema_kind kind, uint32_t seed) {
  constexpr size_t workers = 4;
  weft::semaphore s(3);
  recorder<sema_op> record(workers);
  auto [ctx, cancel] = weft::with_cancel(weft::background());
  with_workers(workers, [&, &limit = ctx, &end = cancel](size_t w) {
    std::mt19937 random(seed + static_cast<uint32_t>(w));
    for (int i = 0; i < 6; ++i) {
      if (kind == sema_kind::cancellations && w == 0 && i == 3) end();
      const bool tries = kind != sema_kind::cancellations && random() % 3 == 0;
      const int64_t units = kind == sema_kind::units_of_one ? 1 : 1 + random() % 3;
      sema_op op{tries ? sema_call::try_acquire : sema_call::acquire, units};
      record(w, op, [&](sema_op& done) {
        done.ok = tries ? s.try_acquire(units) : s.acquire(limit, units).has_value();
        op.ok = done.ok;
      });
      if (!op.ok) continue;
      if (random() % 2 == 0) weft::yield();
      record(w, {sema_call::release, units}, [&](sema_op&) { s.release(units); });
    }
  });
  const history<sema_op> ops = record.all();
  count_overlaps(ops);
  demand(is_linearizable(ops, sema_model{.free = 3, .fair_tries = kind == sema_kind::mixed_units}));
}

// --- pools: each object is a history of its own, whose values say how often it has been put ---

struct token {
  int value;
};

void check_pool(uint32_t seed) {
  constexpr size_t workers = 4;
  weft::pool<token> p;
  recorder<pool_op> record(workers);
  with_workers(workers, [&](size_t w) {
    std::mt19937 random(seed + static_cast<uint32_t>(w));
    std::vector<std::unique_ptr<token>> hands;
    for (int i = 0; i < 12; ++i) {
      if (random() % 16 == 0) weft::rt::pool_memory_epoch();
      if (random() % 2 == 0) {
        auto one = hands.empty() ? std::make_unique<token>(static_cast<int>(w) * 100 + i)
                                 : std::move(hands.back());
        if (!hands.empty()) hands.pop_back();
        record(w, {true, one->value}, [&](pool_op&) { p.put(std::move(one)); });
      } else {
        std::unique_ptr<token> got;
        const uint64_t called = record.now();
        got = p.get();
        if (got == nullptr) continue;
        record.add(w, called, {false, got->value});
        hands.push_back(std::move(got));
      }
    }
  });
  const history<pool_op> ops = record.all();
  count_overlaps(ops);
  demand(is_linearizable(ops, pool_model{}, [](const pool_op& op) { return op.value; }));
}

TEST(LinearSim, Channels) {
  for (size_t capacity : {0, 1, 3})
    in_sim([capacity](uint32_t seed) { check_channel(capacity, seed); });
}
TEST(LinearThreads, Channels) {
  for (size_t capacity : {0, 1, 3})
    on_threads([capacity](uint32_t seed) { check_channel(capacity, seed); });
}

TEST(LinearSim, Mutexes) {
  in_sim(check_locks<weft::mutex>);
  in_sim(check_locks<weft::rw_mutex>);
}
TEST(LinearThreads, Mutexes) {
  on_threads(check_locks<weft::mutex>);
  on_threads(check_locks<weft::rw_mutex>);
}

constexpr sema_kind every_kind[] = {sema_kind::units_of_one, sema_kind::mixed_units,
                                    sema_kind::cancellations};
TEST(LinearSim, Semaphores) {
  for (const sema_kind kind : every_kind)
    in_sim([kind](uint32_t seed) { check_semaphore(kind, seed); });
}
TEST(LinearThreads, Semaphores) {
  for (const sema_kind kind : every_kind)
    on_threads([kind](uint32_t seed) { check_semaphore(kind, seed); });
}

TEST(LinearSim, Pools) { in_sim(check_pool); }
TEST(LinearThreads, Pools) { on_threads(check_pool); }

/// A queue that gives up its lock between looking and taking, and forgets that in between.
struct broken_queue {
  mutable weft::mutex lock;
  mutable std::deque<int> items;
  mutable bool closed = false;

  void send(int v) const { (void)try_send(v); }
  bool try_send(int v) const {
    const std::scoped_lock held(lock);
    if (closed) weft::panic("send on closed channel");
    items.push_back(v);
    return true;
  }
  std::optional<int> recv() const {
    bool ended = false;
    std::optional<int> v;
    while (!v && !ended) {
      v = try_recv(ended);
      weft::yield();
    }
    return v;
  }
  std::optional<int> try_recv(bool& ended) const {
    int front = 0;
    {
      const std::scoped_lock held(lock);
      ended = items.empty() && closed;
      if (items.empty()) return std::nullopt;
      front = items.front();
    }
    const std::scoped_lock held(lock);
    if (!items.empty()) items.pop_front();
    return front;
  }
  void close() const {
    const std::scoped_lock held(lock);
    closed = true;
  }
};

TEST(LinearSim, ABrokenQueueIsFoundWithinAHundredSeeds) {
  int found = 0;
  for (uint64_t seed = 0; seed < 100; ++seed)
    weft::sim::run(seed, [&] {
      const broken_queue q;
      const history<chan_op> ops = record_channel(q, static_cast<uint32_t>(seed) * 16);
      if (!is_linearizable(ops, chan_model{.capacity = operations_max})) ++found;
    });
  EXPECT_GT(found, 0);
  std::printf("a broken queue: %d of 100 seeds\n", found);
}

}  // namespace
