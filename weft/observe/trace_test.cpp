// SPDX-License-Identifier: Apache-2.0
// Traces as bytes; what they say is read by Go's tool in tests/trace.
#include "weft/observe/trace.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/wait_group.hpp"

namespace {

using namespace weft;

// The suite is run with WEFT_TRACE_DIR and WEFT_DEBUG=traceruns=1 too.
const bool whole_runs = std::getenv("WEFT_TRACE_DIR") != nullptr;

TEST(trace, begins_and_ends) {
  weft::run([] {
    std::string bytes;
    const auto to = [&](std::string_view piece) { bytes += piece; };
    EXPECT_EQ(trace::enabled(), whole_runs);
    EXPECT_EQ(trace::stop().error(), trace::not_tracing);
    ASSERT_TRUE(trace::start(to));
    EXPECT_TRUE(trace::enabled());
    EXPECT_EQ(trace::start(to).error(), trace::already_tracing);
    ASSERT_TRUE(trace::stop());
    EXPECT_TRUE(bytes.starts_with("go 1.26 trace"));
    EXPECT_EQ(bytes.back(), 52);
  });
}

TEST(trace, a_sink_that_fails_is_told_of_at_the_end) {
  weft::run([] {
    int calls = 0;
    const auto to = [&](std::string_view) -> result<void> {
      if (++calls == 1) return {};
      return fail(error("the disk is full"));
    };
    ASSERT_TRUE(trace::start(to));
    EXPECT_EQ(trace::stop().error().message(), "the disk is full");
    // And what comes later is another trace.
    std::string bytes;
    const auto good = [&](std::string_view piece) { bytes += piece; };
    ASSERT_TRUE(trace::start(good));
    ASSERT_TRUE(trace::stop());
    EXPECT_FALSE(bytes.empty());
  });
}

TEST(trace, many_starts_and_stops_under_load) {
  weft::run([] {
    const auto values = make_chan<int>();
    wait_group all;
    for (int g = 0; g < 4; ++g) {
      all.go([=] {
        for (int i = 0; i < 5'000; ++i) values.send(i);
      });
      all.go([=] {
        for (int i = 0; i < 5'000; ++i) {
          (void)values.recv();
          if (i % 16 == 0) weft::yield();
        }
      });
    }
    for (int i = 0; i < 20; ++i) {
      std::string bytes;
      const auto to = [&](std::string_view piece) { bytes += piece; };
      ASSERT_TRUE(trace::start(to));
      weft::yield();
      const trace::task one(background(), "task");
      const trace::region part(one.ctx(), "region");
      trace::log(one.ctx(), "key", "value " + std::to_string(i));
      ASSERT_TRUE(trace::stop());
    }
    all.wait();
  });
}

}  // namespace
