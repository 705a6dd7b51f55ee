// SPDX-License-Identifier: Apache-2.0
// Stacks of allocations, each kept once: equal ones share a record, which lasts for ever and
// carries the heap profile's sums.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/base/unwind.hpp"

namespace weft::rt {

/// Return addresses kept of a stack, innermost first. Deeper ones lose their outermost frames.
inline constexpr size_t recorded_frames_max = 64;
/// Memory for stacks. When it is used up, new ones are counted as one unknown stack.
inline constexpr size_t recorded_stacks_bytes_max = size_t{64} << 20;

struct recorded_stack {
  recorded_stack* next = nullptr;  // same bucket
  recorded_stack* all_next = nullptr;
  uint64_t hash = 0;
  uint32_t depth = 0;
  /// Estimates, unbiased (sampler.hpp). Under the sampler's lock.
  double total_objects = 0;
  double total_bytes = 0;
  double live_objects = 0;
  double live_bytes = 0;
  /// Generations of the execution trace that name it last, by parity.
  atomic<uint32_t> traced[2] = {};
  /// What observe/trace writes of it, once it has been looked up.
  atomic<const void*> trace_frames{nullptr};

  /// `depth` return addresses, innermost first; they lie behind the record.
  [[nodiscard]] const uintptr_t* pcs() const noexcept {
    return reinterpret_cast<const uintptr_t*>(this + 1);
  }
};

/// Makes sure that there is memory for records, also where nothing else uses the heap (sanitizer
/// builds). Not in a signal handler.
void prepare_recorded_stacks() noexcept;

/// The stack of whoever calls, from its caller outwards. Never null. Lock-free; a microsecond or
/// two, by the unwind tables.
[[nodiscard]] recorded_stack* record_stack_here() noexcept;
/// A stack that was walked already, or one made up.
[[nodiscard]] recorded_stack* record_stack(const uintptr_t* pcs, size_t depth) noexcept;
/// A number for a stack, as small as can be; 0 for the unknown one. Constant.
[[nodiscard]] uint64_t number_of(const recorded_stack* stack) noexcept;
/// Every stack, newest first, by all_next.
[[nodiscard]] recorded_stack* recorded_stacks() noexcept;
/// Memory that records take.
[[nodiscard]] size_t recorded_stacks_bytes() noexcept;

/// Writes a stack to standard error, as reports write goroutines' stacks; without the heap's
/// own frames.
void print_recorded_stack(const char* title, const recorded_stack* stack) noexcept;

/// The frames of `stack` that are not the heap's own: what called malloc, and so on outwards.
/// Writes up to `max` addresses; returns how many.
size_t frames_of_caller(const recorded_stack* stack, uintptr_t* out, size_t max) noexcept;

}  // namespace weft::rt
