// SPDX-License-Identifier: Apache-2.0
// The flight recorder's answers; what it writes is read by Go's tool in tests/trace.
#include "weft/observe/flight_recorder.hpp"

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
using namespace std::chrono_literals;

TEST(flight_recorder, begins_and_ends) {
  weft::run([] {
    std::string bytes;
    const auto to = [&](std::string_view piece) { bytes += piece; };
    EXPECT_FALSE(trace::flight_recorder_enabled());
    EXPECT_EQ(trace::write_flight_recorder(to).error(), trace::not_recording);
    EXPECT_EQ(trace::save_flight_recorder("why").error(), trace::not_recording);
    EXPECT_EQ(trace::stop_flight_recorder().error(), trace::not_recording);
    ASSERT_TRUE(trace::start_flight_recorder());
    EXPECT_TRUE(trace::flight_recorder_enabled());
    EXPECT_TRUE(trace::enabled());
    EXPECT_EQ(trace::start_flight_recorder().error(), trace::already_recording);
    if (!whole_runs) {
      EXPECT_EQ(trace::save_flight_recorder("why").error(), trace::no_directory);
    }
    ASSERT_TRUE(trace::write_flight_recorder(to));
    EXPECT_TRUE(bytes.starts_with("go 1.26 trace"));
    EXPECT_EQ(bytes.back(), 52);
    ASSERT_TRUE(trace::stop_flight_recorder());
    EXPECT_EQ(trace::enabled(), whole_runs);
  });
}

TEST(flight_recorder, bad_options_are_refused_by_name) {
  weft::run([] {
    const auto why = [](const trace::flight_options& how) {
      return trace::start_flight_recorder(how).error().message();
    };
    EXPECT_EQ(why({.min_age = 99ms}),
              "trace: flight_options.min_age is 99 ms: must be 100 ms to 10 minutes");
    EXPECT_EQ(why({.min_age = 601s}),
              "trace: flight_options.min_age is 601000 ms: must be 100 ms to 10 minutes");
    EXPECT_EQ(why({.max_bytes = 1000}),
              "trace: flight_options.max_bytes is 1000: must be 1 MiB to 1 GiB");
    EXPECT_FALSE(trace::flight_recorder_enabled());
  });
}

TEST(flight_recorder, tells_what_the_sink_says_and_goes_on) {
  weft::run([] {
    ASSERT_TRUE(trace::start_flight_recorder());
    const auto full = [](std::string_view) -> result<void> {
      return fail(error("the disk is full"));
    };
    EXPECT_EQ(trace::write_flight_recorder(full).error().message(), "the disk is full");
    std::string bytes;
    const auto to = [&](std::string_view piece) { bytes += piece; };
    EXPECT_TRUE(trace::write_flight_recorder(to));
    EXPECT_FALSE(bytes.empty());
  });
  // Nobody stopped it: the run's end did.
  weft::run([] {
    EXPECT_FALSE(trace::flight_recorder_enabled());
    EXPECT_TRUE(trace::start_flight_recorder());
  });
}

TEST(flight_recorder, beside_traces_and_writers_under_load) {
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
    const auto drop = [](std::string_view) {};
    for (int g = 0; g < 2; ++g)
      all.go([&] {
        for (int i = 0; i < 10; ++i) {
          if (trace::start(drop)) {
            weft::yield();
            EXPECT_TRUE(trace::stop());
          }
          // Whoever comes first starts it, whoever comes last finds it stopped.
          (void)trace::start_flight_recorder({.min_age = 100ms, .max_bytes = size_t{1} << 20});
          (void)trace::write_flight_recorder(drop);
          const trace::latency_watch watched("nothing", 0ns);
          (void)trace::stop_flight_recorder();
        }
      });
    all.wait();
  });
}

}  // namespace
