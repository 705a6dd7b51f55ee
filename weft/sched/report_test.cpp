// SPDX-License-Identifier: Apache-2.0
// Text of reports that whole programs (tests/crash) cannot show quickly, and the public dump.
#include "weft/sched/internal/report.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <string>

#include "weft/base/os/os.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/sched/dump.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/debug_root.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"

namespace report_test {

using namespace weft::rt;

/// What `print(out)` writes.
template <class Print>
std::string printed(Print print) {
  const int fd = ::memfd_create("report_test", MFD_CLOEXEC);
  {
    report_writer out(fd);
    print(out);
  }
  std::string text(static_cast<size_t>(::lseek(fd, 0, SEEK_END)), '\0');
  EXPECT_EQ(::pread(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  ::close(fd);
  return text;
}

goroutine_snapshot waiting(wait_reason why, int64_t waited_s, std::string_view name) {
  goroutine_snapshot g;
  g.id = 42;
  g.status = g_status::waiting;
  g.reason = why;
  g.since_ns = os::monotonic_ns() - waited_s * 1'000'000'000;
  name.copy(g.name, sizeof g.name - 1);
  return g;
}

std::string header(const goroutine_snapshot& g) {
  return printed([&](report_writer& out) { print_header(out, g, false); });
}

TEST(report, header_has_reason_minutes_and_name) {
  EXPECT_EQ(header(waiting(wait_reason::chan_receive, 200, "orders")),
            "goroutine 42 [chan receive, 3 minutes, orders]:\n");
  EXPECT_EQ(header(waiting(wait_reason::mutex_lock, 59, "")), "goroutine 42 [sync.Mutex.Lock]:\n");
  EXPECT_EQ(header(waiting(wait_reason::none, 61, "")), "goroutine 42 [waiting, 1 minutes]:\n");
}

TEST(report, broken_reason_is_not_followed) {
  EXPECT_EQ(header(waiting(static_cast<wait_reason>(200), 0, "")), "goroutine 42 [waiting]:\n");
}

TEST(report, stack_that_cannot_be_read_says_so) {
  goroutine_snapshot g = waiting(wait_reason::sleep, 0, "");
  const auto body = [&] { return printed([&](report_writer& out) { print_body(out, g, false); }); };
  EXPECT_EQ(body(), "\tstack unavailable\n");
  g.stack = {4096, 8192};
  for (uintptr_t sp :
       {uintptr_t{0}, uintptr_t{4088}, uintptr_t{4097}, uintptr_t{8184}, ~uintptr_t{7}}) {
    g.sp = sp;
    EXPECT_EQ(body(), "\tstack unavailable\n") << sp;
  }
}

TEST(report, deep_traces_keep_both_ends) {
  stack_trace trace;
  trace.count = 300;
  for (size_t n = 0; n < stack_trace::half; ++n) trace.inner[n] = {n, 0, 0, true};
  for (size_t n = stack_trace::half; n < 300; ++n)
    trace.outer[n % stack_trace::half] = {n, 0, 0, true};
  const std::string text = printed([&](report_writer& out) { print_frames(out, trace, false); });
  EXPECT_NE(text.find("...200 frames elided...\n"), std::string::npos);
  EXPECT_NE(text.find("0x31\n"), std::string::npos);   // frame 49
  EXPECT_EQ(text.find("0x32\n"), std::string::npos);   // frame 50
  EXPECT_EQ(text.find("0xf9\n"), std::string::npos);   // frame 249
  EXPECT_NE(text.find("0xfa\n"), std::string::npos);   // frame 250
  EXPECT_NE(text.find("0x12b\n"), std::string::npos);  // frame 299
}

[[gnu::noinline]] void sleeper() {
  weft::sleep_for(std::chrono::hours(1));
  asm volatile("");
}

[[gnu::noinline]] void start_sleeper() {
  weft::go({.name = "dozer"}, &sleeper);
  asm volatile("");
}

TEST(report, public_dump_shows_the_caller_first_and_parked_stacks) {
  std::string all, own;
  weft::run({.procs = 1}, [&] {
    start_sleeper();
    for (int i = 0; i < 3; ++i) weft::yield();
    all = weft::goroutine_dump();
    own = weft::goroutine_dump(false);
  });
  EXPECT_EQ(all.rfind("goroutine ", 0), 0u);
  EXPECT_NE(all.find(" [running]:\nweft::goroutine_dump("), std::string::npos) << all;
  EXPECT_NE(all.find(" [sleep, dozer]:\n"), std::string::npos) << all;
  EXPECT_NE(all.find("report_test::sleeper()\n"), std::string::npos) << all;
  EXPECT_NE(all.find("created by report_test::start_sleeper()"), std::string::npos) << all;
  EXPECT_EQ(own.find("dozer"), std::string::npos) << own;
}

TEST(report, dump_works_on_the_smallest_stack) {
  std::string all;
  weft::run({.procs = 1}, [&] {
    std::atomic<bool> done{false};
    weft::go({.name = {}, .stack = 16 * 1024}, [&] {
      all = weft::goroutine_dump();
      done = true;
    });
    while (!done) weft::yield();
  });
  EXPECT_NE(all.find("weft::goroutine_dump("), std::string::npos);
}

TEST(debug_root, leads_to_every_cell) {
  // Cells are read here as by a debugger, from outside: nothing orders that.
  if (weft::rt::sanitizer::thread) return;
  const weft_debug_root_v1& root = weft_debug_root;
  EXPECT_EQ(std::string_view(root.magic, 8), "WEFTROOT");
  EXPECT_EQ(root.version, 1u);
  EXPECT_EQ(root.bytes, sizeof root);
  weft::run({.procs = 1}, [&] {
    uint64_t found = 0;
    const uint64_t own = weft::goroutine_id();
    const char* cells = *static_cast<const char* const*>(root.cells);
    const uint32_t used = *static_cast<const uint32_t*>(root.cells_used);
    for (uint32_t i = 0; i < used; ++i) {
      const char* cell = cells + size_t{i} * root.cell_bytes;
      const uint64_t id = *reinterpret_cast<const uint64_t*>(cell + root.cell_id);
      const uint32_t status = *reinterpret_cast<const uint32_t*>(cell + root.cell_status);
      found += id == own && status == static_cast<uint32_t>(g_status::running);
    }
    EXPECT_EQ(found, 1u);
    bool on_a_machine = false;
    for (const char* at = *static_cast<const char* const*>(root.machines); at != nullptr;
         at = *reinterpret_cast<const char* const*>(at + root.machine_next))
      on_a_machine |= *reinterpret_cast<const int32_t*>(at + root.machine_tid) == ::gettid();
    EXPECT_TRUE(on_a_machine);
  });
  EXPECT_STREQ(root.wait_reasons[static_cast<size_t>(wait_reason::sleep)], "sleep");
}

}  // namespace report_test
