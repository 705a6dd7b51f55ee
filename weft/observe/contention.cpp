// SPDX-License-Identifier: Apache-2.0
// Block, mutex and sched profiles: which events are recorded, and how much each stands for (rules
// of Go's runtime/mprof.go; spec/pprof.md §4).
#include "weft/observe/internal/contention.hpp"

#include <string>

#include "weft/base/os/os.hpp"
#include "weft/observe/internal/run_latencies.hpp"
#include "weft/sched/internal/probes.hpp"
#include "weft/sched/internal/section.hpp"

namespace weft::rt {

namespace {

constinit delay_table blocked_delays;
constinit delay_table unlocked_delays;
constinit delay_table ready_delays;

atomic<int64_t> block_rate_ns{0};
atomic<int> mutex_fraction{0};
atomic<int> sched_fraction{0};

void add_to(atomic<double>& sum, double value) noexcept {
  double now = sum.load(relaxed);
  while (!sum.compare_exchange(now, now + value, relaxed, relaxed)) {
  }
}

/// Whether synchronization is what it waited for: Go's block profile leaves out the network, sleep
/// and what waits for ever by design.
bool is_synchronization(wait_reason why) noexcept {
  switch (why) {
    case wait_reason::select:
    case wait_reason::chan_receive:
    case wait_reason::chan_send:
    case wait_reason::semacquire:
    case wait_reason::cond_wait:
    case wait_reason::mutex_lock:
    case wait_reason::rw_mutex_rlock:
    case wait_reason::rw_mutex_lock:
    case wait_reason::wait_group_wait:
    case wait_reason::join:
    case wait_reason::group_wait:
    case wait_reason::once_wait:
      return true;
    default:
      return false;
  }
}

void on_blocked(wait_reason why, int64_t ns) noexcept {
  const int64_t rate = block_rate_ns.load(relaxed);
  if (rate <= 0 || ns <= 0 || !is_synchronization(why)) return;
  double count = 1;
  double sum = static_cast<double>(ns);
  if (ns < rate) {
    // Recorded with probability ns / rate, and then for rate / ns of its like.
    if (random_u32() * 0x1p-32 * static_cast<double>(rate) >= sum) return;
    count = static_cast<double>(rate) / sum;
    sum = static_cast<double>(rate);
  }
  blocked_delays.add(record_stack_here(), count, sum);
}

bool drawn(int fraction) noexcept {
  return fraction > 0 &&
         (static_cast<uint64_t>(random_u32()) * static_cast<uint64_t>(fraction)) >> 32 == 0;
}

void on_unlocked(int64_t ns) noexcept {
  const int fraction = mutex_fraction.load(relaxed);
  if (ns <= 0 || !drawn(fraction)) return;
  unlocked_delays.add(record_stack_here(), fraction, static_cast<double>(ns) * fraction);
}

/// In the place of a stack: measured for the histogram alone.
constexpr char without_stack = 0;

void* on_made_ready() noexcept {
  if (drawn(sched_fraction.load(relaxed))) return record_stack_here();
  return drawn(latency_fraction) ? const_cast<char*>(&without_stack) : nullptr;
}

void on_ran(void* measured, int64_t ns) noexcept {
  // Both are drawn by lot, and whichever draws more says the more about the same distribution.
  add_run_latency(ns);
  const int fraction = sched_fraction.load(relaxed);
  if (measured != &without_stack) {
    if (fraction > 0)
      ready_delays.add(static_cast<recorded_stack*>(measured), fraction,
                       static_cast<double>(ns) * fraction);
  } else if (fraction == 0 && !run_latencies_wanted()) {
    update_sched_probe();  // the readers have gone
  }
}

profile delays(const char* name, const delay_table& of) {
  profile p;
  p.name = name;
  p.types = {{"contentions", "count"}, {"delay", "nanoseconds"}};
  p.period_type = {"contentions", "count"};
  p.period = 1;
  p.time_ns = os::realtime_ns();
  p.text = text_kind::contention;
  p.hide_inner_runtime = true;
  of.put_into(p);
  return p;
}

}  // namespace

void delay_table::add(recorded_stack* stack, double count, double ns) noexcept {
  size_t at = stack->hash % places;
  for (size_t tried = 0; tried < places; ++tried, at = (at + 1) % places) {
    place& here = table_[at];
    recorded_stack* owner = here.stack.load(relaxed);
    // Stacks last for ever, so their address needs no acquire to be compared.
    if (owner == nullptr && here.stack.compare_exchange(owner, stack, release, relaxed))
      owner = stack;
    if (owner != stack) continue;
    add_to(here.count, count);
    add_to(here.ns, ns);
    return;
  }
  add_to(lost_count_, count);
  add_to(lost_ns_, ns);
}

double delay_table::total_ns() const noexcept {
  double sum = lost_ns_.load(relaxed);
  for (const place& here : table_) sum += here.ns.load(relaxed);
  return sum;
}

void delay_table::put_into(profile& p) const {
  for (const place& here : table_) {
    const recorded_stack* of = here.stack.load(acquire);  // partner: add()
    if (of == nullptr) continue;
    profile_stack stack;
    stack.pcs.assign(of->pcs(), of->pcs() + of->depth);
    if (stack.pcs.empty()) stack.pcs.push_back(pc_none);
    p.add(std::move(stack), {static_cast<int64_t>(here.count.load(relaxed) + 0.5),
                             static_cast<int64_t>(here.ns.load(relaxed) + 0.5)});
  }
  if (lost_count_.load(relaxed) == 0) return;
  profile_stack stack;
  stack.pcs.push_back(pc_lost);
  p.add(std::move(stack), {static_cast<int64_t>(lost_count_.load(relaxed)),
                           static_cast<int64_t>(lost_ns_.load(relaxed))});
}

profile block_profile() { return delays("block", blocked_delays); }

profile mutex_profile() {
  profile p = delays("mutex", unlocked_delays);
  p.text = text_kind::mutex;
  p.sampling_period = mutex_fraction.load(relaxed);
  return p;
}

profile sched_profile() { return delays("sched", ready_delays); }

double mutex_wait_ns() noexcept {
  const double sum = unlocked_delays.total_ns();
  return sum == 0 && mutex_fraction.load(relaxed) == 0 ? -1 : sum;
}

void update_sched_probe() noexcept {
  // Two that come at once could each undo what the other is for: who finds one at it leaves it to
  // that one, who looks again.
  static constinit atomic<uint32_t> asked{0};
  if (asked.fetch_add(1, acq_rel) != 0) return;
  probe_calls.made_ready.store(on_made_ready, release);
  probe_calls.ran.store(on_ran, release);
  uint32_t seen = 0;
  do {
    seen = asked.load(acquire);
    set_probe(probe_sched, sched_fraction.load(relaxed) > 0 || run_latencies_wanted());
  } while (!asked.compare_exchange(seen, 0, acq_rel, relaxed));
}

}  // namespace weft::rt

namespace weft::prof {

using namespace rt;

int64_t set_block_rate(int64_t ns) noexcept {
  prepare_recorded_stacks();
  probe_calls.blocked.store(on_blocked, release);
  const int64_t before = block_rate_ns.exchange(ns > 0 ? ns : 0, relaxed);
  set_probe(probe_block, ns > 0);
  return before;
}

int set_mutex_fraction(int n) noexcept {
  if (n < 0) return mutex_fraction.load(relaxed);
  prepare_recorded_stacks();
  probe_calls.unlocked.store(on_unlocked, release);
  const int before = mutex_fraction.exchange(n, relaxed);
  set_probe(probe_mutex, n > 0);
  return before;
}

int set_sched_fraction(int n) noexcept {
  if (n < 0) return sched_fraction.load(relaxed);
  prepare_recorded_stacks();
  const int before = sched_fraction.exchange(n, relaxed);
  update_sched_probe();
  return before;
}

}  // namespace weft::prof
