// SPDX-License-Identifier: Apache-2.0
// Which goroutines a report prints, and in which order: the failing one, then all others in the
// order of their ids, which is that of their creation. Above `group_above` goroutines
// equal stacks are printed once, so that a hundred thousand take a moment and not a gigabyte.
//
// A dying process's other threads are stopped first, and what they ran is shown as well
// (capture.cpp). In a living one they go on: a running goroutine's stack is not shown, and one that
// wakes up while its stack is read may be shown with a frame that is gone. Reads stay within its
// stack.
#include "weft/sched/internal/report.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "weft/base/arch/arch.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/panic.hpp"
#include "weft/base/symbolize.hpp"
#include "weft/heap/internal/stack.hpp"
#include "weft/sched/dump.hpp"
#include "weft/sched/internal/debug_root.hpp"
#include "weft/sched/internal/run_hooks.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {
namespace {

// A screenful for each of a thousand is what one can still search; Go prints them all.
constexpr uint32_t group_above = 1000;
constexpr size_t groups_max = 2048;
constexpr size_t group_slots = 2 * groups_max;
// Symbolizing takes about 100 bytes of stack for each byte of the longest name it demangles.
constexpr size_t report_stack_bytes = 512 * 1024;

struct report {
  int fd = 2;
  report_of whom = report_of::living;
  traceback_level level = traceback_level::single;
  const goroutine* first = nullptr;
  const unwind_frame* at = nullptr;
  stack_bounds stack;
  bool first_is_g0 = false;
  const goroutine* own_guest = nullptr;  // reports a deadlock that its own wait completes
  bool started = false;  // something was printed: the next goroutine stands off by a blank line

