// SPDX-License-Identifier: Apache-2.0
// The classic deadlock of fibers, named: a goroutine that holds a std::mutex waits, another one on
// the same thread locks that mutex, and the thread that would have to go on with the first one
// sleeps. In debug builds every switch away from a goroutine that holds such a lock is told, once
// for each place that locks; WEFT_DEBUG=heldmutex=2 makes it fatal, 0 silent.
#include <unistd.h>

#include "weft/base/held_locks.hpp"
#include "weft/base/panic.hpp"
#include "weft/base/symbolize.hpp"
#include "weft/sched/internal/report.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {
namespace {

constexpr int tell = 1;
constexpr int die = 2;
/// Places told so far; when they are used up, nothing more is told.
constexpr size_t places_max = 256;
atomic<uintptr_t> places[places_max];

bool is_new_place(uintptr_t place) noexcept {
  for (atomic<uintptr_t>& slot : places) {
    uintptr_t seen = slot.load(relaxed);
    if (seen == 0 && slot.compare_exchange(seen, place, relaxed, relaxed)) return true;
    if (seen == place) return false;
  }
  return false;
}

struct caller_printer {
  report_writer& out;
  bool printed = false;
};

/// Prints the first function that is neither the C++ library's nor ours: who called lock().
void on_caller(void* data, const source_frame& at) noexcept {
  auto& self = *static_cast<caller_printer*>(data);
  const bool library = at.function.starts_with("std::") || at.function.starts_with("__gthread") ||
                       at.function.starts_with("pthread_") || at.file.find("/c++/") != at.file.npos;
  if (self.printed || library) return;
  self.printed = true;
  self.out.put(at.function.empty() ? "?" : at.function).put("\n\t");
  if (at.file.empty())
    self.out.put(at.module.empty() ? "?" : at.module);
  else
    self.out.put(at.file).put(':').put_decimal(at.line);
  if (!at.inlined) self.out.put(" +").put_hex(at.offset);
  self.out.put('\n');
}

struct held_report {
  const goroutine* gp;
  const char* what;
  bool ends;
  held_lock held;
};

void print_held(void* argument) noexcept {
  const auto& r = *static_cast<const held_report*>(argument);
  report_writer out(STDERR_FILENO);
  out.put("weft: goroutine ").put_unsigned(r.gp->id).put(' ').put(r.what);
  if (!r.ends && r.gp->get_status() == g_status::waiting)
    out.put(" [").put(wait_reason_text(r.gp->reason)).put(']');
  out.put(" and holds the ");
  out.put(r.held.is_rwlock ? "shared mutex " : "mutex ");
  out.put_hex(reinterpret_cast<uintptr_t>(r.held.lock)).put(", locked by\n");
  caller_printer printer{out};
  for (const uintptr_t caller : r.held.callers)
    if (caller != 0 && !printer.printed) symbolize(caller - 1, on_caller, &printer);
  out.put('\n');
}

uintptr_t stack_end_here() noexcept {
  const machine* mp = this_machine();
  if (mp == nullptr || mp->is_guest) return 0;
  const goroutine* gp = mp->cur.load(relaxed);
  return gp != nullptr ? gp->top->stack_hi : 0;
}

const char* what_happens(const goroutine* gp, bool ends) noexcept {
  if (ends) return "ends";
  return gp->get_status() == g_status::waiting ? "waits" : "yields";
}

}  // namespace

void report_held_locks(const goroutine* gp, bool ends) noexcept {
  const int mode = process_settings().held_mutex;
  const size_t count = held_locks();
  for (size_t n = 0; mode >= tell && n < count; ++n) {
    held_report r{gp, what_happens(gp, ends), ends, held_lock_at(n)};
    if (!is_new_place(r.held.callers[0] ^ r.held.callers[1] << 16 ^ r.held.callers[3] << 32))
      continue;
    on_report_stack(print_held, &r);
    if (mode == die) fatal("a goroutine that waits, yields or ends holds a std::mutex (see above)");
    if (ends) continue;  // nothing of the user's is on its stack any more
    write_goroutines(STDERR_FILENO, report_of::living, traceback_level::single, gp, nullptr);
    os::write_all(STDERR_FILENO, "\n", 1);
  }
  forget_held_locks();
}

void watch_locks() noexcept { watch_held_locks(stack_end_here); }

}  // namespace weft::rt
