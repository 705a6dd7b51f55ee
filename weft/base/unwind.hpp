// SPDX-License-Identifier: Apache-2.0
// Walking a stack: return addresses from any pc, by the compiler's unwind tables (.eh_frame), with
// frame pointers where there are none.
//
// Everything here is async-signal-safe: no lock, no allocation; every read of the stack is bounded.
// A walk ends at weft_goroutine_entry (whose return address is marked undefined), at the stack's
// bounds, or when the next frame would not lie above the present one; so it always ends.
//
// Rejected: _Unwind_Backtrace (cannot start from a parked context; dl_iterate_phdr's lock in older
// libraries; unbounded reads of a broken stack), and frame pointers alone (distributions build
// libstdc++ and libc without them, so the frames above a callback would be lost).
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/export.hpp"

namespace weft::rt {

#if defined(__x86_64__)
inline constexpr unsigned unwind_registers = 17;  // DWARF numbers 0..16; 16: return address
inline constexpr unsigned unwind_fp = 6, unwind_sp = 7, unwind_ra = 16;
#else
inline constexpr unsigned unwind_registers = 32;  // DWARF numbers 0..31; 30: return address
inline constexpr unsigned unwind_fp = 29, unwind_sp = 31, unwind_ra = 30;
#endif

/// Memory that may be read as stack: [lo, hi).
struct stack_bounds {
  uintptr_t lo = 0;
  uintptr_t hi = 0;
};

/// Reads a word of the stack, unseen by sanitizers. False: outside the bounds or not aligned.
[[nodiscard]] WEFT_API bool stack_word(stack_bounds stack, uintptr_t address,
                                       uintptr_t& value) noexcept;

/// One frame: where it is and what its registers hold.
struct unwind_frame {
  uintptr_t pc = 0;
  /// pc is an instruction that was interrupted or will be resumed; else it is a return address,
  /// and the call is the instruction before it.
  bool exact = true;
  uint64_t known = 0;  // bit n: reg[n] is known
  uintptr_t reg[unwind_registers] = {};

  [[nodiscard]] uintptr_t sp() const noexcept { return reg[unwind_sp]; }
  [[nodiscard]] uintptr_t fp() const noexcept { return reg[unwind_fp]; }
  void set(unsigned n, uintptr_t value) noexcept {
    reg[n] = value;
    known |= uint64_t{1} << n;
  }
};

/// Name of a register by its DWARF number, as assemblers write it.
[[nodiscard]] WEFT_API const char* unwind_register_name(unsigned n) noexcept;

/// The frame of a parked context, or any other of which three registers are known.
[[nodiscard]] WEFT_API unwind_frame unwind_frame_at(uintptr_t pc, uintptr_t sp,
                                                    uintptr_t fp) noexcept;
/// The frame that a signal interrupted; `context` is the handler's ucontext_t.
[[nodiscard]] WEFT_API unwind_frame unwind_frame_of(const void* context) noexcept;
/// The caller of the function that calls this.
[[nodiscard]] WEFT_API unwind_frame unwind_frame_here() noexcept;

/// The caller of the function that this is inlined into, without a look at tables where that can
/// be. Only in Weft's own code, which keeps frame pointers.
[[gnu::always_inline]] inline unwind_frame unwind_frame_of_caller() noexcept {
#if defined(__x86_64__)
  const auto* fp = static_cast<const uintptr_t*>(__builtin_frame_address(0));
  unwind_frame frame = unwind_frame_at(fp[1], reinterpret_cast<uintptr_t>(fp + 2), fp[0]);
  frame.exact = false;
  return frame;
#else
  // AArch64 keeps the record at the bottom of a frame of unknown size.
  return unwind_frame_here();
#endif
}

/// Moves to the caller's frame. False: there is none, or it cannot be found.
[[nodiscard]] WEFT_API bool unwind_step(unwind_frame& frame, stack_bounds stack) noexcept;

/// Return addresses from `start` outwards: pcs[0] is start.pc, every later one is an address after
/// a call (the call is found at pc - 1, as in Go's runtime.Callers). Returns how many, up to `max`.
WEFT_API size_t unwind(const unwind_frame& start, stack_bounds stack, uintptr_t* pcs,
                       size_t max) noexcept;
/// The same for profilers, which walk the same code again and again: rows of the tables are
/// remembered, a few nanoseconds a frame. Not for reports: it may be wrong about code that was
/// loaded where other code had been unloaded.
WEFT_API size_t unwind_quick(const unwind_frame& start, stack_bounds stack, uintptr_t* pcs,
                             size_t max) noexcept;

/// The same from a return address and the two registers of its frame. A few nanoseconds less.
WEFT_API size_t unwind_quick_from(uintptr_t return_address, uintptr_t sp, uintptr_t fp,
                                  stack_bounds stack, uintptr_t* pcs, size_t max) noexcept;

/// unwind_quick() of the caller of the function that this is inlined into. Only in Weft's own code,
/// which keeps frame pointers.
[[gnu::always_inline]] inline size_t unwind_quick_caller(
    stack_bounds (*bounds)(uintptr_t sp) noexcept, uintptr_t* pcs, size_t max) noexcept {
#if defined(__x86_64__)
  const auto* fp = static_cast<const uintptr_t*>(__builtin_frame_address(0));
  const auto sp = reinterpret_cast<uintptr_t>(fp + 2);
  return unwind_quick_from(fp[1], sp, fp[0], bounds(sp), pcs, max);
#else
  const unwind_frame frame = unwind_frame_of_caller();
  return unwind_quick(frame, bounds(frame.sp()), pcs, max);
#endif
}

}  // namespace weft::rt
