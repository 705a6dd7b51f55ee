// SPDX-License-Identifier: Apache-2.0
// boost-bench: the rows that Boost.Fiber can do (it has no select and no timers of its own).
#include <unistd.h>

#include "bench/boost/runtime.hpp"

namespace bench {
namespace {

constexpr const char* program = "boost";

void yield_all(fiber_maker& maker, int64_t fibers_count, int64_t each) {
  latch done{fibers_count};
  for (int64_t g = 0; g < fibers_count; ++g) {
    maker.go([&done, each] {
      for (int64_t i = 0; i < each; ++i) boost::this_fiber::yield();
      done.arrive();
    });
  }
  done.wait();
}

void yield(const call& how, int64_t fibers_count) {
  run_fibers(how.procs, idle_thread::polls, [&] {
    fiber_maker maker;
    const int64_t each = how.count(8'000'000, fibers_count) / fibers_count;
    yield_all(maker, fibers_count, each / 10 + 1);
    result out{how};
    out.start();
    yield_all(maker, fibers_count, each);
    out.stop(fibers_count * each);
    out.print(program);
  });
}
void yield_2(const call& how) { yield(how, 2); }
void yield_1000(const call& how) { yield(how, 1000); }

void spawn_batches(fiber_maker& maker, int64_t batches) {
  for (int64_t b = 0; b < batches; ++b) {
    latch done{128};
    for (int i = 0; i < 128; ++i) maker.go([&done] { done.arrive(); });
    done.wait();
  }
}

void spawn_128(const call& how) {
  run_fibers(how.procs, idle_thread::sleeps, [&] {
    fiber_maker maker;
    const int64_t spawned = how.count(3'000'000, 128);
    spawn_batches(maker, spawned / 1280 + 1);
    result out{how};
    out.start();
    spawn_batches(maker, spawned / 128);
    out.stop(spawned);
    out.print(program);
  });
}

void round_trips(fiber_maker& maker, int64_t trips) {
  fibers::unbuffered_channel<int64_t> ping;
  fibers::unbuffered_channel<int64_t> pong;
  fibers::fiber echo = maker.make([&] {
    for (int64_t i = 0; i < trips; ++i) pong.push(ping.value_pop());
  });
  for (int64_t i = 0; i < trips; ++i) {
    ping.push(i);
    keep(pong.value_pop());
  }
  echo.join();
}

void chan_unbuffered(const call& how) {
  run_fibers(how.procs, idle_thread::sleeps, [&] {
    fiber_maker maker;
    const int64_t trips = how.count(2'000'000);
    round_trips(maker, trips / 10 + 1);
    result out{how};
    out.start();
    round_trips(maker, trips);
    out.stop(trips);
    out.print(program);
  });
}

void stream(fiber_maker& maker, int64_t items, int64_t pairs) {
  fibers::buffered_channel<int64_t> channel{128};
  latch done{2 * pairs};
  for (int64_t p = 0; p < pairs; ++p) {
    maker.go([&] {
      for (int64_t i = 0; i < items / pairs; ++i) channel.push(i);
      done.arrive();
    });
    maker.go([&] {
      for (int64_t i = 0; i < items / pairs; ++i) keep(channel.value_pop());
      done.arrive();
    });
  }
  done.wait();
}

void buffered(const call& how, int64_t pairs) {
  run_fibers(how.procs, idle_thread::sleeps, [&] {
    fiber_maker maker;
    const int64_t items = how.count(20'000'000, pairs);
    stream(maker, items / 10 / pairs * pairs + pairs, pairs);
    result out{how};
    out.start();
    stream(maker, items, pairs);
    out.stop(items);
    out.print(program);
  });
}
void chan_1p1c(const call& how) { buffered(how, 1); }
void chan_4p4c(const call& how) { buffered(how, 4); }

void lock_all(fiber_maker& maker, int64_t locks, int64_t fibers_count) {
  fibers::mutex lock;
  int64_t counter = 0;
  latch done{fibers_count};
  for (int64_t g = 0; g < fibers_count; ++g) {
    maker.go([&] {
      for (int64_t i = 0; i < locks / fibers_count; ++i) {
        lock.lock();
        ++counter;
        lock.unlock();
      }
      done.arrive();
    });
  }
  done.wait();
  if (counter != locks) std::abort();
}

void mutex_8(const call& how) {
  run_fibers(how.procs, idle_thread::sleeps, [&] {
    fiber_maker maker;
    const int64_t locks = how.count(20'000'000, 8);
    lock_all(maker, locks / 80 * 8 + 8, 8);
    result out{how};
    out.start();
    lock_all(maker, locks, 8);
    out.stop(locks);
    out.print(program);
  });
}

/// A tenth of the others' million: Boost's fibers touch three pages and more each.
void parked_1m(const call& how) {
  const int64_t parked = how.count(100'000);
  run_fibers(1, idle_thread::sleeps, [&] {
    fiber_maker maker;
    fibers::unbuffered_channel<int> gate;
    latch arrived{parked};
    result out{how};
    const memory before;
    out.start();
    for (int64_t i = 0; i < parked; ++i) {
      maker.go([&] {
        arrived.arrive();
        int never = 0;
        gate.pop(never);
      });
    }
    arrived.wait();
    out.stop(parked);
    const memory after;
    const auto per = [&](int64_t bytes) {
      return static_cast<double>(bytes) / static_cast<double>(parked);
    };
    out.value("rss_bytes", per(after.rss - before.rss));
    out.value("page_table_bytes", per(after.page_tables - before.page_tables));
    out.value("bytes", per(after.rss - before.rss + after.page_tables - before.page_tables));
    out.print(program);
    _exit(0);  // the parked ones are never woken
  });
}

void wake_200us(const call& how) {
  run_fibers(how.procs, idle_thread::sleeps, [&] {
    fiber_maker maker;
    const int64_t sends = how.count(2500, 10);
    // Buffered, or push() would suspend the waker until the receiver has run on its thread.
    fibers::buffered_channel<int64_t> stamps{2};
    std::vector<int64_t> samples;
    samples.reserve(static_cast<size_t>(sends));
    fibers::fiber receiver = maker.make([&] {
      for (int64_t i = 0; i < sends; ++i) {
        const int64_t sent = stamps.value_pop();
        samples.push_back(wall_ns() - sent);
      }
    });
    result out{how};
    out.start();
    for (int64_t i = 0; i < sends; ++i) {
      for (const int64_t until = wall_ns() + 200'000; wall_ns() < until;) {
      }
      stamps.push(wall_ns());
    }
    out.stop(sends);
    receiver.join();
    latency_values(out, std::span{samples}.subspan(samples.size() / 10));
    out.print(program);
  });
}

struct yielder_record {
  int64_t worst_ns = 0;
  int64_t turns = 0;
};

/// See fairness() of the Go program: the longest wait for a turn among 10,000 yielders.
void fairness(const call& how, int hogs, void (*hog)(int64_t)) {
  using weft::rt::relaxed;
  run_fibers(how.procs, idle_thread::polls, [&] {
    constexpr int64_t yielders = 10'000;
    constexpr int64_t hog_ns = 200'000'000;
    fiber_maker maker;
    weft::rt::atomic<int64_t> armed_at{0};
    weft::rt::atomic<bool> stop{false};
    std::vector<yielder_record> records(yielders);
    latch ready{yielders};
    latch done{yielders};
    for (yielder_record& mine : records) {
      maker.go([&] {
        ready.arrive();
        int64_t last = wall_ns();
        while (!stop.load(relaxed)) {
          boost::this_fiber::yield();
          const int64_t now = wall_ns();
          const int64_t from = armed_at.load(relaxed);
          if (from != 0 && last >= from) mine.worst_ns = std::max(mine.worst_ns, now - last);
          last = now;
          ++mine.turns;
        }
        done.arrive();
      });
    }
    ready.wait();
    boost::this_fiber::sleep_for(std::chrono::milliseconds{100});
    result out{how};
    out.start();
    armed_at.store(wall_ns(), relaxed);
    std::vector<fibers::fiber> busy;
    for (int h = 0; h < hogs; ++h) busy.push_back(maker.make([hog] { hog(hog_ns); }));
    if (hogs == 0) boost::this_fiber::sleep_for(std::chrono::nanoseconds{hog_ns});
    for (fibers::fiber& one : busy) one.join();
    boost::this_fiber::sleep_for(std::chrono::milliseconds{50});
    out.stop(1);
    stop.store(true, relaxed);
    done.wait();
    yielder_record all;
    for (const yielder_record& one : records) {
      all.worst_ns = std::max(all.worst_ns, one.worst_ns);
      all.turns += one.turns;
    }
    out.value("max_delay_ms", static_cast<double>(all.worst_ns) / 1e6);
    out.value("turns", static_cast<double>(all.turns));
    out.print(program);
  });
}
void fair_none(const call& how) { fairness(how, 0, nullptr); }
void fair_spin_1(const call& how) { fairness(how, 1, spin_for); }
void fair_spin_2(const call& how) { fairness(how, 2, spin_for); }
void fair_block_1(const call& how) { fairness(how, 1, block_for); }
void fair_block_2(const call& how) { fairness(how, 2, block_for); }

constexpr entry rows[] = {
    {"yield_2", yield_2},           {"yield_1000", yield_1000},
    {"spawn_128", spawn_128},       {"chan_unbuffered", chan_unbuffered},
    {"chan_1p1c", chan_1p1c},       {"chan_4p4c", chan_4p4c},
    {"mutex_8", mutex_8},           {"parked_1m", parked_1m},
    {"wake_200us", wake_200us},     {"fair_none", fair_none},
    {"fair_spin_1", fair_spin_1},   {"fair_spin_2", fair_spin_2},
    {"fair_block_1", fair_block_1}, {"fair_block_2", fair_block_2},
};

}  // namespace
}  // namespace bench

int main(int argc, char** argv) { return bench::dispatch(argc, argv, bench::rows); }
