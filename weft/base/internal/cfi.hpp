// SPDX-License-Identifier: Apache-2.0
// Call frame information: the unwind table row that holds at a pc. DWARF 5 §6.4 as .eh_frame
// encodes it (Linux Standard Base, Core, §10.6).
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/unwind.hpp"

namespace weft::rt {

struct cfi_expression {
  const uint8_t* start = nullptr;
  size_t bytes = 0;
};

enum class cfi_rule : uint8_t {
  same,            // not mentioned, or "same value": as in this frame
  undefined,       // cannot be recovered; for the return address: there is no caller
  offset,          // saved at CFA + operand
  val_offset,      // is CFA + operand
  reg,             // is in register `operand`
  expression,      // saved at the address the expression yields
  val_expression,  // is what the expression yields
};

/// How to find the caller's frame.
struct cfi_row {
  unsigned cfa_register = 0;
  int64_t cfa_offset = 0;
  cfi_expression cfa_expression;  // used instead when start is not null
  cfi_rule rule[unwind_registers] = {};
  // An offset, a register, or the address of an expression's length: one meaning for each rule.
  int64_t operand[unwind_registers] = {};
  unsigned return_register = unwind_ra;
  bool signal_frame = false;   // the caller was interrupted, not calling
  bool signed_return = false;  // AArch64: the return address carries an authentication code
};

enum class cfi_result : uint8_t {
  found,
  no_table,  // pc is in a module, but nothing describes it
  no_code,   // pc is in no module
};

/// The row for the instruction at `pc`. Async-signal-safe.
[[nodiscard]] cfi_result cfi_find(uintptr_t pc, cfi_row& row) noexcept;

/// Evaluates an expression over the registers of `frame`; `initial` is pushed first (the CFA) when
/// not null. Memory is read within `stack` only. False: it uses what this evaluator lacks.
[[nodiscard]] bool cfi_evaluate(cfi_expression expression, const unwind_frame& frame,
                                stack_bounds stack, const uintptr_t* initial,
                                uintptr_t& value) noexcept;
/// An expression that lies in memory behind its length (ULEB128), as a row's operand refers to it.
[[nodiscard]] cfi_expression cfi_expression_at(int64_t operand) noexcept;

}  // namespace weft::rt
