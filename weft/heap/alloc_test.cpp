// SPDX-License-Identifier: Apache-2.0
// malloc and free against a model that knows every byte; threads that free each other's objects.
#include "weft/heap/alloc.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <atomic>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "weft/heap/internal/size_classes.hpp"

namespace weft::rt {
namespace {

struct block {
  unsigned char* at;
  size_t bytes;
  unsigned char fill;
};

void check(const block& b) {
  for (size_t i = 0; i < b.bytes; i += b.bytes > 4096 ? 509 : 1) ASSERT_EQ(b.at[i], b.fill);
}

block make(std::mt19937& random) {
  const auto kind = random() % 100;
  size_t bytes = random() % (kind < 70   ? 200u
                             : kind < 95 ? 9000u
                             : kind < 99 ? 200'000u
                                         : 3'000'000u);
  block b{nullptr, bytes, static_cast<unsigned char>(random())};
  const auto how = random() % 8;
  if (how == 0) {
    const size_t alignment = size_t{1} << (random() % 17);
    b.at = static_cast<unsigned char*>(heap_allocate_aligned(bytes, alignment));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b.at) % alignment, 0u);
  } else if (how == 1) {
    b.at = static_cast<unsigned char*>(heap_allocate_zeroed(bytes));
    for (size_t i = 0; i < bytes; ++i) EXPECT_EQ(b.at[i], 0);
  } else {
    b.at = static_cast<unsigned char*>(heap_allocate(bytes));
  }
  EXPECT_NE(b.at, nullptr);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(b.at) % 16, 0u);
  EXPECT_GE(heap_usable_bytes(b.at), bytes);
  std::memset(b.at, b.fill, bytes);
  return b;
}

TEST(SizeClasses, HoldWhatTheyAreFor) {
  for (uint32_t c = 1; c < size_class_count; ++c) EXPECT_GT(class_bytes(c), class_bytes(c - 1));
  EXPECT_EQ(class_bytes(size_class_count - 1), small_bytes_max);
  for (size_t n = 1; n <= small_bytes_max; ++n) {
    const uint32_t c = class_of(n);
    ASSERT_GE(class_bytes(c), n);
    ASSERT_TRUE(c == 0 || class_bytes(c - 1) < n);
  }
}