  [[nodiscard]] bool system() const noexcept { return level >= traceback_level::system; }
};

/// Goroutines with the same stack, status and reason.
struct stack_group {
  uint64_t hash;
  const goroutine* example;  // the oldest of them
  uint64_t id;               // its id
  uint64_t count;
};

/// Groups in the order in which they were found (printed by age), behind a hash table of their
/// numbers.
struct group_table {
  size_t count;
  stack_group groups[groups_max];
  uint16_t slots[group_slots];  // number of the group + 1; 0: free
};

bool is_shown(const goroutine_snapshot& g, const report& what) noexcept {
  if (g.cell == what.first || g.id == 0) return false;
  if (g.status == g_status::dead || g.status == g_status::idle) return false;
  return what.system() || (g.flags & flag_system) == 0;
}

void separate(report_writer& out, report& what) noexcept {
  if (what.started) out.put('\n');
  what.started = true;
}

void print_first(report_writer& out, report& what) noexcept {
  if (what.first == nullptr && !what.first_is_g0) return;
  separate(out, what);
  goroutine_snapshot g;
  if (what.first != nullptr) {
    g = take_snapshot(what.first);
    // It may have set its status for a park that it does not live to complete.
    if (g.status != g_status::guest) g.status = g_status::running;
    print_header(out, g, what.system());
  } else if (this_machine() != nullptr) {
    out.put("goroutine 0 [idle]:\n");
  } else {
    out.put("goroutine 0 [running, foreign thread ").put_decimal(os::thread_id()).put("]:\n");
  }
  stack_trace trace;
  collect_trace(*what.at, what.stack, trace);
  print_frames(out, trace, what.system() || what.first_is_g0);
  if (what.first != nullptr) print_creator(out, g);
}

/// A goroutine that is shown: cells are used again, so their order says nothing; that of ids does.
struct shown_goroutine {
  uint64_t id;
  const goroutine* cell;
};
/// One more than are printed one by one, to see that there are more.
struct shown_list {
  uint32_t count = 0;
  shown_goroutine at[group_above + 1];
};

void collect_shown(shown_list& list, const report& what) noexcept {
  const uint32_t cells = goroutine_cells();
  for (uint32_t i = 0; i < cells && list.count <= group_above; ++i) {
    const goroutine_snapshot g = take_snapshot(all_goroutine(i));
    if (is_shown(g, what)) list.at[list.count++] = {g.id, g.cell};
  }
}

void print_each(report_writer& out, report& what, shown_list& list) noexcept {
  std::sort(list.at, list.at + list.count,
            [](const shown_goroutine& a, const shown_goroutine& b) { return a.id < b.id; });
  for (uint32_t i = 0; i < list.count; ++i) {
    const goroutine_snapshot g = take_snapshot(list.at[i].cell);
    if (!is_shown(g, what)) continue;  // a living process: it has ended meanwhile
    separate(out, what);
    print_header(out, g, what.system());
    print_body(out, g, what.system());
  }
}

uint64_t group_hash(const goroutine_snapshot& g) noexcept {
  stack_trace trace;
  uint64_t hash = static_cast<uint64_t>(g.status) * 64 + static_cast<uint64_t>(g.reason);
  if (collect_other(g, trace)) hash ^= trace.hash();
  return hash * 0x9e3779b97f4a7c15ULL ^ g.creation_pc;
}

/// The group of `hash`, made if there is none; null when there are too many.
stack_group* find_group(group_table& table, uint64_t hash) noexcept {
  // Ends: at most half of the slots are taken.
  for (size_t probe = hash % group_slots;; probe = (probe + 1) % group_slots) {
    uint16_t& slot = table.slots[probe];
    if (slot != 0 && table.groups[slot - 1].hash == hash) return &table.groups[slot - 1];
    if (slot != 0) continue;
    if (table.count == groups_max) return nullptr;
    table.groups[table.count] = {hash, nullptr, UINT64_MAX, 0};
    slot = static_cast<uint16_t>(++table.count);
    return &table.groups[table.count - 1];
  }
}

void print_grouped(report_writer& out, report& what, group_table& table) noexcept {
  const uint32_t cells = goroutine_cells();
  uint64_t others = 0;
  for (uint32_t i = 0; i < cells; ++i) {
    const goroutine_snapshot g = take_snapshot(all_goroutine(i));
    if (!is_shown(g, what)) continue;
    stack_group* group = find_group(table, group_hash(g));
    ++(group != nullptr ? group->count : others);
    if (group == nullptr || g.id >= group->id) continue;
    group->id = g.id;
    group->example = g.cell;
  }
  std::sort(table.groups, table.groups + table.count,
            [](const stack_group& a, const stack_group& b) { return a.id < b.id; });
  for (size_t i = 0; i < table.count; ++i) {
    const goroutine_snapshot g = take_snapshot(table.groups[i].example);
    separate(out, what);
    if (table.groups[i].count > 1)
      out.put_unsigned(table.groups[i].count).put(" goroutines with this stack:\n");
    print_header(out, g, what.system());
    print_body(out, g, what.system());
  }
  if (others > 0) out.put('\n').put_unsigned(others).put(" more goroutines with other stacks\n");
}

/// Foreign threads that wait in the runtime: a deadlock may be their doing.
void print_guests(report_writer& out, report& what) noexcept {
  for (const machine* mp = sched.all_machines.load(acquire); mp != nullptr; mp = mp->all_link) {
    if (!mp->is_guest || &mp->guest_cell == what.first) continue;
    const goroutine_snapshot g = take_snapshot(&mp->guest_cell);
    if (g.status != g_status::waiting) continue;
    separate(out, what);
    print_header(out, g, what.system());
    stack_trace own;
    if (g.cell == what.own_guest) collect_trace(*what.at, what.stack, own);
    const stack_trace* trace = g.cell == what.own_guest ? &own : captured_thread(mp);
    if (trace != nullptr)
      print_frames(out, *trace, what.system());
    else
      out.put("\tstack unavailable\n");
  }
}

bool is_waiting_guest(const goroutine& gp) noexcept {
  return (gp.flags & flag_guest) != 0 && gp.get_status() == g_status::waiting;
}

void write_report(void* argument) noexcept {
  report& what = *static_cast<report*>(argument);
  report_writer out(what.fd);
  if (what.whom == report_of::dying && what.level >= traceback_level::all) {
    // The first symbol makes libbacktrace ask the loader, whose lock a stopped thread may hold.
    const auto ignore = [](void*, const source_frame&) noexcept {};
    symbolize(reinterpret_cast<uintptr_t>(&write_report), ignore, nullptr);
    capture_threads();
  }
  if (what.first != nullptr && what.level >= traceback_level::all && is_waiting_guest(*what.first))
    what.own_guest = std::exchange(what.first, nullptr);
  print_first(out, what);
  if (what.level < traceback_level::all) return;
  shown_list list;
  collect_shown(list, what);
  // Fresh pages are zero, which is an empty table.
  void* memory = list.count > group_above ? os::reserve_writable(sizeof(group_table)) : nullptr;
  if (memory != nullptr) {
    print_grouped(out, what, *static_cast<group_table*>(memory));
    os::release(memory, sizeof(group_table));
  } else {
    print_each(out, what, list);
  }
  print_guests(out, what);
}

/// The goroutine that this thread runs; null on g0, a guest without one, or a thread of others.
const goroutine* running_here() noexcept {
  const machine* mp = this_machine();
  return mp != nullptr ? mp->cur.load(relaxed) : nullptr;
}

/// base's hook: what follows "panic:" and "fatal error:".
void dump_for_death(int fd, bool fatal_throw, void* context) noexcept {
  arm_report_watchdog();
  sim_note_death(fd);
  traceback_level level = current_traceback();
  // As in Go: fatal errors show every goroutine, broken invariants the runtime's frames too.
  if (fatal_throw && level < traceback_level::all) level = traceback_level::all;
  if (dying_of_bug() && level < traceback_level::system) level = traceback_level::system;
  write_goroutines(fd, report_of::dying, level, running_here(), context);
  tell_run_hooks_of_death();
}

struct stack_call {
  void (*function)(void*) noexcept;
  void* argument;
  uintptr_t back;  // saved stack pointer of on_report_stack()
};

/// First and only function of a report stack. on_report_stack() hands its argument over as the
/// frame pointer, which the prologue saves where frame pointers point.
__attribute__((noinline)) void report_stack_entry() noexcept {
  auto* call = *static_cast<stack_call**>(__builtin_frame_address(0));
  call->function(call->argument);
  uintptr_t unused = 0;
  arch::switch_stacks(&unused, call->back);
}

}  // namespace

