// SPDX-License-Identifier: Apache-2.0
// The stacks of goroutines that other threads run, for a report of a dying process: each thread is
// sent a signal, walks its own stack in the handler, and stays there. So the report also shows one
// moment: nothing that answered goes on and wakes others while their stacks are read.
//
//   dying thread                               thread M
//   one capture per machine; sigaction
//   signal with the capture's address    -->   handler: checks that the signal is ours,
//   waits until all have answered,             walks from the interrupted registers,
//   a second at most                     <--   answered += 1; sleeps for ever
//   prints
//
// The signal is the highest realtime one that has its default action when the process dies, so no
// handler of the program's is touched and none is installed while it lives. A thread that blocks
// every signal does not answer and keeps running; its goroutine's stack is "unavailable".
//
// Which goroutine a stack belongs to is told by the stack pointer, never by machine::cur: that word
// changes before the stack does.
//
// Rejected: a handler installed at start (a signal less for the program, for its whole life);
// reading /proc/self/task/TID/syscall (no frame pointer, and nothing for a thread that computes);
// answering and going on (stacks would change while they are printed; Go freezes the world, too).
#include <algorithm>
#include <csignal>

#include "weft/base/os/os.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/base/symbolize.hpp"
#include "weft/heap/internal/stack.hpp"
#include "weft/sched/internal/report.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {
namespace {

// A thread answers within 50 us of running. On a loaded machine it may have to wait for a CPU, 10
// to 100 ms; longer delays the report of a process with a thread that blocks signals.
constexpr int64_t answer_limit_ns = 1'000'000'000;

/// One thread's answer. Written by the dying thread before the signal is sent, then by the thread
/// itself in its handler; read again when `answered` is 1.
struct capture {
  const machine* of = nullptr;
  int32_t tid = 0;
  atomic<uint32_t> answered{0};
  /// Of the goroutine stack that it was on; 0: on another one.
  uintptr_t stack_lo = 0;
  stack_trace trace;
};

/// Written by the dying thread only (capture_threads), but for `answers`.
struct capture_table {
  capture* all = nullptr;  // fresh zero pages, never given back: late answers still write
  uint32_t count = 0;
  /// The answered ones on goroutine stacks, in the order of their stacks.
  capture** by_stack = nullptr;
  uint32_t by_stack_count = 0;
  /// Futex: how many have answered.
  atomic<uint32_t> answers{0};
};
capture_table table;

void on_capture_signal(int, siginfo_t* info, void* context) noexcept {
  auto* own = static_cast<capture*>(info->si_value.sival_ptr);
  // From elsewhere (another process, or meant for the number's last owner): not for us.
  if (info->si_code != SI_QUEUE || own < table.all || own >= table.all + table.count) return;
  if (own->tid != os::thread_id()) return;
  const unwind_frame at = unwind_frame_of(context);
  stack_slot slot;
  own->stack_lo = stack_find(at.sp(), slot) ? slot.lo : 0;
  collect_trace(at, bounds_of(at.sp()), own->trace);
  own->answered.store(1, release);  // partner: answered_with()
  table.answers.fetch_add(1, release);
  os::futex_wake(table.answers, 1);
  while (true) os::sleep_ns(int64_t{3600} * 1'000'000'000);
}

/// A realtime signal that nobody handles, now handled here. 0: there is none.
int claim_signal() noexcept {
  for (int number = SIGRTMAX; number >= SIGRTMIN; --number) {
    struct sigaction now{};
    if (::sigaction(number, nullptr, &now) != 0) continue;
    if ((now.sa_flags & SA_SIGINFO) != 0 || now.sa_handler != SIG_DFL) continue;
    struct sigaction ours{};
    ours.sa_sigaction = on_capture_signal;
    // ONSTACK: the goroutine's stack may be full.
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
    sigfillset(&ours.sa_mask);
    if (::sigaction(number, &ours, nullptr) == 0) return number;
  }
  return 0;
}

bool has_thread(const machine& mp, int32_t self) noexcept {
  return mp.tid != 0 && mp.tid != self && !mp.sim;
}

/// Room for one capture per machine that has a thread. False: there is no memory.
bool make_table(int32_t self) noexcept {
  uint32_t machines = 0;
  const machine* first = sched.all_machines.load(acquire);
  for (const machine* mp = first; mp != nullptr; mp = mp->all_link) ++machines;
  if (machines == 0) return false;
  const size_t each = sizeof(capture) + sizeof(capture*);
  void* memory = os::reserve_writable(machines * each);
  if (memory == nullptr) return false;
  auto* captures = static_cast<capture*>(memory);
  uint32_t count = 0;
  for (const machine* mp = first; mp != nullptr; mp = mp->all_link) {
    if (!has_thread(*mp, self)) continue;
    captures[count].of = mp;
    captures[count++].tid = mp->tid;
  }
  table.by_stack = reinterpret_cast<capture**>(captures + machines);
  table.all = captures;
  table.count = count;
  return true;
}

bool answered_with(const capture& c, bool on_goroutine) noexcept {
  return c.answered.load(acquire) != 0 && (c.stack_lo != 0) == on_goroutine;
}

void wait_for_answers(uint32_t asked) noexcept {
  const int64_t until = os::monotonic_ns() + answer_limit_ns;
  for (;;) {
    const uint32_t answers = table.answers.load(acquire);
    const int64_t left = until - os::monotonic_ns();
    if (answers >= asked || left <= 0) return;
    os::futex_wait(table.answers, answers, left);
  }
}

}  // namespace

void capture_threads() noexcept {
  // ThreadSanitizer keeps a signal back until its thread calls something that it knows.
  if constexpr (sanitizer::thread) return;
  const int32_t self = os::thread_id();
  if (table.all != nullptr || !make_table(self)) return;
  const int number = claim_signal();
  if (number == 0) return;
  uint32_t asked = 0;
  for (uint32_t i = 0; i < table.count; ++i)
    asked += os::signal_thread(table.all[i].tid, number, &table.all[i]);
  wait_for_answers(asked);
  for (uint32_t i = 0; i < table.count; ++i)
    if (answered_with(table.all[i], true)) table.by_stack[table.by_stack_count++] = &table.all[i];
  std::sort(table.by_stack, table.by_stack + table.by_stack_count,
            [](const capture* a, const capture* b) { return a->stack_lo < b->stack_lo; });
}

const stack_trace* captured_on(uintptr_t stack_lo) noexcept {
  capture** end = table.by_stack + table.by_stack_count;
  capture** at = std::lower_bound(table.by_stack, end, stack_lo,
                                  [](const capture* c, uintptr_t lo) { return c->stack_lo < lo; });
  return at != end && (*at)->stack_lo == stack_lo ? &(*at)->trace : nullptr;
}

const stack_trace* captured_thread(const machine* mp) noexcept {
  for (uint32_t i = 0; i < table.count; ++i)
    if (table.all[i].of == mp && answered_with(table.all[i], false)) return &table.all[i].trace;
  return nullptr;
}

}  // namespace weft::rt