TEST(Alloc, RandomOperationsKeepEveryByte) {
  std::mt19937 random(1);
  std::vector<block> live;
  for (int i = 0; i < 60'000; ++i) {
    if (live.size() > 600 || (!live.empty() && random() % 5 < 2)) {
      const size_t at = random() % live.size();
      std::swap(live[at], live.back());
      block b = live.back();
      live.pop_back();
      check(b);
      if (random() % 4 == 0) {
        const size_t bytes = random() % (random() % 10 == 0 ? 500'000 : 3000) + 1;
        auto* moved = static_cast<unsigned char*>(heap_reallocate(b.at, bytes));
        check({moved, bytes < b.bytes ? bytes : b.bytes, b.fill});
        std::memset(moved, b.fill, bytes);
        live.push_back({moved, bytes, b.fill});
      } else {
        heap_free(b.at);
      }
    } else {
      live.push_back(make(random));
    }
  }
  for (const block& b : live) {
    check(b);
    heap_free(b.at);
  }
}

TEST(Alloc, ThreadsFreeEachOthersObjects) {
  constexpr int threads = 4;
  constexpr int rounds = 40'000;
  std::vector<std::atomic<block*>> mailbox(64);
  std::vector<std::thread> running;
  for (unsigned t = 0; t < threads; ++t)
    running.emplace_back([&, t] {
      std::mt19937 random(t);
      for (int i = 0; i < rounds; ++i) {
        auto* b = new (heap_allocate(sizeof(block))) block{};
        b->bytes = random() % 600;
        b->fill = static_cast<unsigned char>(random());
        b->at = static_cast<unsigned char*>(heap_allocate(b->bytes));
        std::memset(b->at, b->fill, b->bytes);
        block* other = mailbox[random() % mailbox.size()].exchange(b);
        if (other == nullptr) continue;
        check(*other);
        heap_free(other->at);
        heap_free(other);
      }
    });
  for (auto& t : running) t.join();
  for (auto& slot : mailbox)
    if (block* b = slot.load(); b != nullptr) {
      check(*b);
      heap_free(b->at);
      heap_free(b);
    }
}

TEST(Alloc, ManyShortThreadsStrandNothing) {
  const size_t before = heap_totals().in_use_bytes;
  for (int round = 0; round < 200; ++round) {
    std::vector<void*> left;
    std::thread([&] {
      for (int i = 0; i < 2000; ++i) left.push_back(heap_allocate(100));
      for (size_t i = 0; i < left.size(); i += 2) heap_free(left[i]);
    }).join();
    for (size_t i = 1; i < left.size(); i += 2) heap_free(left[i]);
  }
  EXPECT_LT(heap_totals().in_use_bytes, before + (4u << 20));
}

TEST(Alloc, PagesGoBackAndNeighboursAreMerged) {
  std::vector<void*> large;
  for (int i = 0; i < 100; ++i) {
    large.push_back(heap_allocate(1 << 20));
    std::memset(large.back(), 1, 1 << 20);
  }
  for (size_t i = 0; i < large.size(); i += 2) heap_free(large[i]);
  for (size_t i = 1; i < large.size(); i += 2) heap_free(large[i]);
  EXPECT_TRUE(heap_trim(0));
  EXPECT_EQ(heap_totals().resident_free_bytes, 0u);
  void* whole = heap_allocate_zeroed(90u << 20);  // fits only where they were
  for (size_t i = 0; i < 90u << 20; i += 4096) ASSERT_EQ(static_cast<char*>(whole)[i], 0);
  heap_free(whole);
}

TEST(Alloc, PagesThatTheKernelKeepsAreNotTakenForZeros) {
  constexpr size_t bytes = 4 << 20;
  auto* object = static_cast<unsigned char*>(heap_allocate(bytes));
  std::memset(object, 1, bytes);
  if (::mlock(object, 4096) != 0) GTEST_SKIP() << "no memory may be locked";
  heap_free(object);
  (void)heap_trim(0);
  auto* again = static_cast<unsigned char*>(heap_allocate_zeroed(bytes));
  for (size_t i = 0; i < bytes; i += 512) ASSERT_EQ(again[i], 0) << i;
  heap_free(again);
  ::munlock(object, 4096);
}

TEST(Alloc, RefusesWhatCannotBe) {
  EXPECT_EQ(heap_allocate(SIZE_MAX), nullptr);
  EXPECT_EQ(heap_allocate(size_t{1} << 60), nullptr);
  EXPECT_EQ(heap_allocate_aligned(1, size_t{1} << 60), nullptr);
  void* object = heap_allocate(10);
  EXPECT_EQ(heap_reallocate(object, SIZE_MAX / 2), nullptr);
  heap_free(object);
}

using AllocDeathTest = testing::Test;

TEST(AllocDeathTest, NamesEveryMisuse) {
  auto* object = static_cast<char*>(heap_allocate(100));
  auto* large = static_cast<char*>(heap_allocate(100'000));
  int local = 0;
  EXPECT_DEATH(heap_free(&local), "which is not memory of this heap");
  EXPECT_DEATH(heap_free(object + 8), "8 bytes inside an object of size class 112");
  EXPECT_DEATH(heap_free(large + 4096), "4096 bytes inside an object of 100000 bytes");
  EXPECT_DEATH((heap_free(object), heap_free(object)), "double free \\(size class 112\\)");
  EXPECT_DEATH((heap_free(large), heap_free(large)), "double free, or never allocated");
  EXPECT_DEATH((heap_free(object), (void)heap_reallocate(object, 300)), "double free");
  EXPECT_DEATH(
      {
        heap_free(object);
        std::memset(object, 'x', 16);  // use after free
        (void)heap_allocate(100);
      },
      "was written to");
  heap_free(object);
  heap_free(large);
}

}  // namespace
}  // namespace weft::rt
