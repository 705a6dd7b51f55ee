// SPDX-License-Identifier: Apache-2.0
// The histogram against exact quantiles.
#include "histogram.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace {

using load::histogram;

/// The value that the fraction `part` of the sorted values do not exceed.
uint64_t exact_quantile(const std::vector<uint64_t>& sorted, double part) {
  const double rank = std::ceil(part * static_cast<double>(sorted.size()));
  return sorted[std::max<size_t>(static_cast<size_t>(rank), 1) - 1];
}

void expect_close(const histogram& h, std::vector<uint64_t> values, const char* what) {
  std::ranges::sort(values);
  EXPECT_EQ(h.count(), values.size()) << what;
  EXPECT_EQ(h.min(), values.front()) << what;
  EXPECT_EQ(h.max(), values.back()) << what;
  for (const double part : {0.0, 0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 0.9999, 1.0}) {
    const uint64_t exact = exact_quantile(values, part);
    const uint64_t got = h.quantile(part);
    EXPECT_GE(got, exact) << what << " " << part;
    EXPECT_LE(got, exact + exact / 1024) << what << " " << part;
  }
}

TEST(histogram, quantiles_have_three_digits) {
  std::mt19937_64 random(7);
  const auto check = [&](const char* what, auto next) {
    histogram h;
    std::vector<uint64_t> values;
    for (int i = 0; i < 20000; ++i) {
      values.push_back(static_cast<uint64_t>(next()));
      h.record(values.back());
    }
    expect_close(h, values, what);
  };
  std::uniform_int_distribution<uint64_t> small(0, 3000);
  check("small", [&] { return small(random); });
  std::lognormal_distribution<double> latencies(13, 2);
  check("lognormal", [&] { return latencies(random); });
  std::uniform_real_distribution<double> magnitude(0, 42.9);
  check("all magnitudes", [&] { return std::exp2(magnitude(random)); });
  check("constant", [] { return 123456789; });
}

TEST(histogram, buckets_are_contiguous_and_narrow) {
  for (size_t i = 0; i + 1 < histogram::bucket_count; ++i) {
    const uint64_t low = histogram::lowest_of(i);
    const uint64_t high = histogram::highest_of(i);
    ASSERT_EQ(histogram::index_of(low), i);
    ASSERT_EQ(histogram::index_of(high), i);
    ASSERT_EQ(histogram::index_of(high + 1), i + 1);
    ASSERT_LE((high - low) * 1024, std::max<uint64_t>(low, 1023));
  }
}

TEST(histogram, larger_than_all_buckets) {
  histogram h;
  h.record(UINT64_MAX);
  h.record(1);
  EXPECT_EQ(h.quantile(0.5), 1U);
  EXPECT_EQ(h.quantile(1), UINT64_MAX);
  EXPECT_EQ(h.max(), UINT64_MAX);
}

TEST(histogram, merged_is_as_recorded_together) {
  std::mt19937_64 random(8);
  std::lognormal_distribution<double> latencies(12, 1);
  histogram together;
  histogram merged;
  for (int part = 0; part < 5; ++part) {
    histogram one;
    for (int i = 0; i < part * 1000; ++i) {
      const auto value = static_cast<uint64_t>(latencies(random));
      one.record(value);
      together.record(value);
    }
    merged.merge(one);
  }
  EXPECT_EQ(merged.count(), together.count());
  EXPECT_NEAR(merged.mean(), together.mean(), 1e-6 * together.mean());
  for (double part = 0; part <= 1; part += 0.01)
    EXPECT_EQ(merged.quantile(part), together.quantile(part));
  EXPECT_EQ(merged.count_between(0, UINT64_MAX), merged.count());
}

TEST(histogram, cleared_is_as_new) {
  histogram h;
  h.record(5);
  h.record(5'000'000);
  h.clear();
  EXPECT_EQ(h.count(), 0U);
  EXPECT_EQ(h.quantile(0.5), 0U);
  EXPECT_EQ(h.max(), 0U);
  h.record(70, 3);
  EXPECT_EQ(h.count(), 3U);
  EXPECT_EQ(h.quantile(0.99), 70U);
  EXPECT_EQ(h.count_between(0, 71), 3U);
  EXPECT_EQ(h.count_between(71, 1000), 0U);
}

}  // namespace
