// SPDX-License-Identifier: Apache-2.0
// Goroutine stacks: slots in large reservations, committed by touch, guarded below.
//
//   slot:  | guard page | usable bytes ............................ | top |
//          lo - page     lo                                        hi
//
// Slots of one size class (powers of two) lie side by side in one reservation per class, so a
// million guarded stacks cost a few dozen mappings where the kernel has MADV_GUARD_INSTALL, and
// one each (checked against vm.max_map_count, reported) where it has not.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/unwind.hpp"

namespace weft::rt {

struct stack_slot {
  uintptr_t lo = 0;  // lowest usable byte; 0: no slot
  uintptr_t hi = 0;  // one past the highest
};

enum class stack_error : uint8_t { none, address_space, guards_exhausted };

inline constexpr size_t stack_bytes_min = 16 * 1024;
inline constexpr size_t stack_bytes_max = size_t{1} << 30;

/// The slot size that a request gets: the next power of two, within min and max.
[[nodiscard]] size_t stack_class_bytes(size_t requested) noexcept;
/// False when the spawner of a goroutine must make sure of its stack at once: guards cost mappings
/// on this kernel, or address space is short (RLIMIT_AS), so that there may be none later.
[[nodiscard]] bool stack_supply_ample() noexcept;
/// Takes up to `count` slots of stack_class_bytes(bytes), recycled ones first. Returns how many;
/// fewer only on an error, which is set. Thread-safe; may take system calls; never parks.
size_t stack_take(size_t bytes, stack_slot* out, size_t count, stack_error& error) noexcept;
/// Returns a slot to its class; the pages stay as they are (warm).
void stack_give(stack_slot slot) noexcept;
/// Gives the slot's pages back to the kernel (guard kept); the slot stays the caller's.
void stack_discard(stack_slot slot) noexcept;
/// True if `address` lies in the guard of some slot; `slot` is that slot. Async-signal-safe.
[[nodiscard]] bool stack_guard_hit(uintptr_t address, stack_slot& slot) noexcept;
/// The slot that contains `address`, if any stack does. Async-signal-safe.
[[nodiscard]] bool stack_find(uintptr_t address, stack_slot& slot) noexcept;

/// What may be read as the stack that `sp` is in: a goroutine's slot, else the thread's own as far
/// as it is known, else the page. Async-signal-safe.
[[nodiscard]] stack_bounds stack_around(uintptr_t sp) noexcept;

struct stack_stats {
  uint64_t slots_carved = 0;    // with a guard installed
  uint64_t slots_free = 0;      // given back, waiting for reuse
  uint64_t reserved_bytes = 0;  // address space
  bool guard_install = false;   // MADV_GUARD_INSTALL in use; else mprotect
};
[[nodiscard]] stack_stats stack_statistics() noexcept;
/// A line that says what to change, for the error: "stack guards exhausted: vm.max_map_count is
/// 65530 ...". Static storage.
[[nodiscard]] const char* stack_error_text(stack_error error) noexcept;

}  // namespace weft::rt
