// SPDX-License-Identifier: Apache-2.0
// Which events say what has happened.
#include "weft/base/panic.hpp"
#include "weft/heap/internal/recorded_stack.hpp"
#include "weft/sched/internal/trace_window.hpp"

namespace weft::rt {

namespace {

constexpr uint64_t no_thread = ~uint64_t{0};

uint64_t thread_of(const machine* mp) noexcept { return static_cast<uint64_t>(mp->tid); }

/// Changes an entry that was mentioned in this generation, or lets its state be known for a next.
void set_state(atomic<uint64_t>& word, trace_state state) noexcept {
  trace_entry e = trace_entry::of(word.load(relaxed));
  e.state = state;
  word.store(e.packed(), relaxed);
}

uint64_t next_sequence(atomic<uint64_t>& word) noexcept {
  trace_entry e = trace_entry::of(word.load(relaxed));
  ++e.sequence;
  word.store(e.packed(), relaxed);
  return e.sequence;
}

trace_state state_of(atomic<uint64_t>& word) noexcept {
  return trace_entry::of(word.load(relaxed)).state;
}

/// From here on the reader knows it: a goroutine that begins, runnable.
void announce(trace_window& w, goroutine* gp, uint64_t stack) noexcept {
  const goroutine_top* top = gp->top;
  const void* entry = (gp->flags & flag_unborn) != 0
                          ? reinterpret_cast<const void*>(birth_of(gp).entry)
                          : (top != nullptr ? reinterpret_cast<const void*>(top->entry) : nullptr);
  const uint64_t first =
      entry != nullptr ? trace_stack_of(reinterpret_cast<uintptr_t>(entry) + 1, w.generation()) : 0;
  trace_entry_of(gp)->store(trace_entry{w.generation(), 0, trace_state::runnable}.packed(),
                            relaxed);
  w.put(trace_event::go_create, gp->id, first, stack);
}

void start(trace_window& w, goroutine* gp) noexcept {
  atomic<uint64_t>& word = *trace_entry_of(gp);
  w.put(trace_event::go_start, gp->id, next_sequence(word));
  set_state(word, trace_state::running);
}

/// The thread's goroutine, which is in a system call to the reader, is runnable now. The thread has
/// no P of that call any more.
void end_call_blocked(trace_window& w, goroutine* gp) noexcept {
  if (!trace_mention(w, gp, thread_of(w.of()))) return;
  if (state_of(*trace_entry_of(gp)) != trace_state::syscall) return;
  w.put(trace_event::go_syscall_end_blocked);
  set_state(*trace_entry_of(gp), trace_state::runnable);
}

/// Brings a goroutine that begins to run to the state before that.
void make_runnable(trace_window& w, goroutine* gp) noexcept {
  if (!trace_mention(w, gp, no_thread)) {
    announce(w, gp, 0);
    return;
  }
  atomic<uint64_t>& word = *trace_entry_of(gp);
  if (state_of(word) == trace_state::waiting) {
    w.put(trace_event::go_unblock, gp->id, next_sequence(word), 0);
    set_state(word, trace_state::runnable);
  }
}

/// Not of a thread that takes no part: deterministic mode, a foreign one.
bool takes_part(const machine* mp) noexcept { return !mp->sim && !mp->is_guest; }

}  // namespace

void trace_make_running(trace_window& w, goroutine* gp) noexcept {
  machine* mp = w.of();
  trace_mention(w, mp->p);
  if (mp->trace_in_call) {
    mp->trace_in_call = false;
    if (trace_mention(w, gp, thread_of(mp)) &&
        state_of(*trace_entry_of(gp)) == trace_state::syscall) {
      w.put(trace_event::go_syscall_end);
      set_state(*trace_entry_of(gp), trace_state::running);
      set_state(mp->p->trace, trace_state::running);
    }
  }
  if (trace_mention(w, gp, thread_of(mp)) && state_of(*trace_entry_of(gp)) == trace_state::running)
    return;
  // It began to run unseen.
  make_runnable(w, gp);
  start(w, gp);
}

void trace_park(goroutine* gp, wait_reason why) noexcept {
  machine* mp = this_machine();
  if (!takes_part(mp) || mp->p == nullptr) return;
  trace_window w(mp);
  if (w.recording()) {
    trace_make_running(w, gp);
    w.put(trace_event::go_block, trace_reason + static_cast<uint64_t>(why),
          trace_stack_here(w.generation()));
    set_state(*trace_entry_of(gp), trace_state::waiting);
  }
  gp->status.store(static_cast<uint32_t>(g_status::waiting), release);
}

void trace_stop(goroutine* gp, bool preempted) noexcept {
  machine* mp = this_machine();
  if (!takes_part(mp) || mp->p == nullptr) return;
  trace_window w(mp);
  if (!w.recording()) return;
  trace_make_running(w, gp);
  w.put(trace_event::go_stop, preempted ? trace_stopped_by_preemption : trace_stopped_by_yield,
        trace_stack_here(w.generation()));
  set_state(*trace_entry_of(gp), trace_state::runnable);
}

void trace_execute(goroutine* gp) noexcept {
  machine* mp = this_machine();
  if (!takes_part(mp)) return;
  trace_window w(mp);
  if (w.recording() && mp->p != nullptr) {
    trace_mention(w, mp->p);
    make_runnable(w, gp);
    if (state_of(*trace_entry_of(gp)) == trace_state::runnable) start(w, gp);
  }
  gp->status.store(static_cast<uint32_t>(g_status::running), relaxed);
}

void trace_ready(goroutine* gp) noexcept {
  machine* mp = this_machine();
  if (mp->sim || (gp->flags & flag_guest) != 0) return;
  trace_window w(mp);
  if (w.recording() && trace_mention(w, gp, no_thread) &&
      state_of(*trace_entry_of(gp)) == trace_state::waiting) {
    // On g0 the stack says nothing: timers, the network.
    const bool on_goroutine = mp->cur.load(relaxed) != nullptr;
    w.put(trace_event::go_unblock, gp->id, next_sequence(*trace_entry_of(gp)),
          on_goroutine ? trace_stack_here(w.generation()) : 0);
    set_state(*trace_entry_of(gp), trace_state::runnable);
  }
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
}

void trace_created(goroutine* gp) noexcept {
  machine* mp = this_machine();
  if (mp->sim) return;
  trace_window w(mp);
  if (!w.recording()) return;
  // Its cell may have been another's. Without a P nothing can be created, to the reader: whoever
  // runs it first announces it.
  trace_entry_of(gp)->store(0, relaxed);
  if (mp->p == nullptr) return;
  goroutine* creator = mp->cur.load(relaxed);
  if (creator != nullptr)
    trace_make_running(w, creator);
  else
    trace_mention(w, mp->p);
  announce(w, gp, creator != nullptr ? trace_stack_here(w.generation()) : 0);
}

void trace_ended(goroutine* gp) noexcept {
  machine* mp = this_machine();
  if (!takes_part(mp)) return;
  trace_window w(mp);
  if (w.recording()) {
    if (mp->p != nullptr) {
      trace_make_running(w, gp);
      w.put(trace_event::go_destroy);
    } else if (mp->trace_in_call && trace_mention(w, gp, thread_of(mp)) &&
               state_of(*trace_entry_of(gp)) == trace_state::syscall) {
      w.put(trace_event::go_destroy_syscall);
    }
    trace_entry_of(gp)->store(0, relaxed);
  }
  mp->trace_in_call = false;
  gp->status.store(static_cast<uint32_t>(g_status::dead), relaxed);
}

void trace_acquired(machine* mp, processor* pp) noexcept {
  if (mp->sim) return;
  trace_window w(mp);
  if (!w.recording()) {
    mp->trace_in_call = false;
    return;
  }
  trace_mention(w, pp);
  w.put(trace_event::proc_start, pp->id, next_sequence(pp->trace));
  set_state(pp->trace, trace_state::running);
  // With a goroutine: one that was robbed has found a P.
  goroutine* gp = mp->cur.load(relaxed);
  if (gp == nullptr || mp->is_guest) return;
  if (mp->trace_in_call) end_call_blocked(w, gp);
  mp->trace_in_call = false;
  make_runnable(w, gp);
  if (state_of(*trace_entry_of(gp)) == trace_state::runnable) start(w, gp);
}

void trace_released(machine* mp, processor* pp) noexcept {
  if (mp->sim) return;
  trace_window w(mp);
  if (!w.recording()) return;
  trace_mention(w, pp);
  w.put(trace_event::proc_stop);
  set_state(pp->trace, trace_state::unknown);
}

void trace_robbed(machine* victim, processor* pp) noexcept {
  machine* self = this_machine();
  if (self == nullptr || self->sim) return;
  {
    trace_window w(victim);
    if (!w.recording()) return;
    trace_mention(w, pp);
    goroutine* gp = victim->cur.load(relaxed);
    const bool known = gp != nullptr && trace_mention(w, gp, thread_of(victim));
    const bool in_call = known && state_of(*trace_entry_of(gp)) == trace_state::syscall;
    if (gp != nullptr && !in_call) {
      if (!known || state_of(*trace_entry_of(gp)) != trace_state::running) {
        make_runnable(w, gp);
        start(w, gp);
      }
      w.put(trace_event::go_syscall_begin, next_sequence(pp->trace), 0);
      set_state(*trace_entry_of(gp), trace_state::syscall);
      victim->trace_in_call = true;
    }
  }
  trace_window w(self);
  if (!w.recording()) return;
  w.put(trace_event::proc_steal, pp->id, next_sequence(pp->trace), thread_of(victim));
  set_state(pp->trace, trace_state::unknown);
}

void trace_requeued(machine* mp, goroutine* gp) noexcept {
  if (!takes_part(mp)) return;
  trace_window w(mp);
  if (w.recording() && mp->trace_in_call) end_call_blocked(w, gp);
  mp->trace_in_call = false;
}

void trace_blocking_begins() noexcept {
  machine* mp = this_machine();
  if (!takes_part(mp) || mp->p == nullptr) return;
  trace_window w(mp);
  if (!w.recording()) return;
  goroutine* gp = mp->cur.load(relaxed);
  trace_make_running(w, gp);
  w.put(trace_event::go_syscall_begin, next_sequence(mp->p->trace),
        trace_stack_here(w.generation()));
  set_state(*trace_entry_of(gp), trace_state::syscall);
  set_state(mp->p->trace, trace_state::syscall);
  mp->trace_in_call = true;
}

void trace_blocking_ends() noexcept {
  machine* mp = this_machine();
  // Without a P it is still in its call; regaining one ends it.
  if (!takes_part(mp) || mp->p == nullptr || !mp->trace_in_call) return;
  trace_window w(mp);
  if (w.recording()) trace_make_running(w, mp->cur.load(relaxed));
}

void trace_user_event(trace_event type, uint64_t* arguments, size_t count, bool with_stack,
                      void (*strings)(void* to, uint32_t generation, uint64_t* arguments) noexcept,
                      void* to) noexcept {
  machine* mp = this_machine();
  if (!takes_part(mp) || mp->p == nullptr) return;
  trace_window w(mp);
  if (!w.recording()) return;
  trace_make_running(w, mp->cur.load(relaxed));
  if (strings != nullptr) strings(to, w.generation(), arguments);
  if (with_stack) arguments[count++] = trace_stack_here(w.generation());
  w.put_list(type, arguments, count);
}

}  // namespace weft::rt
