// SPDX-License-Identifier: Apache-2.0
// Rows crash_report_100k and crash_report_1m: a program dies of a panic with so many goroutines
// parked at four places, WEFT_TRACEBACK=all; from the panic to the last byte of the report.
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <stdexcept>

#include "bench/weft/rows.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/select.hpp"
#include "weft/sync/wait_group.hpp"

namespace bench {
namespace {

/// Where one of the parked goroutines waits. Each place is a stack of its own in the report.
template <int Place>
__attribute__((noinline)) void wait_here(const weft::chan<int64_t>& gate) {
  if constexpr (Place % 2 == 0)
    keep(gate.recv());
  else
    weft::select(weft::on_recv(gate), weft::on_recv(gate));
  keep(gate);
}

/// In the child: never returns. The byte on `begun` says that the panic is next.
[[noreturn]] void die_in_a_crowd(const call& how, int64_t count, int begun) {
  run_weft(how.procs, [&] {
    auto gate = weft::make_chan<int64_t>();
    weft::wait_group arrived;
    arrived.add(count);
    constexpr std::array places = {wait_here<0>, wait_here<1>, wait_here<2>, wait_here<3>};
    for (int64_t i = 0; i < count; ++i) {
      const auto place = places[static_cast<size_t>(i) % places.size()];
      weft::go([&gate, &arrived, place] {
        arrived.done();
        place(gate);
      });
    }
    arrived.wait();
    weft::yield();  // the last ones go from done() to their places
    if (::write(begun, "", 1) != 1) _exit(1);
    throw std::runtime_error("lost");
  });
  _exit(1);
}

/// When the last byte came, and how many there were.
struct reading {
  int64_t last_ns = 0;
  int64_t bytes = 0;
};

reading read_to_the_end(int from) {
  reading seen;
  std::array<char, 65536> text;
  for (ssize_t got = 0; (got = ::read(from, text.data(), text.size())) > 0;) {
    seen.last_ns = wall_ns();
    seen.bytes += got;
  }
  return seen;
}

void crash_report(const call& how, int64_t base) {
  const int64_t count = how.count(base);
  int report[2];
  int begun[2];
  if (::pipe(report) != 0 || ::pipe(begun) != 0) _exit(1);
  const pid_t child = ::fork();
  if (child == 0) {
    ::setenv("WEFT_TRACEBACK", "all", 1);
    ::dup2(report[1], STDERR_FILENO);
    ::close(report[0]);
    ::close(report[1]);
    die_in_a_crowd(how, count, begun[1]);
  }
  ::close(report[1]);
  ::close(begun[1]);
  char byte = 0;
  if (child < 0 || ::read(begun[0], &byte, 1) != 1) _exit(1);
  result out{how};
  out.start();
  const int64_t start = wall_ns();
  const reading seen = read_to_the_end(report[0]);
  out.stop(count);
  int status = 0;
  // 2: died of the panic, with a report.
  if (::waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 2)
    _exit(1);
  out.value("report_ms", static_cast<double>(seen.last_ns - start) / 1e6);
  out.value("report_bytes", static_cast<double>(seen.bytes));
  out.print(program);
}

}  // namespace

void crash_report_100k(const call& how) { crash_report(how, 100'000); }
void crash_report_1m(const call& how) { crash_report(how, 1'000'000); }

}  // namespace bench
