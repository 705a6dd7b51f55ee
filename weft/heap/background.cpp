// SPDX-License-Identifier: Apache-2.0
// The scavenger: how much goes back, and how fast.
//
// What goes back is memory that was free for a whole period: the least that was free at any time of
// it (take_idle_bytes), less what may stay. So a program that frees and allocates the same memory
// in turn loses none of it: returning memory at free() costs jemalloc and mimalloc 2 nine tenths of
// such a program's time. A tenth of a CPU at most is spent, whole runs first and the longest first.
// Near WEFT_MEMLIMIT everything that is free goes back, without a pause.
#include "weft/heap/internal/background.hpp"

#include <csignal>

#include "weft/base/os/os.hpp"
#include "weft/heap/internal/cache_owner.hpp"
#include "weft/heap/internal/heap_trace.hpp"
#include "weft/heap/internal/mcache.hpp"
#include "weft/heap/internal/page_heap.hpp"

namespace weft::rt {

namespace {

// Shorter gives back what the next burst needs, longer keeps what nobody does.
constexpr int64_t period_ns = 200'000'000;
// Periods with nothing to do before the thread sleeps until it is wanted. Idle caches are visited
// in each, and give up their spans in the second.
constexpr int quiet_rounds_max = 5;
// Part of a period that releasing may take.
constexpr int64_t busy_max_ns = period_ns / 10;
// Of the memory limit: from here on everything free goes back.
constexpr size_t pressed_percent = 90;

enum : uint32_t { not_started, starting, awake, asleep, disabled };
atomic<uint32_t> state{not_started};
atomic<int> trace_period_ms{0};

bool pressed(const page_heap_stats& now) noexcept {
  const size_t limit = memory_limit();
  if (limit == SIZE_MAX) return false;
  return now.in_use_bytes + now.resident_free_bytes > limit / 100 * pressed_percent;
}

size_t may_stay(size_t in_use_bytes) noexcept {
  return resident_free_min + in_use_bytes / resident_free_share;
}

/// True if anything went back.
bool scavenge() noexcept {
  const size_t idle = take_idle_bytes();
  const page_heap_stats now = page_statistics();
  size_t keep = may_stay(now.in_use_bytes);
  if (pressed(now)) return release_free_pages(0) != 0;
  if (now.resident_free_bytes <= keep) return false;
  // Of what was idle, the part above what may stay.
  const size_t used_lately =
      now.resident_free_bytes - (idle < now.resident_free_bytes ? idle : now.resident_free_bytes);
  if (used_lately > keep) keep = used_lately;
  const int64_t began = os::monotonic_ns();
  bool any = false;
  while (release_longest_run(keep) != 0) {
    any = true;
    if (os::monotonic_ns() - began > busy_max_ns) break;
  }
  return any;
}

void background_main(void*) {
  int quiet_rounds = 0;
  int64_t traced = os::monotonic_ns();
  for (;;) {
    background_wanted.store(false, relaxed);
    visit_idle_caches();
    const bool busy = scavenge();
    const int64_t trace_ns = int64_t{trace_period_ms.load(relaxed)} * 1'000'000;
    const int64_t now = os::monotonic_ns();
    if (trace_ns != 0 && now - traced >= trace_ns) {
      traced += (now - traced) / trace_ns * trace_ns;
      print_heap_trace();
    }
    quiet_rounds = busy ? 0 : quiet_rounds + 1;
    int64_t nap_ns = period_ns;
    if (trace_ns != 0) {
      const int64_t left = traced + trace_ns - os::monotonic_ns();
      nap_ns = left < 0 ? 0 : left < period_ns ? left : period_ns;
    } else if (quiet_rounds > quiet_rounds_max) {
      nap_ns = -1;
    }
    if (nap_ns >= 0) {
      os::sleep_ns(nap_ns);
      continue;
    }
    // Say that we sleep, then look: partner: note_free_pages(), which sets `wanted` and then looks.
    state.store(asleep, seq_cst);
    if (!background_wanted.load(seq_cst)) os::futex_wait(state, asleep, -1);
    state.store(awake, relaxed);
    quiet_rounds = 0;
  }
}

}  // namespace

atomic<bool> background_wanted{false};

void note_free_pages(size_t used_pages, size_t dirty_free_pages) noexcept {
  if (dirty_free_pages << heap_page_shift <= may_stay(used_pages << heap_page_shift)) return;
  const uint32_t now = state.load(relaxed);
  if (now == awake || background_wanted.load(relaxed)) return;
  background_wanted.store(true, seq_cst);
}

void want_background() noexcept {
  uint32_t seen = state.load(seq_cst);
  if (seen == disabled) {
    background_wanted.store(false, relaxed);
    const page_heap_stats now = page_statistics();
    (void)release_free_pages(may_stay(now.in_use_bytes));
    return;
  }
  if (seen == asleep && state.compare_exchange(seen, awake, seq_cst, relaxed)) {
    os::futex_wake(state, 1);
    return;
  }
  if (seen != not_started || !state.compare_exchange(seen, starting, relaxed, relaxed)) return;
  // It formats a line at a time into a buffer. The program's signals are for the program's threads,
  // whose stacks its handlers were written for.
  constexpr size_t stack_bytes = 64 * 1024;
  sigset_t all, before;
  sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  const int error = os::start_thread(background_main, nullptr, stack_bytes, "weft-heap");
  (void)pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error == 0)
    state.store(awake, relaxed);
  else
    state.store(disabled, relaxed);  // no thread to be had: whoever frees gives memory back
}

void set_heap_trace(int period_ms) noexcept {
  trace_period_ms.store(period_ms, relaxed);
  if (period_ms != 0) background_wanted.store(true, relaxed);
}

void disable_background() noexcept { state.store(disabled, relaxed); }

void background_forgotten() noexcept {
  if (state.load(relaxed) == disabled) return;
  state.store(not_started, relaxed);
  background_wanted.store(trace_period_ms.load(relaxed) != 0, relaxed);
}

int heap_threads() noexcept {
  const uint32_t now = state.load(relaxed);
  return now == not_started || now == disabled ? 0 : 1;
}

}  // namespace weft::rt
