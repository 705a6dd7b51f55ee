// SPDX-License-Identifier: Apache-2.0
// The debug root: one structure that leads tools from outside (gdb, lldb, core readers, eBPF) to
// every goroutine, without debug information and without thread-local variables.
// docs/guide/debug-root.md is its contract.
//
// Rules: `version` grows when the meaning of a field changes; fields are only added at the end,
// and `bytes` says how many there are. Readers check magic and version and ignore what they do not
// know.
#pragma once

#include <cstddef>
#include <cstdint>

#include "weft/base/export.hpp"
#include "weft/sched/internal/goroutine.hpp"
#include "weft/sched/internal/machine.hpp"

extern "C" {

struct weft_debug_root_v1 {
  char magic[8];     // "WEFTROOT"
  uint32_t version;  // 1
  uint32_t bytes;    // size of this structure

  // Cells: `*cells` points to an array of `*cells_used` cells, `cell_bytes` apart.
  const void* cells;       // address of the pointer to the first cell
  const void* cells_used;  // address of a u32: how many were ever used
  uint32_t cell_bytes;
  uint32_t cell_status;    // offsets in a cell, from here on
  uint32_t cell_reason;    // u8, index into wait_reasons
  uint32_t cell_flags;     // u8: 1 exceptions, 2 system, 4 main, 8 guest, 64 unborn
  uint32_t cell_sp;        // saved stack pointer, points to a saved frame
  uint32_t cell_id;        // u64; 0: never used
  uint32_t cell_since_ns;  // i64, CLOCK_MONOTONIC
  uint32_t cell_wait_on;   // address of what it waits on
  uint32_t cell_top;       // address of the rest, or 0

  // The rest of a goroutine, at the top of its stack. Offsets.
  uint32_t top_bytes;
  uint32_t top_stack_lo;
  uint32_t top_stack_hi;
  uint32_t top_entry;
  uint32_t top_parent_id;
  uint32_t top_creation_pc;
  uint32_t top_name;  // zero-terminated
  uint32_t top_name_bytes;

  // A parked goroutine's registers: at its saved sp lie pc and fp; its own stack pointer is
  // sp + frame_skip (sp + frame_bytes while pc == entry_pc: it has not run yet).
  uint32_t frame_pc;
  uint32_t frame_fp;
  uint32_t frame_bytes;
  uint32_t frame_skip;
  uint32_t dwarf_pc;  // DWARF numbers of the registers
  uint32_t dwarf_fp;
  uint32_t dwarf_sp;
  uint32_t machine_tid;  // offsets in a machine, from here on; i32, kernel thread id
  void (*entry_pc)();    // weft_goroutine_entry

  const char* const* wait_reasons;
  uint32_t wait_reason_count;

  // Machines: `*machines` points to the first of a list that only grows.
  uint32_t machine_next;        // address of the next machine, or 0
  uint32_t machine_current;     // address of the cell it runs, or 0
  uint32_t machine_id;          // u32
  uint32_t machine_is_guest;    // u8
  uint32_t machine_guest_cell;  // a guest's own cell lies inside its machine
  const void* machines;         // address of the pointer to the first machine

  const void* coarse_now_ns;    // address of an i64: CLOCK_MONOTONIC as it was read last
  const char* gdb_script_name;  // what .debug_gdb_scripts calls the script

  // A goroutine that has not run yet (cell_flags: 64) has no top. Its sp leads to a frame whose pc
  // is entry_pc; the rest stands in birth record number (cell - *cells) / cell_bytes.
  const void* births;  // address of the pointer to the first birth record, which may be null
  uint32_t birth_bytes;
  uint32_t birth_entry;  // offsets in a birth record, from here on
  uint32_t birth_parent_id;
  uint32_t birth_creation_pc;
};

/// Kept and visible in every build: debuggers find it by name.
extern WEFT_API const weft_debug_root_v1 weft_debug_root;

}  // extern "C"

namespace weft::rt {

/// Fills what is not constant in the root, and keeps it in the program. Once, at start.
void publish_debug_root() noexcept;

}  // namespace weft::rt
