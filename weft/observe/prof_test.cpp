// SPDX-License-Identifier: Apache-2.0
// Profiles against what is known to be true.
#include "weft/observe/prof.hpp"

#include <gtest/gtest.h>

#include <string>

#include "weft/base/os/os.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace weft;
using namespace std::chrono_literals;

std::string text_of(std::string_view name) {
  std::string text;
  const auto to = [&](std::string_view bytes) { text += bytes; };
  EXPECT_TRUE(prof::write(name, to, prof::form::text));
  return text;
}

TEST(prof, unknown_names_are_refused) {
  const auto nowhere = [](std::string_view) {};
  const result<void> r = prof::write("cpuu", nowhere);
  ASSERT_FALSE(r);
  EXPECT_EQ(r.error().message(), "\"cpuu\": prof: no such profile");
}

TEST(prof, goroutines_are_grouped_and_end_at_their_entry) {
  weft::run([] {
    chan<int> never = make_chan<int>();
    for (int i = 0; i < 7; ++i) weft::go([never] { (void)never.recv(); });
    while (text_of("goroutine").find("\n7 @") == std::string::npos) weft::yield();
    const std::string text = text_of("goroutine");
    EXPECT_TRUE(text.starts_with("goroutine profile: total 8\n")) << text;
    EXPECT_EQ(text.find("weft_goroutine_entry"), std::string::npos) << text;
    EXPECT_EQ(text.find("run_closure"), std::string::npos) << text;
    never.close();
  });
}

__attribute__((noinline)) void burn(std::chrono::nanoseconds cpu) {
  timespec now{};
  const auto thread_ns = [&] {
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1'000'000'000 + now.tv_nsec;
  };
  const int64_t until = thread_ns() + cpu.count();
  while (thread_ns() < until) {
    for (int i = 0; i < 1000; ++i) asm volatile("");
  }
}

TEST(prof, cpu_samples_are_the_cpu_time_used) {
  weft::run([] {
    ASSERT_TRUE(prof::start_cpu());
    EXPECT_EQ(prof::start_cpu().error(), prof::already_profiling);
    burn(1s);
    std::string text;
    const auto to = [&](std::string_view bytes) { text += bytes; };
    const auto summary = prof::stop_cpu(to, prof::form::text);
    ASSERT_TRUE(summary);
    EXPECT_GT(summary->samples, 90);
    // A hundred samples, and each of the threads keeps a part of a period to itself; tests/prof
    // measures for longer.
    EXPECT_NEAR(summary->achieved_hz, 100, 12) << text;
    EXPECT_NE(text.find("burn"), std::string::npos) << text;
    EXPECT_EQ(prof::stop_cpu(to).error(), prof::not_profiling);
  });
}

TEST(prof, labels_are_inherited) {
  weft::run([] {
    prof::do_(prof::labels{"route", "/pay"}, [] {
      EXPECT_EQ(prof::labels::current().get("route"), "/pay");
      wait_group all;
      all.go([] {
        EXPECT_EQ(prof::labels::current().get("route"), "/pay");
        const prof::scope more(prof::labels{"tenant", "7", "route", "/get"});
        EXPECT_EQ(prof::labels::current().size(), 2u);
        EXPECT_EQ(prof::labels::current().get("route"), "/get");
        EXPECT_NE(text_of("goroutine").find("# labels: {\"route\":\"/get\", \"tenant\":\"7\"}"),
                  std::string::npos);
      });
      all.wait();
    });
    EXPECT_EQ(prof::labels::current().size(), 0u);
  });
}

}  // namespace
