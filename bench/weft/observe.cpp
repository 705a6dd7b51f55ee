// SPDX-License-Identifier: Apache-2.0
// Rows about looking at a program: what profiles and traces cost it, and how long they take.
#include <string>

#include "bench/common/observers.hpp"
#include "bench/weft/rows.hpp"
#include "weft/observe/prof.hpp"
#include "weft/observe/trace.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/wait_group.hpp"

namespace bench {
namespace {

/// CPU time of so many round trips between two goroutines.
int64_t ping_pong_ns(int64_t rounds) {
  const auto ping = weft::make_chan<int64_t>();
  const auto pong = weft::make_chan<int64_t>();
  weft::go([=] {
    for (int64_t v : ping) pong.send(v);
    pong.close();
  });
  const int64_t before = cpu_ns();
  for (int64_t i = 0; i < rounds; ++i) {
    ping.send(i);
    keep(pong.recv());
  }
  const int64_t used = cpu_ns() - before;
  ping.close();
  keep(pong.recv());
  return used;
}

__attribute__((noinline)) void spin(int64_t rounds) {
  for (int64_t i = 0; i < rounds; ++i) asm volatile("");
}
int64_t spin_ns(int64_t rounds) {
  const int64_t before = cpu_ns();
  spin(rounds);
  return cpu_ns() - before;
}

constexpr int pairs = 15;

}  // namespace

void goroutine_profile_1m(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t count = how.count(1'000'000);
    const auto gate = weft::make_chan<int64_t>();
    weft::wait_group arrived;
    arrived.add(count);
    for (int64_t i = 0; i < count; ++i)
      weft::go([&] {
        arrived.done();
        keep(gate.recv());
      });
    arrived.wait();
    counting_sink to;
    result out{how};
    out.start();
    if (!weft::prof::write("goroutine", to)) _exit(1);
    out.stop(count);
    out.value("profile_ms", static_cast<double>(out.wall()) / 1e6);
    out.print(program);
    gate.close();
  });
}

void trace_ping_pong(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t rounds = how.count(20'000);
    ping_pong_ns(rounds);
    counting_sink to;
    int64_t traced = 0;
    result out{how};
    out.start();
    const cost more = overhead(
        pairs, [&] { return ping_pong_ns(rounds); },
        [&] {
          if (!weft::trace::start(to)) _exit(1);
          const int64_t used = ping_pong_ns(rounds);
          if (!weft::trace::stop()) _exit(1);
          traced += rounds;
          return used;
        });
    out.stop(2 * pairs * rounds);
    out.value("cost_percent", more.percent);
    out.value("cost_ns", more.amount / static_cast<double>(rounds));
    out.value("bytes_per_round", static_cast<double>(to.bytes) / static_cast<double>(traced));
    out.print(program);
  });
}

void cpu_profile(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t rounds = how.count(300'000'000);
    spin_ns(rounds);
    double achieved = 0;
    result out{how};
    out.start();
    // Ten times as fast as one would, so that there is something to see; told per 1,000 Hz.
    constexpr int rate = 10'000;
    const cost more = overhead(
        pairs, [&] { return spin_ns(rounds); },
        [&] {
          if (!weft::prof::start_cpu({.rate_hz = rate})) _exit(1);
          const int64_t used = spin_ns(rounds);
          counting_sink to;
          if (!weft::prof::stop_cpu(to)) _exit(1);
          return used;
        });
    if (!weft::prof::start_cpu({.rate_hz = 1000})) _exit(1);
    spin(4 * rounds);
    counting_sink to;
    const auto summary = weft::prof::stop_cpu(to);
    if (summary) achieved = summary->achieved_hz;
    out.stop(rounds);
    out.value("percent_at_1000hz", more.percent / (rate / 1000));
    out.value("achieved_hz", achieved);
    out.print(program);
  });
}

}  // namespace bench
