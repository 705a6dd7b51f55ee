// SPDX-License-Identifier: Apache-2.0
// What the heap says about itself, its limit, and memory that goes back by itself.
#include "weft/heap/stats.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "weft/heap/alloc.hpp"
#include "weft/heap/control.hpp"

namespace weft::rt {
namespace {

const heap_class_statistics& class_of_bytes(const heap_statistics& all, size_t bytes) {
  for (const heap_class_statistics& of : all.classes)
    if (of.object_bytes >= bytes) return of;
  ADD_FAILURE() << "no class for " << bytes;
  return all.classes[0];
}

TEST(HeapStats, CountsObjectsByClass) {
  const heap_statistics before = heap_stats();
  std::vector<void*> objects;
  for (int i = 0; i < 5000; ++i) objects.push_back(heap_allocate(700));
  void* large = heap_allocate(1u << 20);
  heap_statistics now = heap_stats();
  const auto& was = class_of_bytes(before, 700);
  // A sample or two lie in other classes.
  EXPECT_NEAR(static_cast<double>(class_of_bytes(now, 700).in_use - was.in_use), 5000, 60);
  EXPECT_EQ(now.large_objects, before.large_objects + 1);
  EXPECT_EQ(now.large_bytes, before.large_bytes + (1u << 20));
  EXPECT_GE(now.in_use_bytes, before.in_use_bytes + 5000 * 700 + (1u << 20));
  EXPECT_GE(now.span_bytes, now.in_use_bytes);
  // Every other one: half of what was touched is no object's.
  for (size_t i = 0; i < objects.size(); i += 2) heap_free(objects[i]);
  now = heap_stats();
  EXPECT_GT(class_of_bytes(now, 700).fragmentation(), 0.4);
  for (size_t i = 1; i < objects.size(); i += 2) heap_free(objects[i]);
  heap_free(large);
  EXPECT_EQ(heap_stats().large_objects, before.large_objects);
}

TEST(HeapStats, MemoryGoesBackInTheBackground) {
  std::vector<void*> large;
  for (int i = 0; i < 100; ++i) {
    large.push_back(heap_allocate(2u << 20));
    std::memset(large.back(), 1, 2u << 20);
  }
  const size_t released = heap_stats().released_bytes;
  for (void* object : large) heap_free(object);
  heap_free(heap_allocate(100'000));  // a slow path: it starts the thread
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  // 200 MB, less what may stay.
  while (heap_stats().released_bytes < released + (150u << 20)) {
    ASSERT_LT(std::chrono::steady_clock::now(), limit) << heap_stats().idle_bytes << " bytes stay";
    // Nobody tells when it is done: it is memory that goes, at its own pace.
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

TEST(HeapStats, LimitRefusesWithAMessage) {
  ::testing::internal::CaptureStderr();
  const size_t before = weft::set_memory_limit(heap_stats().span_bytes + (32u << 20));
  std::vector<void*> kept;
  kept.reserve(10'000);
  // What fits, but for free pages that are resident; small ones until there is no more; a large
  // one.
  void* half = heap_allocate(20u << 20);
  std::memset(half, 1, 20u << 20);
  heap_free(half);
  void* other = heap_allocate(30u << 20);
  EXPECT_NE(other, nullptr);
  heap_free(other);
  while (void* object = heap_allocate(10'000)) kept.push_back(object);
  EXPECT_GT(kept.size(), 2000u);
  EXPECT_EQ(heap_allocate(1u << 20), nullptr);
  for (void* object : kept) heap_free(object);
  void* again = heap_allocate(1u << 20);
  EXPECT_NE(again, nullptr);
  heap_free(again);
  EXPECT_NE(weft::set_memory_limit(before), weft::no_memory_limit);
  const std::string text = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("weft: heap: WEFT_MEMLIMIT is "), std::string::npos) << text;
  EXPECT_NE(text.find("more are refused"), std::string::npos) << text;
}

TEST(HeapStats, IdleCachesGiveUpTheirSpans) {
  const heap_statistics before = heap_stats();
  for (int i = 0; i < 20; ++i)
    std::thread([] {
      std::vector<void*> objects;
      for (int k = 0; k < 1000; ++k) objects.push_back(heap_allocate(300));
      for (void* object : objects) heap_free(object);
    }).join();
  heap_trim(0);
  heap_trim(0);
  const heap_statistics now = heap_stats();
  EXPECT_LE(now.caches, before.caches + 2);  // one thread after the other uses the same
  EXPECT_LE(now.span_bytes, before.span_bytes + (1u << 20));
}

}  // namespace
}  // namespace weft::rt
