// SPDX-License-Identifier: Apache-2.0
// The heap profile's estimates against what was really allocated.
#include "weft/heap/internal/sampler.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "weft/heap/alloc.hpp"
#include "weft/heap/stats.hpp"

namespace weft::rt {
namespace {

struct sums {
  double live_bytes = 0, live_objects = 0, total_bytes = 0, total_objects = 0;
};

sums profile_sums() {
  sums all;
  heap_profile([&all](const heap_profile_record& r) {
    all.live_bytes += static_cast<double>(r.live_bytes);
    all.live_objects += static_cast<double>(r.live_objects);
    all.total_bytes += static_cast<double>(r.total_bytes);
    all.total_objects += static_cast<double>(r.total_objects);
  });
  return all;
}

/// For a test: a rate that gives thousands of samples.
class rate_scope {
 public:
  explicit rate_scope(size_t bytes) {
    heap_free(heap_allocate(1));  // the process's settings are read with the first allocation
    before_ = sample_rate();
    set_sample_rate(bytes);
  }
  ~rate_scope() { set_sample_rate(before_); }
  rate_scope(const rate_scope&) = delete;
  rate_scope& operator=(const rate_scope&) = delete;

 private:
  size_t before_ = 0;
};

TEST(Sampler, LogarithmAndExponentialAreExact) {
  for (double x = 1e-12; x < 1e6; x *= 1.37) {
    EXPECT_NEAR(natural_log(x), std::log(x), 1e-9 * (1 + std::abs(std::log(x))));
    EXPECT_NEAR(drawn_part(x), -std::expm1(-x), 1e-9 * -std::expm1(-x)) << x;
  }
}

TEST(Sampler, EstimatesAreUnbiased) {
  const rate_scope rate(8192);
  // Ends the intervals that were drawn before.
  for (size_t bytes = 16; bytes <= small_bytes_max; bytes += 16)
    for (size_t done = 0; done < 4u << 20; done += bytes) heap_free(heap_allocate(bytes));
  const sums before = profile_sums();
  std::mt19937 random(1);
  std::vector<void*> kept;
  double live = 0, total = 0, live_objects = 0;
  for (int i = 0; i < 200'000; ++i) {
    const size_t bytes = random() % 10 == 0 ? 100 + random() % 3000 : 16 + random() % 100;
    const auto rounded = static_cast<double>(class_bytes(class_of(bytes)));
    void* object = heap_allocate(bytes);
    total += rounded;
    if (random() % 2 != 0) {
      heap_free(object);
      continue;
    }
    kept.push_back(object);
    live += rounded;
    ++live_objects;
  }
  for (int i = 0; i < 200; ++i) {
    kept.push_back(heap_allocate(100'000));
    live += 100'000;
    total += 100'000;
    ++live_objects;
  }
  const sums now = profile_sums();
  // Some 5,000 samples, of which small objects weigh most: five standard deviations are 8 %.
  EXPECT_NEAR(now.live_bytes - before.live_bytes, live, 0.08 * live);
  EXPECT_NEAR(now.total_bytes - before.total_bytes, total, 0.08 * total);
  EXPECT_NEAR(now.live_objects - before.live_objects, live_objects, 0.15 * live_objects);
  for (void* object : kept) heap_free(object);
  EXPECT_NEAR(profile_sums().live_bytes, before.live_bytes, 0.02 * live);
}

TEST(Sampler, SampledObjectsAreAlignedAsOthers) {
  const rate_scope rate(1);
  for (int round = 0; round < 3; ++round)
    for (size_t alignment = 16; alignment <= 65536; alignment *= 2)
      for (size_t bytes : {size_t{1}, size_t{100}, size_t{4096}, size_t{30'000}, size_t{40'000}}) {
        void* object = heap_allocate_aligned(bytes, alignment);
        ASSERT_NE(object, nullptr);
        EXPECT_EQ(reinterpret_cast<uintptr_t>(object) % alignment, 0u) << bytes;
        EXPECT_GE(heap_usable_bytes(object), bytes);
        heap_free(object);
      }
}

TEST(Sampler, SampledObjectsKeepTheirSizeClassAndBytes) {
  const rate_scope rate(1);
  for (size_t bytes = 1; bytes <= small_bytes_max; bytes += bytes < 300 ? 1 : 97) {
    auto* object = static_cast<unsigned char*>(heap_allocate(bytes));
    EXPECT_EQ(heap_usable_bytes(object), class_bytes(class_of(bytes)));
    std::memset(object, 7, heap_usable_bytes(object));
    object = static_cast<unsigned char*>(heap_reallocate(object, bytes + 40));
    EXPECT_EQ(object[0], 7);
    EXPECT_EQ(object[bytes - 1], 7);
    heap_free(object);
  }
}

TEST(Sampler, ThreadsSampleAtOnce) {
  const rate_scope rate(256);
  const double before = profile_sums().live_bytes;
  std::vector<std::thread> running;
  for (unsigned t = 0; t < 4; ++t)
    running.emplace_back([t] {
      std::mt19937 random(t);
      std::vector<void*> objects(100);
      for (int i = 0; i < 20'000; ++i) {
        void*& object = objects[random() % objects.size()];
        heap_free(object);
        object = heap_allocate(random() % 500);
      }
      for (void* object : objects) heap_free(object);
    });
  for (auto& t : running) t.join();
  EXPECT_NEAR(profile_sums().live_bytes, before, 1e5);
}

TEST(Sampler, NothingIsSampledAtRateZero) {
  const rate_scope rate(0);
  for (int i = 0; i < 100'000; ++i) heap_free(heap_allocate(1000));  // ends old intervals
  const double before = profile_sums().total_bytes;
  for (int i = 0; i < 100'000; ++i) heap_free(heap_allocate(1000));
  heap_free(heap_allocate(50u << 20));
  EXPECT_EQ(profile_sums().total_bytes, before);
}

}  // namespace
}  // namespace weft::rt
