// SPDX-License-Identifier: Apache-2.0
// The debug root itself. The gdb script that reads it travels inside the program.
#include "weft/sched/internal/debug_root.hpp"

#include "weft/base/arch/arch.hpp"
#include "weft/sched/internal/scheduler.hpp"

// gdb/weft_gdb.S.
extern "C" const char weft_gdb_script_name[];

namespace weft::rt {
namespace {

constexpr uint32_t reason_count = static_cast<uint32_t>(wait_reason::count_);
const char* reason_texts[reason_count];

// What readers of version 1 rely on without being told an offset.
static_assert(sizeof(goroutine) == 64);
static_assert(sizeof(wait_reason) == 1 && sizeof(goroutine::flags) == 1);
static_assert(sizeof(machine::is_guest) == 1 && sizeof(machine::tid) == 4);
static_assert(flag_has_exceptions == 1 && flag_system == 2 && flag_main == 4 && flag_guest == 8);
static_assert(flag_unborn == 64);
static_assert(static_cast<int>(g_status::waiting) == 4 && static_cast<int>(g_status::dead) == 6);
static_assert(sizeof(sched.cells_used) == 4 && sizeof(sched.coarse_now) == 8);
static_assert(sizeof(sched.all_machines) == sizeof(void*));

}  // namespace
}  // namespace weft::rt

#define WEFT_OFFSET(type, field) static_cast<uint32_t>(offsetof(weft::rt::type, field))

__attribute__((used)) constinit const weft_debug_root_v1 weft_debug_root = {
    .magic = {'W', 'E', 'F', 'T', 'R', 'O', 'O', 'T'},
    .version = 1,
    .bytes = sizeof(weft_debug_root_v1),
    .cells = &weft::rt::sched.cells,
    .cells_used = &weft::rt::sched.cells_used,
    .cell_bytes = sizeof(weft::rt::goroutine),
    .cell_status = WEFT_OFFSET(goroutine, status),
    .cell_reason = WEFT_OFFSET(goroutine, reason),
    .cell_flags = WEFT_OFFSET(goroutine, flags),
    .cell_sp = WEFT_OFFSET(goroutine, sp),
    .cell_id = WEFT_OFFSET(goroutine, id),
    .cell_since_ns = WEFT_OFFSET(goroutine, since_ns),
    .cell_wait_on = WEFT_OFFSET(goroutine, wait_on),
    .cell_top = WEFT_OFFSET(goroutine, top),
    .top_bytes = sizeof(weft::rt::goroutine_top),
    .top_stack_lo = WEFT_OFFSET(goroutine_top, stack_lo),
    .top_stack_hi = WEFT_OFFSET(goroutine_top, stack_hi),
    .top_entry = WEFT_OFFSET(goroutine_top, entry),
    .top_parent_id = WEFT_OFFSET(goroutine_top, parent_id),
    .top_creation_pc = WEFT_OFFSET(goroutine_top, creation_pc),
    .top_name = WEFT_OFFSET(goroutine_top, name),
    .top_name_bytes = sizeof(weft::rt::goroutine_top::name),
    .frame_pc = WEFT_OFFSET(arch::saved_frame, pc),
    .frame_fp = WEFT_OFFSET(arch::saved_frame, fp),
    .frame_bytes = sizeof(weft::rt::arch::saved_frame),
    .frame_skip = weft::rt::arch::saved_frame_skip,
    .dwarf_pc = weft::rt::arch::dwarf_pc,
    .dwarf_fp = weft::rt::arch::dwarf_fp,
    .dwarf_sp = weft::rt::arch::dwarf_sp,
    .machine_tid = WEFT_OFFSET(machine, tid),
    .entry_pc = &weft_goroutine_entry,
    .wait_reasons = weft::rt::reason_texts,
    .wait_reason_count = weft::rt::reason_count,
    .machine_next = WEFT_OFFSET(machine, all_link),
    .machine_current = WEFT_OFFSET(machine, cur),
    .machine_id = WEFT_OFFSET(machine, id),
    .machine_is_guest = WEFT_OFFSET(machine, is_guest),
    .machine_guest_cell = WEFT_OFFSET(machine, guest_cell),
    .machines = &weft::rt::sched.all_machines,
    .coarse_now_ns = &weft::rt::sched.coarse_now,
    .gdb_script_name = weft_gdb_script_name,
    .births = &weft::rt::sched.births,
    .birth_bytes = sizeof(weft::rt::birth_record),
    .birth_entry = WEFT_OFFSET(birth_record, entry),
    .birth_parent_id = WEFT_OFFSET(birth_record, parent_id),
    .birth_creation_pc = WEFT_OFFSET(birth_record, creation_pc),
};

#undef WEFT_OFFSET

namespace weft::rt {

void publish_debug_root() noexcept {
  for (uint32_t i = 0; i < reason_count; ++i)
    reason_texts[i] = wait_reason_text(static_cast<wait_reason>(i));
}

}  // namespace weft::rt
