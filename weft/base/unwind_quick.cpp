// SPDX-License-Identifier: Apache-2.0
// The walk for profilers: many stacks of the same code, a few nanoseconds a frame.
//
// Nearly every row of the unwind tables says the same few things: the CFA is the stack or the frame
// pointer plus a number, the return address and the caller's frame pointer lie at numbers from it.
// Such a row is one word, and remembered by its pc. A stack with any other row is walked anew by
// unwind().
//
// The table is direct-mapped and shared by all threads and signal handlers, without a lock. An
// entry is a sequence lock of two words: the writer makes the key 0, writes the row, then the key;
// who reads key, row and the same key again has read what belongs together. Two writers of one
// entry at once may leave one's key with the other's row; so the row carries a part of its pc, too.
//
// Rows stay after dlclose(): code that is loaded where other code was may be walked wrongly (within
// the stack's bounds) until the entry is used by another pc. Reports of dying processes do not come
// here.
#include "weft/base/atomic.hpp"
#include "weft/base/internal/cfi.hpp"
#include "weft/base/unwind.hpp"

namespace weft::rt {
namespace {

// A busy server's stacks have some thousand different call sites. 128 KiB of the zero pages.
constexpr size_t entries = 8192;

struct entry {
  atomic<uint64_t> key{0};  // 0: nothing, or being written
  atomic<uint64_t> row{0};
};
constinit entry table[entries];

// A row:  | 1 | end | complex | from fp | check: 12 | fp at: 8 | ra at: 8 | CFA offset: 32 |
// fp at, ra at: words below the CFA; 0: the frame pointer is the caller's still.
constexpr uint64_t present = uint64_t{1} << 63;
constexpr uint64_t is_end = uint64_t{1} << 62;
constexpr uint64_t is_complex = uint64_t{1} << 61;
constexpr uint64_t from_fp = uint64_t{1} << 60;
constexpr unsigned check_shift = 48;
constexpr uint64_t check_mask = uint64_t{0xfff} << check_shift;

uint64_t mixed(uintptr_t pc) noexcept { return pc * 0x9E3779B97F4A7C15u; }
uint64_t check_of(uint64_t mix) noexcept { return (mix << (64 - 12) >> (64 - 12)) << check_shift; }

/// Words below the CFA, or -1: it is not such an offset.
int words_below(int64_t offset) noexcept {
  return offset < 0 && offset % 8 == 0 && offset >= -8 * 255 ? static_cast<int>(-offset / 8) : -1;
}

uint64_t packed(const cfi_row& row) noexcept {
  if (row.return_register >= unwind_registers) return present | is_complex;
  const cfi_rule ra = row.rule[row.return_register];
  if (ra == cfi_rule::undefined) return present | is_end;
  const int ra_at = words_below(row.operand[row.return_register]);
  const cfi_rule fp = row.rule[unwind_fp];
  const int fp_at = fp == cfi_rule::same ? 0 : words_below(row.operand[unwind_fp]);
  const bool simple = row.cfa_expression.start == nullptr && !row.signal_frame &&
                      !row.signed_return && ra == cfi_rule::offset && ra_at > 0 && fp_at >= 0 &&
                      (fp == cfi_rule::same || fp == cfi_rule::offset) &&
                      (row.cfa_register == unwind_sp || row.cfa_register == unwind_fp) &&
                      row.cfa_offset == static_cast<int32_t>(row.cfa_offset) &&
                      row.rule[unwind_sp] == cfi_rule::same;
  if (!simple) return present | is_complex;
  return present | (row.cfa_register == unwind_fp ? from_fp : 0) |
         static_cast<uint64_t>(fp_at) << 40 | static_cast<uint64_t>(ra_at) << 32 |
         static_cast<uint32_t>(row.cfa_offset);
}

__attribute__((noinline)) uint64_t look_up(uintptr_t pc, entry& at, uint64_t check) noexcept {
  cfi_row full;
  const uint64_t row =
      cfi_find(pc, full) == cfi_result::found ? packed(full) : present | is_complex;
  at.key.store(0, relaxed);
  fence(release);  // the key is gone before the row changes; partner: the fence in row_at()
  at.row.store(row | check, relaxed);
  at.key.store(pc, release);  // partner: the acquire in row_at()
  return row | check;
}

uint64_t row_at(uintptr_t pc) noexcept {
  const uint64_t mix = mixed(pc);
  entry& at = table[mix >> 51];
  const uint64_t check = check_of(mix);
  if (at.key.load(acquire) == pc) {
    const uint64_t row = at.row.load(relaxed);
    fence(acquire);  // the row was read before the key is read again
    if (at.key.load(relaxed) == pc && (row & check_mask) == check) return row;
  }
  return look_up(pc, at, check);
}
static_assert(entries == size_t{1} << (64 - 51));

/// False: a row that only unwind() can follow.
[[gnu::always_inline]] __attribute__((no_sanitize("address"))) inline bool walk(
    uintptr_t pc, bool exact, uintptr_t sp, uintptr_t fp, stack_bounds stack, uintptr_t* pcs,
    size_t max, size_t& count) noexcept {
  pcs[count++] = pc;
  while (count < max) {
    const uint64_t row = row_at(exact ? pc : pc - 1);
    exact = false;
    if ((row & is_end) != 0) break;
    if ((row & is_complex) != 0) return false;
    const uintptr_t cfa =
        ((row & from_fp) != 0 ? fp : sp) + static_cast<uintptr_t>(static_cast<int32_t>(row));
    const uintptr_t ra_at = cfa - 8 * (row >> 32 & 0xff);
    // Strictly outwards, within the stack, or the walk would not end.
    if (cfa <= sp || cfa > stack.hi || ra_at < stack.lo || cfa % 8 != 0) break;
    if (const uint64_t fp_words = row >> 40 & 0xff; fp_words != 0) {
      const uintptr_t fp_at = cfa - 8 * fp_words;
      if (fp_at < stack.lo) break;
      fp = *reinterpret_cast<const uintptr_t*>(fp_at);
    }
    pc = *reinterpret_cast<const uintptr_t*>(ra_at);
    sp = cfa;
    if (pc == 0) break;
    pcs[count++] = pc;
  }
  return true;
}

}  // namespace

// Sanitizers know nothing of frames that are read from outside.
__attribute__((no_sanitize("address"))) size_t unwind_quick(const unwind_frame& start,
                                                            stack_bounds stack, uintptr_t* pcs,
                                                            size_t max) noexcept {
  if (max == 0) return 0;
  size_t count = 0;
  if (walk(start.pc, start.exact, start.sp(), start.fp(), stack, pcs, max, count)) return count;
  return unwind(start, stack, pcs, max);
}

__attribute__((no_sanitize("address"))) size_t unwind_quick_from(uintptr_t return_address,
                                                                 uintptr_t sp, uintptr_t fp,
                                                                 stack_bounds stack, uintptr_t* pcs,
                                                                 size_t max) noexcept {
  if (max == 0) return 0;
  size_t count = 0;
  if (walk(return_address, false, sp, fp, stack, pcs, max, count)) return count;
  unwind_frame start = unwind_frame_at(return_address, sp, fp);
  start.exact = false;
  return unwind(start, stack, pcs, max);
}

}  // namespace weft::rt
