// SPDX-License-Identifier: Apache-2.0
// The scavenger: how much goes back, and how fast.
//
// What goes back is memory that was free for a whole period: the least that was free at any time of
// it (take_idle_bytes), less what may stay. So a program that frees and allocates the same memory
// in turn loses none of it: returning memory at free() costs jemalloc and mimalloc 2 nine tenths of
// such a program's time. A tenth of a CPU at most is spent, whole runs first and the longest first.
// Near WEFT_MEMLIMIT everything that is free goes back, without a pause.
#include "weft/heap/internal/background.hpp"

#include <unistd.h>

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
// How often a sleeping thread looks whether it is the last one.
constexpr int64_t look_around_ns = 2'000'000'000;
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

bool too_much(const page_heap_stats& now) noexcept {
  return now.resident_free_bytes > may_stay(now.in_use_bytes);
}

/// Nobody is left but this thread and a main thread that has called pthread_exit(): then the
/// process ends when this one does.
bool left_alone() noexcept {
  if (os::thread_count() > 2) return false;
  int fd = -1;
  const char main_thread = os::thread_state(static_cast<int32_t>(::getpid()), fd);
  os::close_fd(fd);
  return main_thread == 'Z';
}

/// Sleeps until there is more free than may stay. False: the thread is to end.
bool sleep_until_wanted() noexcept {
  state.store(asleep, seq_cst);
  // Say that we sleep, then look, under the lock; partner: give_pages(), which counts under the
  // lock and then looks whether somebody sleeps.
  bool stays = true;
  while (state.load(seq_cst) == asleep && !too_much(page_statistics())) {
    (void)os::futex_wait(state, asleep, look_around_ns);
    if (left_alone()) {
      stays = false;
      break;
    }
  }
  state.store(awake, seq_cst);
  return stays;
}

void background_main(void*) {
  state.store(awake, seq_cst);
  int quiet_rounds = 0;
  int64_t traced = os::monotonic_ns();
  for (;;) {
    heap_drop_cache();  // what this thread allocated at its start was from some P's
    visit_idle_caches();
    const bool busy = scavenge();
    const int64_t trace_ns = int64_t{trace_period_ms.load(relaxed)} * 1'000'000;
    const int64_t now = os::monotonic_ns();
    if (trace_ns != 0 && now - traced >= trace_ns) {
      traced += (now - traced) / trace_ns * trace_ns;
      print_heap_trace();
    }
    quiet_rounds = busy ? 0 : quiet_rounds + 1;
    if (trace_ns == 0 && quiet_rounds > quiet_rounds_max) {
      if (!sleep_until_wanted()) return;
      quiet_rounds = 0;
      continue;
    }
    int64_t nap_ns = period_ns;
    if (trace_ns != 0) {
      const int64_t left = traced + trace_ns - os::monotonic_ns();
      nap_ns = left < 0 ? 0 : left < period_ns ? left : period_ns;
    }
    os::sleep_ns(nap_ns);
    if (left_alone()) return;
  }
}

}  // namespace

atomic<bool> background_wanted{false};

void note_pages(size_t all_pages) noexcept {
  if (all_pages << heap_page_shift <= heap_with_thread_min) return;
  if (state.load(relaxed) == not_started) background_wanted.store(true, relaxed);
}

void wake_background() noexcept {
  uint32_t seen = state.load(seq_cst);
  if (seen == disabled) {
    (void)release_free_pages(may_stay(page_statistics().in_use_bytes));
  } else if (seen == asleep && state.compare_exchange(seen, awake, seq_cst, relaxed)) {
    os::futex_wake(state, 1);
  }
}

bool more_than_may_stay(size_t used_pages, size_t dirty_free_pages) noexcept {
  return dirty_free_pages << heap_page_shift > may_stay(used_pages << heap_page_shift);
}

void start_background() noexcept {
  uint32_t seen = not_started;
  background_wanted.store(false, relaxed);
  if (!state.compare_exchange(seen, starting, relaxed, relaxed)) return;
  // It formats a line at a time into a buffer. The program's signals are for the program's threads,
  // whose stacks its handlers were written for.
  constexpr size_t stack_bytes = 64 * 1024;
  // No thread to be had: whoever frees gives memory back.
  if (os::start_thread(background_main, nullptr, stack_bytes, "weft-heap", false) != 0)
    state.store(disabled, relaxed);
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
  // Not while it starts: who counts one too many believes that nobody else is there.
  const uint32_t now = state.load(relaxed);
  return now == awake || now == asleep ? 1 : 0;
}

}  // namespace weft::rt
