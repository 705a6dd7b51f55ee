// SPDX-License-Identifier: Apache-2.0
// A histogram of times with three significant digits in constant memory.
//
// Buckets are log-linear: values below 2048 have one each; above, each doubling is cut into 1024
// buckets of equal width, so a bucket is never wider than a 1024th of its values. 2^43 ns is 2.4
// hours; what is larger is counted in the last bucket, and max() still tells its true size.
//
// Only the range of buckets in use is walked and cleared: latencies of a run lie in a few thousand
// of the 34,816. Not synchronized.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace load {

class histogram {
 public:
  static constexpr unsigned exact_bits = 11;
  static constexpr unsigned value_bits = 43;
  static constexpr size_t half = size_t{1} << (exact_bits - 1);
  static constexpr size_t bucket_count = (value_bits - exact_bits) * half + 2 * half;

  void record(uint64_t value, uint64_t times = 1) noexcept {
    const size_t at = index_of(value);
    counts_[at] += times;
    first_ = std::min(first_, at);
    last_ = std::max(last_, at);
    count_ += times;
    sum_ += static_cast<double>(value) * static_cast<double>(times);
    min_ = std::min(min_, value);
    max_ = std::max(max_, value);
  }
  void merge(const histogram& other) noexcept {
    if (other.count_ == 0) return;
    for (size_t i = other.first_; i <= other.last_; ++i) counts_[i] += other.counts_[i];
    first_ = std::min(first_, other.first_);
    last_ = std::max(last_, other.last_);
    count_ += other.count_;
    sum_ += other.sum_;
    min_ = std::min(min_, other.min_);
    max_ = std::max(max_, other.max_);
  }
  void clear() noexcept {
    if (count_ != 0) std::fill(&counts_[first_], &counts_[last_] + 1, uint64_t{0});
    first_ = bucket_count;
    last_ = 0;
    count_ = 0;
    sum_ = 0;
    min_ = UINT64_MAX;
    max_ = 0;
  }

  [[nodiscard]] uint64_t count() const noexcept { return count_; }
  [[nodiscard]] uint64_t min() const noexcept { return count_ == 0 ? 0 : min_; }
  [[nodiscard]] uint64_t max() const noexcept { return max_; }
  [[nodiscard]] double mean() const noexcept {
    return count_ == 0 ? 0 : sum_ / static_cast<double>(count_);
  }
  /// The value that the fraction `part` (0..1) of all values do not exceed: the upper end of its
  /// bucket, so at most a 1024th too large, never too small, and never beyond max(). 0 if empty.
  [[nodiscard]] uint64_t quantile(double part) const noexcept {
    if (count_ == 0) return 0;
    const double exact = part * static_cast<double>(count_);
    auto rank = static_cast<uint64_t>(exact);
    if (static_cast<double>(rank) < exact) ++rank;
    rank = std::clamp<uint64_t>(rank, 1, count_);
    uint64_t seen = 0;
    for (size_t i = first_; i <= last_; ++i) {
      seen += counts_[i];
      if (seen >= rank) return std::clamp(highest_of(i), min_, max_);
    }
    return max_;
  }
  /// Values from `low` up to, not with, `high`, by whole buckets: one that straddles an end counts
  /// where it begins.
  [[nodiscard]] uint64_t count_between(uint64_t low, uint64_t high) const noexcept {
    uint64_t seen = 0;
    for (size_t i = first_; count_ != 0 && i <= last_; ++i)
      if (const uint64_t begin = lowest_of(i); begin >= low && begin < high) seen += counts_[i];
    return seen;
  }

  [[nodiscard]] static size_t index_of(uint64_t value) noexcept {
    if (value < 2 * half) return static_cast<size_t>(value);
    if (value >> value_bits != 0) return bucket_count - 1;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - exact_bits;
    return shift * half + static_cast<size_t>(value >> shift);
  }
  [[nodiscard]] static uint64_t lowest_of(size_t index) noexcept {
    if (index < 2 * half) return index;
    const size_t shift = index / half - 1;
    return static_cast<uint64_t>(index - shift * half) << shift;
  }
  [[nodiscard]] static uint64_t highest_of(size_t index) noexcept {
    return index + 1 < bucket_count ? lowest_of(index + 1) - 1 : UINT64_MAX;
  }

 private:
  std::unique_ptr<uint64_t[]> counts_ = std::make_unique<uint64_t[]>(bucket_count);
  size_t first_ = bucket_count;
  size_t last_ = 0;
  uint64_t count_ = 0;
  double sum_ = 0;
  uint64_t min_ = UINT64_MAX;
  uint64_t max_ = 0;
};

}  // namespace load
