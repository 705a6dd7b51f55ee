// SPDX-License-Identifier: Apache-2.0
// What LeakSanitizer cannot see at exit: memory that only goroutines left behind refer to.
//
// It searches globals, thread stacks and its own allocations; stacks, birth records and timer heaps
// are mappings of ours. Registering those would have it read pages that nobody touched, and it
// reads /proc/self/maps once for each region. So one buffer gets every word that may be a pointer,
// right before the check: this handler is registered after the sanitizer's own, hence runs earlier.
#include <cstdlib>

#include "weft/base/sanitizer.hpp"
#include "weft/sched/internal/label_set.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

#if WEFT_ASAN

namespace {

/// Words that may be addresses. Without memory for them it collects none.
class word_collector {
 public:
  explicit word_collector(size_t words_max) noexcept
      : words_(static_cast<uintptr_t*>(os::reserve_writable(words_max * sizeof(uintptr_t)))),
        end_(words_ != nullptr ? words_max : 0) {}

  /// `frames`: the fiber whose fake stack holds frames that these words point to.
  __attribute__((no_sanitize("address"))) void add(uintptr_t lo, uintptr_t hi,
                                                   const sanitizer::fiber* frames) noexcept {
    for (lo = (lo + sizeof(uintptr_t) - 1) & ~(sizeof(uintptr_t) - 1); lo + sizeof(uintptr_t) <= hi;
         lo += sizeof(uintptr_t)) {
      const uintptr_t word = *reinterpret_cast<const uintptr_t*>(lo);
      if (word < os::page_bytes || word >= uintptr_t{1} << 47) continue;
      if (count_ < end_) words_[count_++] = word;
      uintptr_t frame_lo = 0;
      uintptr_t frame_hi = 0;
      if (frames != nullptr && frames->frame_of(word, frame_lo, frame_hi) &&
          frame_lo != last_frame_) {
        last_frame_ = frame_lo;
        add(frame_lo, frame_hi, nullptr);
      }
    }
  }

  void add(const void* object) noexcept {
    if (count_ < end_) words_[count_++] = reinterpret_cast<uintptr_t>(object);
  }

  void publish() const noexcept { sanitizer::leak_root(words_, count_ * sizeof(uintptr_t)); }

 private:
  uintptr_t* words_;
  size_t end_;
  size_t count_ = 0;
  uintptr_t last_frame_ = 0;
};

/// Between runs nothing moves. A process that exits during one may be told of a leak that is none:
/// of what a goroutine took over between this and the check.
void collect_leak_roots() {
  constexpr size_t words_max = size_t{1} << 32;  // reserved, not touched
  word_collector words(words_max);
  const uint32_t used = sched.cells_used.load(acquire);
  for (uint32_t i = 0; i < used; ++i) {
    const goroutine& g = sched.cells[i];
    const g_status status = g.get_status();
    // One that runs (in a blocking call, say) has its stack searched as its thread's.
    const bool parked = status == g_status::runnable || status == g_status::waiting;
    if (!parked && status != g_status::running) continue;
    // Where the closure is for the goroutine's whole life, unless it had its stack at once.
    const uintptr_t record =
        sched.births != nullptr ? reinterpret_cast<uintptr_t>(&birth_of(&g).closure) : 0;
    const bool unborn = (g.flags & flag_unborn) != 0;
    if (record != 0 &&
        (unborn || (g.top != nullptr && reinterpret_cast<uintptr_t>(g.top->closure) == record)))
      words.add(record, record + birth_closure_bytes, nullptr);
    if (label_set* labels = labels_of(&g); labels != nullptr) words.add(labels);
    if (parked && !unborn && g.top != nullptr && g.sp >= g.top->stack_lo && g.sp < g.top->stack_hi)
      words.add(g.sp, g.top->stack_hi, &g.top->fiber);
  }
  for (const processor* pp : sched.all_p) {
    if (pp == nullptr) continue;
    const auto entries = reinterpret_cast<uintptr_t>(pp->timers.entries);
    words.add(entries, entries + pp->timers.count * sizeof(timer_heap::entry), nullptr);
  }
  words.publish();
}

}  // namespace

void watch_leaks() noexcept { (void)std::atexit(collect_leak_roots); }

#else

void watch_leaks() noexcept {}

#endif

}  // namespace weft::rt
