// SPDX-License-Identifier: Apache-2.0
// What the heap holds: by size class, by call stack. For tools, metrics and tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "weft/base/export.hpp"

namespace weft {

/// Objects of one size.
struct heap_class_statistics {
  size_t object_bytes = 0;
  size_t spans = 0;          // runs of pages that hold only such objects
  size_t span_bytes = 0;     // address space of these
  size_t touched_bytes = 0;  // of that, what was handed out at some time: resident, as a rule
  size_t in_use = 0;         // objects
  size_t free = 0;           // objects that were in use and are kept for the next request
  /// Part of touched_bytes that no object in use is in, 0 to 1.
  [[nodiscard]] double fragmentation() const noexcept {
    const size_t used = in_use * object_bytes;
    return touched_bytes <= used
               ? 0
               : 1 - static_cast<double>(used) / static_cast<double>(touched_bytes);
  }
};

struct heap_statistics {
  static constexpr size_t classes_max = 40;

  size_t reserved_bytes = 0;  // address space of the heap
  size_t in_use_bytes = 0;    // objects in use, rounded up to their classes and pages
  size_t span_bytes = 0;      // pages that hold objects
  size_t idle_bytes = 0;      // pages that hold none and are resident
  size_t returned_bytes = 0;  // pages that hold none and were given back to the kernel
  size_t released_bytes = 0;  // given back since the start, all together
  size_t metadata_bytes = 0;  // caches, samples, recorded stacks
  size_t large_objects = 0;   // of more than 32 KiB, in use
  size_t large_bytes = 0;
  size_t caches = 0;                           // made so far
  size_t caches_in_use = 0;                    // threads that allocate from one now
  size_t memory_limit = 0;                     // WEFT_MEMLIMIT; SIZE_MAX: none
  heap_class_statistics classes[classes_max];  // smallest first
  /// Part of the resident pages (objects' and idle ones) that no object in use is in, 0 to 1.
  double fragmentation = 0;
};

/// A snapshot. Other threads go on meanwhile: sums are off by what they do. Reads every span once:
/// a millisecond or so for a gigabyte of small objects. Does not allocate, does not park.
[[nodiscard]] WEFT_API heap_statistics heap_stats() noexcept;

/// Allocations of one call stack, as estimated from samples (one per 512 KiB on average;
/// WEFT_DEBUG=memprofilerate): unbiased, and within 10 % once there are some hundred samples.
struct heap_profile_record {
  const uintptr_t* stack = nullptr;  // return addresses, innermost first, without malloc itself
  size_t depth = 0;
  int64_t live_objects = 0;
  int64_t live_bytes = 0;
  int64_t total_objects = 0;  // since the start
  int64_t total_bytes = 0;
};
using heap_profile_sink = void (*)(void* data, const heap_profile_record& record);

/// Hands `sink` every stack that was sampled, in no order; what a record points to lasts as long as
/// the call. Allocates; reads debug information the first time. Only what goes through this heap:
/// link weft::malloc for all of the program's.
WEFT_API void heap_profile(heap_profile_sink sink, void* data);
/// The same, for a function object: `f(record)`.
template <class F>
void heap_profile(F&& f) {
  heap_profile(
      [](void* data, const heap_profile_record& record) {
        (*static_cast<std::remove_reference_t<F>*>(data))(record);
      },
      const_cast<void*>(static_cast<const void*>(&f)));
}

}  // namespace weft
