// SPDX-License-Identifier: Apache-2.0
// Reserving, discarding and guarding; and writing everything.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <thread>

#include "weft/base/death_testing.hpp"
#include "weft/base/os/os.hpp"

namespace weft::rt::os {
namespace {

/// True if touching `address` kills (by signal, or by a sanitizer's exit).
bool touch_kills(void* address) {
  return testing::die_in_child([&] { *static_cast<volatile char*>(address) = 1; }).exit_code != 99;
}

TEST(Memory, ReservedIsNotAccessible) {
  void* address = reserve(16 * page_bytes);
  ASSERT_NE(address, nullptr);
  EXPECT_TRUE(touch_kills(address));
  release(address, 16 * page_bytes);
}

TEST(Memory, AbsurdReservationIsRefused) {
  errno = 5;
  EXPECT_EQ(reserve(size_t{1} << 60), nullptr);
  EXPECT_EQ(errno, 5);
}

TEST(Memory, WritableIsZeroAndZeroAgainAfterDiscard) {
  size_t bytes = size_t{1} << 30;  // address space only
  auto* memory = static_cast<char*>(reserve_writable(bytes));
  ASSERT_NE(memory, nullptr);
  EXPECT_EQ(memory[bytes - 1], 0);
  memory[0] = 7;
  memory[page_bytes] = 8;
  discard(memory, page_bytes);
  EXPECT_EQ(memory[0], 0);
  EXPECT_EQ(memory[page_bytes], 8);
  release(memory, bytes);
}

TEST(Memory, GuardsKill) {
  auto* memory = static_cast<char*>(reserve_writable(4 * page_bytes));
  ASSERT_NE(memory, nullptr);
  int failed = guard_install(memory, page_bytes);
  EXPECT_TRUE(failed == 0 || failed == EINVAL) << failed;
  if (failed == 0) {
    EXPECT_TRUE(touch_kills(memory));
  }
  EXPECT_EQ(protect_none(memory + 2 * page_bytes, page_bytes), 0);
  EXPECT_TRUE(touch_kills(memory + 2 * page_bytes));
  EXPECT_FALSE(touch_kills(memory + 3 * page_bytes));
  release(memory, 4 * page_bytes);
}

TEST(Output, WritesEverythingToASlowNonBlockingReader) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK), 0);
  ::fcntl(ends[0], F_SETFL, 0);
  std::string sent(1 << 20, 'x');
  size_t received = 0;
  std::thread reader([&] {
    char chunk[1000];
    ssize_t got;
    while ((got = ::read(ends[0], chunk, sizeof(chunk))) > 0) received += static_cast<size_t>(got);
  });
  write_all(ends[1], sent.data(), sent.size());
  ::close(ends[1]);
  reader.join();
  ::close(ends[0]);
  EXPECT_EQ(received, sent.size());
}

TEST(Output, GivesUpOnAClosedDescriptor) {
  errno = 3;
  write_all(-1, "x", 1);
  EXPECT_EQ(errno, 3);
}

}  // namespace
}  // namespace weft::rt::os
