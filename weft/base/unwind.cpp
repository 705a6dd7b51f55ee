// SPDX-License-Identifier: Apache-2.0
// The walk itself: applies one table row (internal/cfi.hpp) after another.
#include "weft/base/unwind.hpp"

#include <ucontext.h>

#include "weft/base/internal/cfi.hpp"

namespace weft::rt {
namespace {

constexpr uint64_t bit(unsigned n) noexcept { return uint64_t{1} << n; }

#if defined(__x86_64__)
// rbx, rbp, rsp, r12..r15. The others hold nothing of the caller's after a call.
constexpr uint64_t preserved = bit(3) | bit(6) | bit(7) | bit(12) | bit(13) | bit(14) | bit(15);
#else
// x19..x29, sp.
constexpr uint64_t preserved = 0x7ffull << 19 | bit(31);
#endif

bool has(const unwind_frame& frame, unsigned n) noexcept {
  return n < unwind_registers && (frame.known & bit(n)) != 0;
}

/// Value of register `n` in the caller. False: unknown there.
bool caller_register(const unwind_frame& frame, stack_bounds stack, const cfi_row& row,
                     uintptr_t cfa, unsigned n, uintptr_t& value) noexcept {
  const int64_t operand = row.operand[n];
  switch (row.rule[n]) {
    case cfi_rule::same:
      value = frame.reg[n];
      return has(frame, n);
    case cfi_rule::undefined:
      return false;
    case cfi_rule::offset:
      return stack_word(stack, cfa + static_cast<uintptr_t>(operand), value);
    case cfi_rule::val_offset:
      value = cfa + static_cast<uintptr_t>(operand);
      return true;
    case cfi_rule::reg:
      if (!has(frame, static_cast<unsigned>(operand))) return false;
      value = frame.reg[operand];
      return true;
    case cfi_rule::expression:
      return cfi_evaluate(cfi_expression_at(operand), frame, stack, &cfa, value) &&
             stack_word(stack, value, value);
    case cfi_rule::val_expression:
      return cfi_evaluate(cfi_expression_at(operand), frame, stack, &cfa, value);
  }
  return false;
}

bool frame_address(const unwind_frame& frame, stack_bounds stack, const cfi_row& row,
                   uintptr_t& cfa) noexcept {
  if (row.cfa_expression.start != nullptr)
    return cfi_evaluate(row.cfa_expression, frame, stack, nullptr, cfa);
  if (!has(frame, row.cfa_register)) return false;
  cfa = frame.reg[row.cfa_register] + static_cast<uintptr_t>(row.cfa_offset);
  return true;
}

uintptr_t strip_signature(uintptr_t pc, [[maybe_unused]] bool signed_return) noexcept {
#if defined(__aarch64__)
  if (signed_return) return pc & ((uintptr_t{1} << 48) - 1);
#endif
  return pc;
}

/// A step by the table row. Moves `frame` only on success.
bool step_by_row(unwind_frame& frame, stack_bounds stack, const cfi_row& row) noexcept {
  uintptr_t cfa = 0;
  if (row.return_register >= unwind_registers) return false;
  if (!frame_address(frame, stack, row, cfa)) return false;
  unwind_frame next;
  for (unsigned n = 0; n < unwind_registers; ++n) {
    uintptr_t value = 0;
    if (caller_register(frame, stack, row, cfa, n, value)) next.set(n, value);
  }
  // The CFA is, by definition, the caller's stack pointer, unless a rule says otherwise.
  if (row.rule[unwind_sp] == cfi_rule::same) next.set(unwind_sp, cfa);
  if (!has(next, row.return_register)) return false;
  next.pc = strip_signature(next.reg[row.return_register], row.signed_return);
  next.exact = row.signal_frame;
  if (!row.signal_frame) next.known &= preserved;
  frame = next;
  return true;
}

/// A step by the frame pointer: [fp] holds the caller's, [fp + 8] the return address, on both
/// architectures.
bool step_by_frame_pointer(unwind_frame& frame, stack_bounds stack) noexcept {
  uintptr_t caller_fp = 0, pc = 0;
  const uintptr_t fp = frame.fp();
  if (!has(frame, unwind_fp) || fp < frame.sp()) return false;
  if (!stack_word(stack, fp, caller_fp) || !stack_word(stack, fp + 8, pc)) return false;
  frame = unwind_frame_at(pc, fp + 16, caller_fp);
  frame.exact = false;
#if defined(__aarch64__)
  // The record lies at the bottom of the frame there: fp + 16 is only a lower bound.
  frame.known &= ~bit(unwind_sp);
#endif
  return true;
}

/// After a call to a bad address nothing of the callee's frame exists: the return address is where
/// the call instruction left it.
bool step_over_bad_call(unwind_frame& frame, stack_bounds stack) noexcept {
#if defined(__x86_64__)
  uintptr_t pc = 0;
  if (!stack_word(stack, frame.sp(), pc)) return false;
  frame.set(unwind_sp, frame.sp() + 8);
#else
  (void)stack;
  if (!has(frame, unwind_ra)) return false;
  const uintptr_t pc = frame.reg[unwind_ra];
#endif
  cfi_row row;
  if (cfi_find(pc - 1, row) == cfi_result::no_code) return false;
  frame.pc = pc;
  frame.exact = false;
  return true;
}

/// Code without a table may be a stub of the linker (mold writes none for its PLT), which has no
/// frame either: then a return address lies where its call has left it, and shows by that call.
bool step_out_of_stub(unwind_frame& frame, stack_bounds stack) noexcept {
#if defined(__x86_64__)
  uintptr_t pc = 0;
  cfi_row row;
  if (!stack_word(stack, frame.sp(), pc) || cfi_find(pc - 1, row) != cfi_result::found)
    return false;
  // call rel32 (E8), or call through a register or memory (FF /2) of two to seven bytes.
  const auto* end = reinterpret_cast<const unsigned char*>(pc);
  bool is_call = end[-5] == 0xE8;
  for (int bytes = 2; bytes <= 7; ++bytes)
    is_call = is_call || (end[-bytes] == 0xFF && (end[1 - bytes] >> 3 & 7) == 2);
  return is_call && step_over_bad_call(frame, stack);
#else
  (void)frame;
  (void)stack;
  return false;
#endif
}

}  // namespace

const char* unwind_register_name(unsigned n) noexcept {
#if defined(__x86_64__)
  static constexpr const char* names[unwind_registers] = {"rax", "rdx", "rcx", "rbx", "rsi", "rdi",
                                                          "rbp", "rsp", "r8",  "r9",  "r10", "r11",
                                                          "r12", "r13", "r14", "r15", "rip"};
#else
  static constexpr const char* names[unwind_registers] = {
      "x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",  "x8",  "x9",  "x10",
      "x11", "x12", "x13", "x14", "x15", "x16", "x17", "x18", "x19", "x20", "x21",
      "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", "x30", "sp"};
#endif
  return n < unwind_registers ? names[n] : "?";
}

unwind_frame unwind_frame_at(uintptr_t pc, uintptr_t sp, uintptr_t fp) noexcept {
  unwind_frame frame;
  frame.pc = pc;
  frame.set(unwind_sp, sp);
  frame.set(unwind_fp, fp);
  return frame;
}

unwind_frame unwind_frame_of(const void* context) noexcept {
  const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
  unwind_frame frame;
#if defined(__x86_64__)
  constexpr int from[16] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP,
                            REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
  for (unsigned n = 0; n < 16; ++n) frame.set(n, static_cast<uintptr_t>(machine.gregs[from[n]]));
  frame.pc = static_cast<uintptr_t>(machine.gregs[REG_RIP]);
  frame.set(unwind_ra, frame.pc);  // rows of the PLT ask for it
#else
  for (unsigned n = 0; n < 31; ++n) frame.set(n, machine.regs[n]);
  frame.set(unwind_sp, machine.sp);
  frame.pc = machine.pc;
#endif
  return frame;
}

__attribute__((noinline)) unwind_frame unwind_frame_here() noexcept {
  uintptr_t pc = 0, sp = 0;
#if defined(__x86_64__)
  asm volatile("leaq 0(%%rip), %0\n\tmovq %%rsp, %1" : "=r"(pc), "=r"(sp));
#else
  asm volatile("adr %0, .\n\tmov %1, sp" : "=r"(pc), "=r"(sp));
#endif
  unwind_frame frame =
      unwind_frame_at(pc, sp, reinterpret_cast<uintptr_t>(__builtin_frame_address(0)));
  // This frame is on the stack that it runs on: a page above sp is surely there, or its own.
  (void)unwind_step(frame, {sp, sp + 4096});
  return frame;
}

bool unwind_step(unwind_frame& frame, stack_bounds stack) noexcept {
  const uintptr_t sp = frame.sp();
  const bool first = frame.exact;
  cfi_row row;
  switch (cfi_find(frame.exact ? frame.pc : frame.pc - 1, row)) {
    case cfi_result::found:
      if (row.rule[row.return_register < unwind_registers ? row.return_register : unwind_ra] ==
          cfi_rule::undefined)
        return false;
      // A row may want a register that a step by frame pointer has lost.
      if (!step_by_row(frame, stack, row) && !step_by_frame_pointer(frame, stack)) return false;
      break;
    case cfi_result::no_table:
      if (!(first && step_out_of_stub(frame, stack)) && !step_by_frame_pointer(frame, stack))
        return false;
      break;
    case cfi_result::no_code:
      // Code without a file (generated at run time) keeps frame pointers, if anything.
      if (first ? !step_over_bad_call(frame, stack) && !step_by_frame_pointer(frame, stack)
                : !step_by_frame_pointer(frame, stack))
        return false;
      break;
  }
  // Strictly outwards, or a broken chain would be walked for ever. An interrupted leaf on AArch64
  // has no frame of its own yet, so the first step may stay.
  if (frame.sp() < sp || (frame.sp() == sp && !first)) return false;
  return frame.pc != 0 && frame.sp() <= stack.hi;
}

size_t unwind(const unwind_frame& start, stack_bounds stack, uintptr_t* pcs, size_t max) noexcept {
  if (max == 0) return 0;
  unwind_frame frame = start;
  size_t count = 0;
  pcs[count++] = frame.pc;
  while (count < max && unwind_step(frame, stack)) {
    // An interrupted caller (below a signal frame) is looked up at pc - 1 like all the others.
    pcs[count++] = frame.exact ? frame.pc + 1 : frame.pc;
  }
  return count;
}

}  // namespace weft::rt
