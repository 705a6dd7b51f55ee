// SPDX-License-Identifier: Apache-2.0
// Stack slots: guards that hold, few mappings, reuse, lookups, and what happens at the limits.
#include "weft/heap/internal/stack.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "weft/base/os/os.hpp"
#include "weft/base/sanitizer.hpp"

namespace {

using namespace weft::rt;

stack_slot take_one(size_t bytes) {
  stack_slot slot;
  stack_error error;
  EXPECT_EQ(stack_take(bytes, &slot, 1, error), 1u);
  EXPECT_EQ(error, stack_error::none);
  return slot;
}

size_t mappings() {
  std::FILE* maps = std::fopen("/proc/self/maps", "r");
  size_t lines = 0;
  for (int c = std::fgetc(maps); c != EOF; c = std::fgetc(maps)) lines += c == '\n';
  std::fclose(maps);
  return lines;
}

void poke(uintptr_t address) { *reinterpret_cast<char volatile*>(address) = 1; }

TEST(stack, class_is_next_power_of_two_within_limits) {
  EXPECT_EQ(stack_class_bytes(0), stack_bytes_min);
  EXPECT_EQ(stack_class_bytes(16 * 1024), 16u * 1024);
  EXPECT_EQ(stack_class_bytes(16 * 1024 + 1), 32u * 1024);
  EXPECT_EQ(stack_class_bytes(size_t{1} << 40), stack_bytes_max);
}

TEST(stack, slot_is_writable_from_lo_to_hi) {
  for (size_t bytes : {size_t{16} << 10, size_t{256} << 10, size_t{1} << 30}) {
    const stack_slot slot = take_one(bytes);
    EXPECT_EQ(slot.hi - slot.lo, bytes - os::page_bytes);
    EXPECT_EQ(slot.hi % 16, 0u);
    poke(slot.lo);
    poke(slot.hi - 1);
    stack_give(slot);
  }
}

TEST(stack, slots_do_not_overlap) {
  std::vector<stack_slot> slots(500);
  stack_error error;
  ASSERT_EQ(stack_take(32 << 10, slots.data(), slots.size(), error), slots.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    stack_slot found;
    ASSERT_TRUE(stack_find(slots[i].lo, found));
    EXPECT_EQ(found.lo, slots[i].lo);
    for (size_t j = 0; j < i; ++j)
      ASSERT_TRUE(slots[i].hi <= slots[j].lo || slots[j].hi <= slots[i].lo);
  }
  for (const stack_slot& slot : slots) stack_give(slot);
}

TEST(stack, last_given_is_taken_first) {
  const stack_slot a = take_one(64 << 10), b = take_one(64 << 10);
  stack_give(a);
  stack_give(b);
  EXPECT_EQ(take_one(64 << 10).lo, b.lo);
  EXPECT_EQ(take_one(64 << 10).lo, a.lo);
  stack_give(a);
  stack_give(b);
}

TEST(stack, find_and_guard_hit_tell_guard_from_stack) {
  const stack_slot slot = take_one(128 << 10);
  stack_slot found;
  EXPECT_TRUE(stack_find(slot.lo, found));
  EXPECT_TRUE(stack_find(slot.hi - 1, found));
  EXPECT_EQ(found.hi, slot.hi);
  EXPECT_FALSE(stack_guard_hit(slot.lo, found));
  EXPECT_TRUE(stack_guard_hit(slot.lo - 1, found));
  EXPECT_EQ(found.lo, slot.lo);
  EXPECT_TRUE(stack_guard_hit(slot.lo - os::page_bytes, found));
  EXPECT_FALSE(stack_find(slot.lo - 1, found));
  int local = 0;
  EXPECT_FALSE(stack_find(reinterpret_cast<uintptr_t>(&local), found));
  EXPECT_FALSE(stack_guard_hit(0, found));
  stack_give(slot);
}

TEST(stack, discarded_pages_read_as_zero) {
  const stack_slot slot = take_one(64 << 10);
  std::memset(reinterpret_cast<void*>(slot.lo), 0x5a, slot.hi - slot.lo);
  stack_discard(slot);
  for (uintptr_t at = slot.lo; at < slot.hi; at += 512)
    ASSERT_EQ(*reinterpret_cast<unsigned char*>(at), 0);
  stack_give(slot);
}

TEST(stack, a_hundred_thousand_guarded_stacks_cost_few_mappings) {
  constexpr size_t count = sanitizer::address || sanitizer::thread ? 10'000 : 100'000;
  std::vector<stack_slot> slots(count);
  stack_error error;
  // One first: without MADV_GUARD_INSTALL the crowd would use up the mappings of this process.
  stack_give(take_one(64 << 10));
  if (!stack_statistics().guard_install) GTEST_SKIP() << "this kernel has no MADV_GUARD_INSTALL";
  const size_t before = mappings();
  const size_t got = stack_take(64 << 10, slots.data(), count, error);
  EXPECT_EQ(got, count);
  EXPECT_LE(mappings(), before + 16);
  for (size_t i = 0; i < got; ++i) stack_give(slots[i]);
  EXPECT_GE(stack_statistics().slots_free, count);
}

TEST(stack, threads_take_and_give_at_once) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([t] {
      for (int round = 0; round < 200; ++round) {
        stack_slot mine[8];
        stack_error error;
        ASSERT_EQ(stack_take(16 << 10, mine, 8, error), 8u);
        for (const stack_slot& slot : mine) {
          sanitizer::forget(slot.lo, slot.hi - slot.lo);
          *reinterpret_cast<int*>(slot.hi - 16) = t;
        }
        for (const stack_slot& slot : mine) {
          ASSERT_EQ(*reinterpret_cast<int*>(slot.hi - 16), t);
          stack_give(slot);
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
}

class stack_death : public testing::Test {
 protected:
  // A child that starts afresh, with the environment as the test has set it.
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
  void TearDown() override { ::unsetenv("WEFT_DEBUG"); }
};

// Sanitizers report the fault themselves and exit; any death by it will do.
bool died_of_fault(int status) {
  return WIFSIGNALED(status)
             ? WTERMSIG(status) == SIGSEGV || WTERMSIG(status) == SIGBUS
             : (sanitizer::address || sanitizer::thread) && WEXITSTATUS(status) != 0;
}

TEST_F(stack_death, touching_the_guard_faults) {
  EXPECT_EXIT(poke(take_one(64 << 10).lo - 1), died_of_fault, "");
  EXPECT_EXIT(poke(take_one(64 << 10).lo - os::page_bytes), died_of_fault, "");
}

TEST_F(stack_death, touching_an_mprotect_guard_faults) {
  ::setenv("WEFT_DEBUG", "mprotectguards=1", 1);
  EXPECT_EXIT(poke(take_one(64 << 10).lo - 1), died_of_fault, "");
}

// Exit status 0 if mprotect guards run out with the right error and without harm.
[[noreturn]] void exhaust_guards() {
  std::vector<stack_slot> slots(40'000);
  stack_error error;
  const size_t got = stack_take(16 << 10, slots.data(), slots.size(), error);
  if (stack_statistics().guard_install) std::exit(3);
  if (got == slots.size()) std::exit(error == stack_error::none ? 0 : 4);  // a large limit
  if (error != stack_error::guards_exhausted || got < 1000) std::exit(5);
  if (std::strstr(stack_error_text(error), "vm.max_map_count is ") == nullptr) std::exit(6);
  // What was given back can be had again, and no more than that.
  stack_give(slots[0]);
  stack_slot again[2];
  if (stack_take(16 << 10, again, 2, error) != 1 || again[0].lo != slots[0].lo) std::exit(7);
  if (error != stack_error::guards_exhausted) std::exit(8);
  std::exit(0);
}

TEST_F(stack_death, mprotect_guards_run_out_with_an_error) {
  if (sanitizer::address || sanitizer::thread)
    GTEST_SKIP() << "sanitizers need mappings themselves";
  ::setenv("WEFT_DEBUG", "mprotectguards=1", 1);
  EXPECT_EXIT(exhaust_guards(), testing::ExitedWithCode(0), "");
}

// Exit status 0 if a small RLIMIT_AS leads to fewer stacks and an error, with room left.
[[noreturn]] void exhaust_address_space() {
  const rlimit limit{size_t{2} << 30, size_t{2} << 30};
  ::setrlimit(RLIMIT_AS, &limit);
  std::vector<stack_slot> slots(100'000);
  stack_error error;
  const size_t got = stack_take(256 << 10, slots.data(), slots.size(), error);
  if (got < 1000 || got >= slots.size()) std::exit(3);
  if (error != stack_error::address_space) std::exit(4);
  if (std::strstr(stack_error_text(error), "RLIMIT_AS") == nullptr) std::exit(5);
  for (size_t i = 0; i < got; ++i) poke(slots[i].hi - 1);
  std::exit(0);
}

TEST_F(stack_death, small_address_space_limit_is_an_error_not_a_crash) {
  if (sanitizer::address || sanitizer::thread)
    GTEST_SKIP() << "sanitizers need the address space themselves";
  EXPECT_EXIT(exhaust_address_space(), testing::ExitedWithCode(0), "");
}

TEST_F(stack_death, giving_a_slot_back_twice_is_a_bug) {
  EXPECT_DEATH(
      {
        const stack_slot slot = take_one(64 << 10);
        stack_give(slot);
        stack_give(slot);
      },
      "assertion failed: link == 0");
}

}  // namespace
