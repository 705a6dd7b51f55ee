// SPDX-License-Identifier: Apache-2.0
// Every setting, every refusal.
#include "weft/base/settings.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "weft/base/death_testing.hpp"
#include "weft/base/dlog.hpp"

namespace weft::rt {
namespace {

bool parse(const std::vector<const char*>& variables, settings& out, std::string& message) {
  std::vector<const char*> environment = variables;
  environment.push_back(nullptr);
  return parse_settings(environment.data(), out, message);
}

settings accepted(const std::vector<const char*>& variables) {
  settings out;
  std::string message;
  EXPECT_TRUE(parse(variables, out, message)) << message;
  return out;
}

std::string refused(const char* variable) {
  settings out;
  std::string message;
  EXPECT_FALSE(parse({variable}, out, message)) << variable;
  return message;
}

TEST(Settings, DefaultsWithoutAnyVariable) {
  settings s = accepted({"PATH=/bin", "WEFT_UNKNOWN=1", "WEFT_MAXPROCS=", "WEFTMAXPROCS=0"});
  EXPECT_EQ(s.max_procs, 0);
  EXPECT_EQ(s.max_threads, 10000);
  EXPECT_EQ(s.stack_bytes, 256u * 1024);
  EXPECT_EQ(s.traceback, traceback_level::single);
}

TEST(Settings, Numbers) {
  settings s = accepted({"WEFT_MAXPROCS=1024", "WEFT_MAXTHREADS=4"});
  EXPECT_EQ(s.max_procs, 1024);
  EXPECT_EQ(s.max_threads, 4);
}

TEST(Settings, BadNumbersAreRefused) {
  EXPECT_EQ(refused("WEFT_MAXPROCS=abc"),
            "weft: WEFT_MAXPROCS=\"abc\": must be a whole number from 1 to 1024");
  for (const char* bad :
       {"WEFT_MAXPROCS=0", "WEFT_MAXPROCS=1025", "WEFT_MAXPROCS=-1", "WEFT_MAXPROCS=2x",
        "WEFT_MAXPROCS= 2", "WEFT_MAXPROCS=1.5", "WEFT_MAXPROCS=99999999999999999999"})
    EXPECT_NE(refused(bad).find("must be a whole number from 1 to 1024"), std::string::npos);
  EXPECT_EQ(refused("WEFT_MAXTHREADS=3"),
            "weft: WEFT_MAXTHREADS=\"3\": must be a whole number from 4 to 100000");
}

TEST(Settings, Sizes) {
  EXPECT_EQ(accepted({"WEFT_STACK=16384"}).stack_bytes, 16384u);
  EXPECT_EQ(accepted({"WEFT_STACK=64K"}).stack_bytes, 65536u);
  EXPECT_EQ(accepted({"WEFT_STACK=8m"}).stack_bytes, size_t{8} << 20);
  EXPECT_EQ(accepted({"WEFT_STACK=1G"}).stack_bytes, size_t{1} << 30);
}

TEST(Settings, BadSizesAreRefused) {
  EXPECT_EQ(refused("WEFT_STACK=100K"),
            "weft: WEFT_STACK=\"100K\": must be a power of two from 16K to 1G, with an optional "
            "suffix K, M or G");
  for (const char* bad : {"WEFT_STACK=8K", "WEFT_STACK=2G", "WEFT_STACK=K", "WEFT_STACK=64KB",
                          "WEFT_STACK=-64K", "WEFT_STACK=9007199254740993G", "WEFT_STACK=64T"})
    EXPECT_NE(refused(bad).find("must be a power of two"), std::string::npos) << bad;
}

TEST(Settings, Traceback) {
  struct {
    const char* variable;
    traceback_level level;
  } const cases[] = {
      {"WEFT_TRACEBACK=none", traceback_level::none},
      {"WEFT_TRACEBACK=0", traceback_level::none},
      {"WEFT_TRACEBACK=single", traceback_level::single},
      {"WEFT_TRACEBACK=all", traceback_level::all},
      {"WEFT_TRACEBACK=1", traceback_level::all},
      {"WEFT_TRACEBACK=system", traceback_level::system},
      {"WEFT_TRACEBACK=2", traceback_level::system},
      {"WEFT_TRACEBACK=crash", traceback_level::crash},
  };
  for (const auto& c : cases) EXPECT_EQ(accepted({c.variable}).traceback, c.level) << c.variable;
  EXPECT_EQ(refused("WEFT_TRACEBACK=3"),
            "weft: WEFT_TRACEBACK=\"3\": must be none or 0, single, all or 1, system or 2, crash");
}

TEST(Settings, DebugList) {
  settings s =
      accepted({"WEFT_DEBUG=schedtrace=1000,scheddetail=1,,plainfence=1,"
                "mprotectguards=1,noretake=1,dlog=1,"});
  EXPECT_EQ(s.schedtrace_ms, 1000);
  EXPECT_TRUE(s.sched_detail);
  EXPECT_TRUE(s.plain_fence);
  EXPECT_TRUE(s.no_guard_install);
  EXPECT_TRUE(s.no_retake);
  EXPECT_TRUE(s.dlog);
  EXPECT_FALSE(accepted({"WEFT_DEBUG=dlog=1,dlog=0"}).dlog);
}

TEST(Settings, BadDebugItemsAreRefused) {
  EXPECT_EQ(refused("WEFT_DEBUG=shedtrace=1"),
            "weft: WEFT_DEBUG: unknown key \"shedtrace\"; known are schedtrace, scheddetail, "
            "plainfence, mprotectguards, noretake, dlog, heaptrace, heapcheck, noscavenger, "
            "memprofilerate, heldmutex, traceruns");
  EXPECT_EQ(refused("WEFT_DEBUG=dlog=2"), "weft: WEFT_DEBUG: dlog=\"2\": must be 0 or 1");
  EXPECT_EQ(accepted({"WEFT_DEBUG=heldmutex=2"}).held_mutex, 2);
  EXPECT_EQ(refused("WEFT_DEBUG=heldmutex=3"),
            "weft: WEFT_DEBUG: heldmutex=\"3\": must be 0, 1 or 2");
  EXPECT_EQ(refused("WEFT_DEBUG=dlog"), "weft: WEFT_DEBUG: dlog=\"\": must be 0 or 1");
  EXPECT_EQ(refused("WEFT_DEBUG=schedtrace=-1"),
            "weft: WEFT_DEBUG: schedtrace=\"-1\": must be a whole number of milliseconds from 0 to "
            "3600000");
}

TEST(Settings, MemoryLimits) {
  EXPECT_EQ(accepted({}).memory_limit, SIZE_MAX);
  EXPECT_EQ(accepted({"WEFT_MEMLIMIT=off"}).memory_limit, SIZE_MAX);
  EXPECT_EQ(accepted({"WEFT_MEMLIMIT=64MiB"}).memory_limit, size_t{64} << 20);
  EXPECT_EQ(accepted({"WEFT_MEMLIMIT=2T"}).memory_limit, size_t{2} << 40);
  EXPECT_EQ(accepted({"WEFT_MEMLIMIT=20000000B"}).memory_limit, 20'000'000u);
  EXPECT_EQ(refused("WEFT_MEMLIMIT=1MiB"),
            "weft: WEFT_MEMLIMIT=\"1MiB\": must be off, or bytes from 16MiB up, with an optional "
            "suffix B, KiB, MiB, GiB, TiB, K, M, G or T");
  EXPECT_EQ(accepted({"WEFT_DEBUG=memprofilerate=64K"}).memory_profile_rate, 64u * 1024);
  EXPECT_EQ(accepted({"WEFT_DEBUG=memprofilerate=0"}).memory_profile_rate, 0u);
}

TEST(Settings, TheTableMatchesTheDefaults) {
  size_t rows = 0;
  describe_settings(
      [](void* count, const setting_row& row) {
        ++*static_cast<size_t*>(count);
        EXPECT_FALSE(row.allowed.empty()) << row.name;
        EXPECT_FALSE(row.doc.empty()) << row.name;
        EXPECT_NE(row.is_debug_key, row.name.starts_with("WEFT_")) << row.name;
      },
      &rows);
  EXPECT_EQ(rows, 21u);
}

TEST(Settings, ABadSettingEndsTheProcess) {
  auto d = testing::die_in_child([] {
    ::setenv("WEFT_MAXPROCS", "many", 1);
    (void)process_settings();
  });
  EXPECT_EQ(d.exit_code, 2);
  EXPECT_EQ(d.text, "weft: WEFT_MAXPROCS=\"many\": must be a whole number from 1 to 1024\n");
}

TEST(Settings, ReadingThemTurnsTheDebugLogOn) {
  auto d = testing::die_in_child([] {
    ::setenv("WEFT_DEBUG", "dlog=1", 1);
    ::_exit(process_settings().dlog && dlog_enabled.load(relaxed) ? 0 : 1);
  });
  EXPECT_EQ(d.exit_code, 0);
}

TEST(Settings, TracebackIsKnownBeforeAndAfterReading) {
  auto d = testing::die_in_child([] {
    ::setenv("WEFT_TRACEBACK", "all", 1);
    if (current_traceback() != traceback_level::all) ::_exit(1);
    (void)process_settings();
    ::setenv("WEFT_TRACEBACK", "none", 1);
    if (current_traceback() != traceback_level::all) ::_exit(3);
  });
  EXPECT_EQ(d.exit_code, 99);
}

}  // namespace
}  // namespace weft::rt
