// SPDX-License-Identifier: Apache-2.0
// Rows select_2 and select_4 (one receive over that many channels and a done channel) and
// select_idle (the CPU that a select which nothing wakes uses in a second).
#include "weft/sync/select.hpp"

#include "bench/weft/rows.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/wait_group.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;
using channel = weft::chan<int64_t>;
using maybe = std::optional<int64_t>;

/// Each sender selects between its send and the end, as in the Go program.
void feed(const channel& into, const channel& done) {
  bool open = true;
  for (int64_t i = 0; open; ++i) {
    weft::select(weft::on_send(into, i, [] {}), weft::on_recv(done, [&](maybe) { open = false; }));
  }
}

int64_t receive_2(int64_t items, const channel (&from)[4], const channel& done) {
  int64_t sum = 0;
  const auto add = [&](maybe v) { sum += v.value_or(0); };
  for (int64_t i = 0; i < items; ++i) {
    weft::select(weft::on_recv(from[0], add), weft::on_recv(from[1], add),
                 weft::on_recv(done, add));
  }
  return sum;
}

int64_t receive_4(int64_t items, const channel (&from)[4], const channel& done) {
  int64_t sum = 0;
  const auto add = [&](maybe v) { sum += v.value_or(0); };
  for (int64_t i = 0; i < items; ++i) {
    weft::select(weft::on_recv(from[0], add), weft::on_recv(from[1], add),
                 weft::on_recv(from[2], add), weft::on_recv(from[3], add),
                 weft::on_recv(done, add));
  }
  return sum;
}

void select_n(int64_t items, int ways) {
  const channel from[4] = {weft::make_chan<int64_t>(), weft::make_chan<int64_t>(),
                           weft::make_chan<int64_t>(), weft::make_chan<int64_t>()};
  auto done = weft::make_chan<int64_t>();
  weft::wait_group senders;
  for (int w = 0; w < ways; ++w) {
    senders.go([into = from[w], done] { feed(into, done); });
  }
  keep(ways == 2 ? receive_2(items, from, done) : receive_4(items, from, done));
  done.close();
  senders.wait();
}

void select_over(const call& how, int ways) {
  run_weft(how.procs, [&] {
    const int64_t items = how.count(3'000'000);
    select_n(items / 10 + 1, ways);
    result out{how};
    out.start();
    select_n(items, ways);
    out.stop(items);
    out.print(program);
  });
}

}  // namespace

void select_2(const call& how) { select_over(how, 2); }
void select_4(const call& how) { select_over(how, 4); }

void select_idle(const call& how) {
  run_weft(how.procs, [&] {
    auto a = weft::make_chan<int64_t>();
    auto b = weft::make_chan<int64_t>();
    auto done = weft::make_chan<int64_t>();
    weft::wait_group ended;
    ended.go([a, b, done] {
      weft::select(weft::on_recv(a, [](maybe) {}), weft::on_recv(b, [](maybe) {}),
                   weft::on_recv(done, [](maybe) {}));
    });
    weft::sleep_for(20ms);
    const std::chrono::nanoseconds pause{how.count(1'000'000'000)};
    result out{how};
    const int64_t wall = wall_ns();
    const int64_t cpu = cpu_ns();
    out.start();
    weft::sleep_for(pause);
    out.stop(1);
    out.value("cpu_ms_per_s",
              1000.0 * static_cast<double>(cpu_ns() - cpu) / static_cast<double>(wall_ns() - wall));
    done.close();
    ended.wait();
    out.print(program);
  });
}

}  // namespace bench
