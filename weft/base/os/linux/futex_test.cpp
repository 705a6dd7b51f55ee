// SPDX-License-Identifier: Apache-2.0
// Futex, clocks and the asymmetric fence.
#include <gtest/gtest.h>

#include <cerrno>
#include <thread>

#include "weft/base/os/os.hpp"

namespace weft::rt::os {
namespace {

TEST(Futex, ReturnsAtOnceWhenTheWordHasChanged) {
  atomic<uint32_t> word{1};
  EXPECT_EQ(futex_wait(word, 0, -1), futex_result::changed);
}

TEST(Futex, TimesOutNotBeforeItsTime) {
  atomic<uint32_t> word{0};
  errno = 77;
  int64_t begin = monotonic_ns();
  futex_result got;
  // A spurious wake-up is allowed.
  while ((got = futex_wait(word, 0, 2'000'000)) == futex_result::woken) begin = monotonic_ns();
  EXPECT_EQ(got, futex_result::timed_out);
  EXPECT_GE(monotonic_ns() - begin, 2'000'000);
  EXPECT_EQ(errno, 77);
}

TEST(Futex, WakesASleeper) {
  atomic<uint32_t> word{0};
  std::thread sleeper([&] {
    while (word.load(acquire) == 0) futex_wait(word, 0, -1);
  });
  // Until the kernel says that it woke somebody, the thread has not slept yet.
  while (futex_wake(word, 1) == 0) yield_thread();
  word.store(1, rt::release);
  futex_wake(word, 1);
  sleeper.join();
}

TEST(Futex, WakeOfNobodyIsZero) {
  atomic<uint32_t> word{0};
  EXPECT_EQ(futex_wake(word, 10), 0);
}

TEST(Clock, MonotonicNeverFalls) {
  int64_t last = monotonic_ns();
  for (int i = 0; i < 1000; ++i) {
    int64_t now = monotonic_ns();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(Clock, RealtimeIsAfter2020) { EXPECT_GT(realtime_ns(), 1'577'836'800'000'000'000); }

/// Two flags, each side raises its own and looks at the other's: both may see the other raised,
/// neither may miss it.
void expect_no_store_buffering() {
  constexpr uint32_t rounds = 2000;
  static atomic<uint32_t> light_flag{0}, heavy_flag{0}, light_round{0}, heavy_round{0};
  static uint32_t light_saw[rounds + 1], heavy_saw[rounds + 1];
  for (atomic<uint32_t>* a : {&light_flag, &heavy_flag, &light_round, &heavy_round})
    a->store(0, relaxed);
  auto meet = [](atomic<uint32_t>& own, atomic<uint32_t>& other, uint32_t round) {
    own.store(round, rt::release);
    for (int spins = 0; other.load(acquire) < round; ++spins)
      if (spins > 200) yield_thread();
  };
  std::thread light([&] {
    for (uint32_t i = 1; i <= rounds; ++i) {
      meet(light_round, heavy_round, i);
      light_flag.store(i, relaxed);
      light_fence();
      light_saw[i] = heavy_flag.load(relaxed);
    }
  });
  for (uint32_t i = 1; i <= rounds; ++i) {
    meet(heavy_round, light_round, i);
    heavy_flag.store(i, relaxed);
    heavy_fence();
    heavy_saw[i] = light_flag.load(relaxed);
  }
  light.join();
  for (uint32_t i = 1; i <= rounds; ++i) ASSERT_TRUE(light_saw[i] >= i || heavy_saw[i] >= i) << i;
}

TEST(AsymmetricFence, OrdersWithMembarrier) {
  if (!membarrier_register(false)) GTEST_SKIP() << "this kernel refuses membarrier";
  EXPECT_TRUE(membarrier_active);
  expect_no_store_buffering();
}

TEST(AsymmetricFence, OrdersWithoutMembarrier) {
  EXPECT_FALSE(membarrier_register(true));
  EXPECT_FALSE(membarrier_active);
  expect_no_store_buffering();
}

}  // namespace
}  // namespace weft::rt::os
