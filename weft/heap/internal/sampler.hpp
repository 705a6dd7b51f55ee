// SPDX-License-Identifier: Apache-2.0
// Which allocations are recorded with their stacks: each byte begins a sample with probability
// 1 / rate, so an object of s bytes is one with probability p = 1 - exp(-s / rate), and counts 1 /
// p times. The sums are unbiased, whatever the sizes (as Go's heap profile, but scaled object by
// object, not by the mean of a stack's).
//
// Nothing of this is on the fast path. For objects of one class the distance to the next sample is
// geometric: malloc counts down as it has to count anyway, and takes the slow path at 0. A sampled
// object lies in a span of the sampler's own, so its free is a remote one for everybody.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/heap/internal/mcache.hpp"
#include "weft/heap/internal/recorded_stack.hpp"

namespace weft::rt {

/// Bytes between samples on average, as Go's MemProfileRate.
inline constexpr size_t sample_rate_default = size_t{512} << 10;

/// 0: nothing is sampled. Caches draw by it from their next sample on.
void set_sample_rate(size_t bytes) noexcept;
[[nodiscard]] size_t sample_rate() noexcept;

/// Draws how many objects of bin `size_class` come before the next sample.
void begin_interval(mcache::bin& bin, uint64_t& random, uint32_t size_class) noexcept;
/// A seed for a cache's generator.
[[nodiscard]] uint64_t random_seed() noexcept;

/// An object of at least `bytes`, aligned as its class is, that is recorded. Null: no memory.
[[nodiscard]] void* sampled_allocate(uint32_t size_class) noexcept;
/// Whether `s` holds sampled objects only.
[[nodiscard]] bool is_sampled(const mspan* s) noexcept;
/// An object of such a span, which is checked to be in use and marked free.
void sampled_free(mspan* s, free_object* object) noexcept;
/// What of such an object may be used: as much as if it were no sample.
[[nodiscard]] size_t sampled_usable_bytes(const mspan* s, const void* object) noexcept;

/// A large object is allocated: records it if it is drawn.
void sample_large(mspan* s, uint64_t& random) noexcept;
/// It is freed.
void unsample_large(mspan* s) noexcept;

/// Around reading the stacks' sums, and around a fork().
void sampler_lock() noexcept;
void sampler_unlock() noexcept;

/// ln(x) for x > 0, and 1 - exp(-x) for x >= 0, to 1e-9 of their values: the C library's are in one
/// more library, which a preloaded malloc must not bring along.
[[nodiscard]] double natural_log(double x) noexcept;
[[nodiscard]] double drawn_part(double x) noexcept;

}  // namespace weft::rt
