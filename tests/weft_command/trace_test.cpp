// SPDX-License-Identifier: Apache-2.0
// A hand-made trace as a timeline.
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "trace_file.hpp"
#include "trace_maker.hpp"
#include "trace_timeline.hpp"

namespace {

using namespace weft_command;

/// Lines that say what was drawn.
class noted : public timeline {
 public:
  uint64_t add_group(std::string_view) override { return ++last_; }
  uint64_t add_track(uint64_t, std::string_view name) override {
    names_[++last_] = name;
    return last_;
  }
  void rename(uint64_t, uint64_t track, std::string_view name) override { names_[track] = name; }
  uint64_t add_counter(uint64_t group, std::string_view name, bool) override {
    return add_track(group, name);
  }
  void begin(uint64_t track, int64_t ns, std::string_view name, std::string_view,
             uint64_t arrow) override {
    line(track, ns,
         std::string(name) + (arrow == 0 ? " (" : " <- " + std::to_string(arrow) + " ("));
  }
  void end(uint64_t track, int64_t ns) override { line(track, ns, ")"); }
  void point(uint64_t track, int64_t ns, std::string_view name, std::string_view,
             uint64_t arrow) override {
    line(track, ns, std::string(name) + (arrow == 0 ? "" : " -> " + std::to_string(arrow)));
  }
  void count(uint64_t counter, int64_t ns, int64_t value) override {
    line(counter, ns, std::to_string(value));
  }
  std::string finish() override { return said; }
  std::string said;

 private:
  void line(uint64_t track, int64_t ns, const std::string& what) {
    said += names_[track] + " " + std::to_string(ns) + " " + what + "\n";
  }
  uint64_t last_ = 0;
  std::map<uint64_t, std::string> names_;
};

TEST(Trace, OfGoroutinesProcessorsAndASystemCall) {
  noted to;
  const weft::result<trace_summary> done =
      convert_trace(weft_command_test::small_trace(), to, nullptr);
  ASSERT_TRUE(done) << done.error().message();
  EXPECT_EQ(1, done->generations);
  EXPECT_EQ(18, done->events);
  EXPECT_EQ(2, done->goroutines);
  EXPECT_FALSE(done->cut_off);
  EXPECT_EQ(
      "G1 main.main 0 running (\n"
      "P0 0 G1 main.main (\n"
      "Ps 1 2\n"
      "P0 1001 create G2 -> 1\n"
      "G2 main.worker 1001 runnable (\n"
      "heap 1002 4096\n"
      "task 7 1003 task (\n"
      "G1 main.main: regions 1004 task (\n"
      "G1 main.main 1500 CPU sample\n"
      "G1 main.main 2004 )\n"
      "G1 main.main 2004 waiting: chan receive (\n"
      "P0 2004 )\n"
      "G2 main.worker 2014 )\n"
      "G2 main.worker 2014 running (\n"
      "P0 2014 G2 main.worker <- 1 (\n"
      "G2 main.worker 3014 )\n"
      "G2 main.worker 3014 syscall (\n"
      "P0 3014 )\n"
      "P0 3014 syscall of G2 main.worker (\n"
      "P0 4000 )\n"
      "P0 4002 unblock G1 -> 2\n"
      "G1 main.main 4002 )\n"
      "G1 main.main 4002 runnable (\n"
      "G1 main.main 4003 )\n"
      "G1 main.main 4003 running (\n"
      "P0 4003 G1 main.main <- 2 (\n"
      "G1 main.main: regions 4503 )\n"
      "task 7 4504 )\n"
      "G1 main.main 5504 )\n"
      "P0 5504 )\n"
      "G2 main.worker 8014 )\n"
      "G2 main.worker 8014 runnable (\n"
      "G2 main.worker 8014 )\n",
      to.said);
}

TEST(Trace, WhatIsWrongIsSaid) {
  const auto why = [](const std::string& file) {
    noted to;
    const weft::result<trace_summary> done = convert_trace(file, to, nullptr);
    return done ? std::string("it is read") : done.error().message();
  };
  const std::string good = weft_command_test::small_trace();
  EXPECT_EQ("it is read", why(good));
  EXPECT_EQ("not an execution trace", why("hello"));
  EXPECT_TRUE(why(std::string("go 1.22 trace\0\0\0", 16)).contains("version 1.22"));
  for (size_t end = 17; end < good.size(); ++end)
    EXPECT_TRUE(why(good.substr(0, end)).starts_with("not a whole trace: at byte ")) << end;
  const std::string head(good, 0, 16);
  EXPECT_TRUE(why(head + static_cast<char>(52)).contains("without a clock"));
  EXPECT_TRUE(why(head + "\x07").contains("a batch of kind 7"));
  std::string sync;
  weft_command_test::put(sync, {50, 8, 0});
  EXPECT_TRUE(why(head + weft_command_test::trace_batch(1, 1, sync) + "4").contains("frequency 0"));
}

}  // namespace