__attribute__((noinline)) void on_report_stack(void (*function)(void*) noexcept,
                                               void* argument) noexcept {
  void* memory = os::reserve_writable(report_stack_bytes);
  if (memory == nullptr) return function(argument);
  stack_call call{function, argument, 0};
  const uintptr_t top = reinterpret_cast<uintptr_t>(memory) + report_stack_bytes;
  const uintptr_t sp = top - arch::call_bytes - sizeof(arch::saved_frame);
  *reinterpret_cast<arch::saved_frame*>(sp) = {reinterpret_cast<uintptr_t>(&report_stack_entry),
                                               reinterpret_cast<uintptr_t>(&call)};
  arch::switch_stacks(&call.back, sp);
  // Frames that were left by a switch are still marked, and the next mapping may lie here.
  sanitizer::unpoison(reinterpret_cast<uintptr_t>(memory), report_stack_bytes);
  os::release(memory, report_stack_bytes);
}

void write_goroutines_from(int fd, report_of whom, traceback_level level, const goroutine* first,
                           const unwind_frame& at, bool first_is_g0) noexcept {
  report what;
  what.fd = fd;
  what.whom = whom;
  what.level = level;
  what.first = first;
  what.at = &at;
  what.stack = bounds_of(at.sp());
  what.first_is_g0 = first_is_g0;
  if (whom == report_of::dying) os::lift_limits();
  on_report_stack(write_report, &what);
}

__attribute__((noinline)) void write_goroutines(int fd, report_of whom, traceback_level level,
                                                const goroutine* first, void* ucontext) noexcept {
  const unwind_frame at = ucontext != nullptr ? unwind_frame_of(ucontext) : unwind_frame_here();
  write_goroutines_from(fd, whom, level, first, at, false);
}

void install_reports() noexcept {
  publish_debug_root();
  set_goroutine_dump(dump_for_death);
  install_signal_handlers();
  watch_locks();
}

}  // namespace weft::rt

namespace weft {

std::string goroutine_dump(bool all) {
  using namespace rt;
  const int fd = ::memfd_create("weft-goroutine-dump", MFD_CLOEXEC);
  if (fd < 0) return {};
  write_goroutines(fd, report_of::living, all ? traceback_level::all : traceback_level::single,
                   running_here(), nullptr);
  std::string text;
  const off_t bytes = ::lseek(fd, 0, SEEK_END);
  if (bytes > 0) {
    text.resize(static_cast<size_t>(bytes));
    const ssize_t got = ::pread(fd, text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
  }
  ::close(fd);
  return text;
}

}  // namespace weft
