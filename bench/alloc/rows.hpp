// SPDX-License-Identifier: Apache-2.0
// The allocators' workloads: our own programs under the names of the classic ones (those that
// mimalloc-bench collects), so that figures can be set beside published ones. They know malloc()
// and free() only; which ones these are is for LD_PRELOAD to say.
#pragma once

#include <cstdint>
#include <cstdlib>

#include "../common/measure.hpp"

namespace bench {

/// malloc(), which the compiler may neither join with a free() nor leave out.
inline void* allocate(size_t bytes) noexcept {
  void* object = std::malloc(bytes);
  asm volatile("" : "+r"(object) : : "memory");
  return object;
}

/// The same, and the first and the last byte are written.
inline unsigned char* allocate_written(size_t bytes) noexcept {
  auto* object = static_cast<unsigned char*>(allocate(bytes));
  object[0] = object[bytes - 1] = 1;
  return object;
}

/// xorshift64*: quicker than what it drives.
struct quick_random {
  uint64_t state;

  explicit quick_random(uint64_t seed) noexcept : state{seed * 0x9E3779B97F4A7C15u | 1} {}
  uint32_t operator()() noexcept {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return static_cast<uint32_t>((state * 0x2545F4914F6CDD1Du) >> 32);
  }
  /// From `least` to `most`.
  uint32_t between(uint32_t least, uint32_t most) noexcept {
    return least + static_cast<uint32_t>(uint64_t{(*this)()} * (most - least + 1) >> 32);
  }
};

/// Prints the measurement with the process's peak of resident memory.
inline void print_with_peak(result& out) {
  out.value("peak_mb", static_cast<double>(status_bytes("VmHWM")) / 1e6);
  out.print("alloc-bench");
}

void pair(const call& how);
void fifo(const call& how);
void larson(const call& how);
void xmalloc(const call& how);
void malloc_large(const call& how);
void mstress(const call& how);
void cfrac(const call& how);
void prof(const call& how);

}  // namespace bench
