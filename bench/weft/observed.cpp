// SPDX-License-Identifier: Apache-2.0
// Rows observed_NAME and trace_ping_pong: what the scheduler's own operations cost while somebody
// looks. One program switches each observer on and off by turns.
#include <string>

#include "bench/common/observers.hpp"
#include "bench/weft/ping_pong.hpp"
#include "bench/weft/rows.hpp"
#include "weft/sync/wait_group.hpp"

namespace bench {
namespace {

int64_t yield_ns(int64_t each) {
  constexpr int64_t goroutines = 100;
  const int64_t before = cpu_ns();
  weft::wait_group done;
  for (int64_t g = 0; g < goroutines; ++g)
    done.go([=] {
      for (int64_t i = 0; i < each / goroutines; ++i) weft::yield();
    });
  done.wait();
  return cpu_ns() - before;
}

int64_t spawn_ns(int64_t count) {
  const int64_t before = cpu_ns();
  for (int64_t i = 0; i < count / 128; ++i) {
    weft::wait_group done;
    done.add(128);
    for (int k = 0; k < 128; ++k) weft::go([&done] { done.done(); });
    done.wait();
  }
  return cpu_ns() - before;
}

constexpr int pairs = 7;

/// Values NAME_more_percent and NAME_more_ns of each observer. What switching it off costs is not
/// in them.
void observed(const call& how, int64_t (*work)(int64_t), int64_t operations) {
  run_weft(how.procs, [&] {
    const int64_t each = how.count(operations, 128);
    work(each / 4);
    result out{how};
    int64_t all = 0;
    out.start();
    for (const observer& by : observers) {
      const cost more = overhead(
          pairs, [&] { return work(each); },
          [&] {
            by.on();
            const int64_t used = work(each);
            by.off();
            return used;
          });
      all += 2 * pairs * each;
      out.value(std::string(by.name) + "_more_percent", more.percent);
      out.value(std::string(by.name) + "_more_ns", more.amount / static_cast<double>(each));
    }
    out.stop(all);
    out.print(program);
  });
}

}  // namespace

void observed_ping_pong(const call& how) { observed(how, ping_pong_ns, 400'000); }
void observed_yield(const call& how) { observed(how, yield_ns, 3'000'000); }
void observed_spawn(const call& how) { observed(how, spawn_ns, 1'000'000); }

void trace_ping_pong(const call& how) {
  run_weft(how.procs, [&] {
    const int64_t rounds = how.count(20'000);
    ping_pong_ns(rounds);
    counting_sink to;
    int64_t traced = 0;
    result out{how};
    out.start();
    const cost more = overhead(
        2 * pairs + 1, [&] { return ping_pong_ns(rounds); },
        [&] {
          must(weft::trace::start(to).has_value());
          const int64_t used = ping_pong_ns(rounds);
          must(weft::trace::stop().has_value());
          traced += rounds;
          return used;
        });
    out.stop(2 * traced);
    out.value("cost_percent", more.percent);
    out.value("cost_ns", more.amount / static_cast<double>(rounds));
    out.value("bytes_per_round", static_cast<double>(to.bytes) / static_cast<double>(traced));
    out.print(program);
  });
}

}  // namespace bench
