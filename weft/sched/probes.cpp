// SPDX-License-Identifier: Apache-2.0
// The slow halves of the probes: measuring times.
//
// A runnable goroutine's `since_ns` and `wait_on` have no meaning of their own, so while
// probe_sched is on they hold when it became ready (negative) and what made_ready() gave. A value
// of a time before the probe was switched on is one that was left behind.
#include "weft/sched/internal/probes.hpp"

#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/internal/trace.hpp"

namespace weft::rt {

watch_word probes;
watch_word thread_probes;
probe_functions probe_calls;

namespace {
atomic<int64_t> sched_probe_since{0};
}

void set_probe(probe_bit bit, bool on) noexcept {
  if (!on) {
    probes.clear(bit);
    return;
  }
  if (bit == probe_sched && (probes.now() & bit) == 0)
    sched_probe_since.store(os::monotonic_ns(), relaxed);
  probes.set(bit);
}

__attribute__((noinline)) void probe_ready(goroutine* gp, uint32_t on, bool is_new) noexcept {
  if (this_machine()->sim) return;
  if ((on & probe_trace) != 0) is_new ? trace_created(gp) : trace_ready(gp);
  if ((on & (probe_mutex | probe_sched)) == 0) return;
  if (const auto tell = probe_calls.unlocked.load(acquire);
      (on & probe_mutex) != 0 && !is_new && tell != nullptr) {
    const wait_reason why = gp->reason;
    if (why == wait_reason::mutex_lock || why == wait_reason::rw_mutex_lock ||
        why == wait_reason::rw_mutex_rlock)
      tell(os::monotonic_ns() - gp->since_ns);
  }
  if ((gp->flags & flag_guest) != 0) return;
  if (is_new) gp->since_ns = 0;
  const auto made = probe_calls.made_ready.load(acquire);
  if ((on & probe_sched) == 0 || made == nullptr) return;
  void* what = made();
  if (what == nullptr) return;
  gp->since_ns = -os::monotonic_ns();
  gp->wait_on = what;
}

__attribute__((noinline)) void probe_execute(goroutine* gp) noexcept {
  const uint32_t on = probes.now();
  if ((on & probe_trace) != 0) trace_execute(gp);
  if ((on & probe_sched) == 0) return;
  const int64_t since = -gp->since_ns;
  if (since <= 0) return;
  gp->since_ns = 0;
  const void* what = gp->wait_on;
  gp->wait_on = nullptr;
  const auto tell = probe_calls.ran.load(acquire);
  if (tell != nullptr && since >= sched_probe_since.load(relaxed))
    tell(const_cast<void*>(what), os::monotonic_ns() - since);
}

}  // namespace weft::rt
