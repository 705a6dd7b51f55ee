// SPDX-License-Identifier: Apache-2.0
// Buffers, entries, and the step from one generation to the next.
#include <algorithm>
#include <new>
#include <utility>

#include "weft/base/arch/ticks.hpp"
#include "weft/base/panic.hpp"
#include "weft/heap/internal/recorded_stack.hpp"
#include "weft/heap/stats.hpp"
#include "weft/sched/internal/probes.hpp"
#include "weft/sched/internal/trace_window.hpp"

namespace weft::rt {

atomic<uint32_t> trace_generation_number{0};
atomic<uint32_t> trace_first_generation{0};

namespace {

constexpr uint64_t no_thread = ~uint64_t{0};
// A type, a time, and the arguments: ten bytes each at most.
constexpr size_t event_bytes_max = 1 + 10 + 6 * 10;
// Buffers kept for later instead of given back: 4 MiB.
constexpr size_t spare_max = 64;

futex_mutex buffers_lock{lock_rank::leaf};
trace_buffer* spare WEFT_GUARDED_BY(buffers_lock) = nullptr;
size_t spare_count WEFT_GUARDED_BY(buffers_lock) = 0;
/// Table of CPU samples of the two generations, being filled.
trace_buffer* samples[2] WEFT_GUARDED_BY(buffers_lock) = {};
/// Full ones of the two generations, newest first.
trace_buffer* full[2] WEFT_GUARDED_BY(buffers_lock) = {};
atomic<uint64_t> lost_events[2] = {};
/// Buffers of theirs that are full.
atomic<size_t> full_count[2] = {};
size_t full_bytes(uint32_t generation) noexcept {
  return full_count[generation & 1].load(relaxed) * sizeof(trace_buffer);
}

atomic<uint64_t>* entries = nullptr;
/// Of the last generation there was, in any trace.
uint32_t last_generation = 0;

trace_buffer* new_buffer() noexcept {
  {
    kept_lock_scope hold(buffers_lock);
    if (trace_buffer* taken = spare; taken != nullptr) {
      spare = taken->next;
      --spare_count;
      return taken;
    }
  }
  void* memory = os::reserve_writable(sizeof(trace_buffer));
  return memory != nullptr ? new (memory) trace_buffer : nullptr;
}

/// A generation that is larger than this should have ended; one of this size gets no more.
atomic<size_t> bytes_wanted{SIZE_MAX};
atomic<size_t> bytes_max{SIZE_MAX};

void put_full(trace_buffer* batch, uint32_t generation) noexcept {
  full_count[generation & 1].fetch_add(1, relaxed);
  kept_lock_scope hold(buffers_lock);
  batch->next = full[generation & 1];
  full[generation & 1] = batch;
}

uint8_t* put_number(uint8_t* at, uint64_t value) noexcept {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<uint8_t>(value | 0x80);
  *at++ = static_cast<uint8_t>(value);
  return at;
}

uint64_t mark_stack(recorded_stack* stack, uint32_t generation) noexcept {
  const uint64_t number = number_of(stack);
  if (number != 0) stack->traced[generation & 1].store(generation, relaxed);
  return number;
}

bool is_live(const goroutine* gp) noexcept {
  const g_status status = gp->get_status();
  return status == g_status::runnable || status == g_status::running || status == g_status::waiting;
}

}  // namespace

std::string_view trace_reason_text(wait_reason why) noexcept {
  // Go's tools know some by their text (spec §7).
  switch (why) {
    case wait_reason::io_wait:
      return "network";
    case wait_reason::chan_receive_nil:
    case wait_reason::chan_send_nil:
    case wait_reason::select_no_cases:
      return "forever";
    case wait_reason::chan_receive:
      return "chan receive";
    case wait_reason::chan_send:
      return "chan send";
    case wait_reason::select:
      return "select";
    case wait_reason::sleep:
      return "sleep";
    case wait_reason::cond_wait:
      return "sync.(*Cond).Wait";
    case wait_reason::none:
    case wait_reason::count_:
      return "unspecified";
    case wait_reason::preempted:
      return "preempted";
    default:
      return "sync";
  }
}

namespace {

// What one unit of time is. Events come a hundred nanoseconds apart at the least, and a distance of
// up to 127 units takes one byte.
constexpr unsigned tick_shift = 5;
constexpr int64_t unit_ns = 64;

bool by_ticks = false;
uint64_t begun_ticks = 0;
int64_t begun_ns = 0;

void begin_time() noexcept {
  by_ticks = os::ticks_are_time();
  begun_ticks = arch::ticks();
  begun_ns = os::monotonic_ns();
}

/// The ticks' rate is measured from the beginning of the trace, so its error shrinks as their
/// number grows: what is wrong about the present stays within some 100 ns.
void set_clock(trace_generation& of) noexcept {
  of.mono_ns = os::monotonic_ns();
  of.time = trace_now();
  of.wall_ns = os::realtime_ns();
  of.frequency = 1'000'000'000 / unit_ns;
  const int64_t passed = of.mono_ns - begun_ns;
  if (by_ticks && passed > 0)
    of.frequency = static_cast<uint64_t>(
        static_cast<double>(of.time) * 1e9 / static_cast<double>(passed) + 0.5);
  if (of.frequency == 0) of.frequency = 1;
}

}  // namespace

uint64_t trace_now() noexcept {
  // From 1: a reader takes 0 for no time.
  if (by_ticks) return ((arch::ticks() - begun_ticks) >> tick_shift) + 1;
  return static_cast<uint64_t>(os::monotonic_ns() - begun_ns) / unit_ns + 1;
}

namespace {
uint64_t trace_now_after_loads() noexcept {
  if (by_ticks) return ((arch::ticks_after_loads() - begun_ticks) >> tick_shift) + 1;
  return trace_now();
}
}  // namespace

uint32_t trace_generation_now() noexcept { return trace_generation_number.load(relaxed); }
void trace_limit(size_t wanted, size_t max) noexcept {
  bytes_wanted.store(wanted, relaxed);
  bytes_max.store(max, relaxed);
}
size_t trace_bytes_now() noexcept { return full_bytes(trace_generation_number.load(relaxed)); }

void trace_free(trace_buffer* batches) noexcept {
  while (batches != nullptr) {
    trace_buffer* next = batches->next;
    {
      kept_lock_scope hold(buffers_lock);
      if (spare_count < spare_max) {
        batches->next = spare;
        spare = batches;
        ++spare_count;
        batches = nullptr;
      }
    }
    if (batches != nullptr) os::release(batches, sizeof(trace_buffer));
    batches = next;
  }
}

bool trace_prepare() noexcept {
  prepare_recorded_stacks();
  if (entries == nullptr)
    entries = static_cast<atomic<uint64_t>*>(
        os::reserve_writable(size_t{goroutines_max} * sizeof(atomic<uint64_t>)));
  return entries != nullptr;
}

atomic<uint64_t>* trace_entry_of(const goroutine* gp) noexcept {
  return &entries[gp - sched.cells];
}

void trace_window::put_list(trace_event type, const uint64_t* arguments, size_t count) noexcept {
  // Without a P it goes on while the world is stopped: what it found mentioned was mentioned
  // before.
  append(mp_->p != nullptr ? trace_now() : trace_now_after_loads(), type, arguments, count);
}

namespace {

/// Whoever ends the generation may be the first in the global queue, and wait there all the same:
/// goroutines that hand a P to each other are one turn together, ten milliseconds long, and the
/// global queue is looked at each 61st turn. So it is looked at now.
void hurry_writer(machine* mp) noexcept {
  processor* pp = mp->p;
  if (pp == nullptr || mp != this_machine() || trace_bytes_now() <= bytes_wanted.load(relaxed))
    return;
  const uint32_t turns = pp->tick.load(relaxed) + global_check_period - 1;
  pp->tick.store(turns - turns % global_check_period, relaxed);
}

}  // namespace

void trace_window::append(uint64_t now, trace_event type, const uint64_t* arguments,
                          size_t count) noexcept {
  trace_buffer*& slot = mp_->trace_buffers[generation_ & 1];
  // A machine of a thread that has ended is another thread's now.
  const auto thread = static_cast<uint64_t>(mp_->tid);
  if (slot != nullptr &&
      (slot->used + event_bytes_max > trace_buffer::bytes_max || slot->thread != thread)) {
    put_full(slot, generation_);
    slot = nullptr;
    hurry_writer(mp_);
  }
  if (slot == nullptr) {
    slot = full_bytes(generation_) < bytes_max.load(relaxed) ? new_buffer() : nullptr;
    if (slot == nullptr) {
      lost_events[generation_ & 1].fetch_add(1, relaxed);
      return;
    }
    slot->next = nullptr;
    slot->thread = thread;
    slot->base = slot->last = now;
    slot->used = 0;
  }
  uint8_t* const begin = slot->bytes + slot->used;
  uint8_t* at = begin;
  *at++ = static_cast<uint8_t>(type);
  at = put_number(at, now > slot->last ? now - slot->last : 0);
  for (size_t i = 0; i < count; ++i) at = put_number(at, arguments[i]);
  slot->used += static_cast<size_t>(at - begin);
  slot->last = std::max(slot->last, now);
}

uint64_t trace_stack_here(uint32_t generation) noexcept {
  recorded_stack* stack = record_stack_here();
  return mark_stack(stack, generation);
}

uint64_t trace_stack_of(uintptr_t pc, uint32_t generation) noexcept {
  return mark_stack(record_stack(&pc, 1), generation);
}

void trace_cpu_sample(uint64_t time, int32_t thread, uint64_t p, uint64_t g, const uintptr_t* pcs,
                      size_t count) noexcept {
  recorded_stack* stack = record_stack(pcs, count);
  trace_buffer* fresh = new_buffer();
  if (fresh == nullptr) return;
  {
    kept_lock_scope hold(buffers_lock);
    // Under the lock, which collect() takes after the number has changed: what is added to a
    // generation's table is still written with it.
    const uint32_t generation = trace_generation_number.load(acquire);
    if (generation != 0 && time <= trace_now()) {
      trace_buffer*& table = samples[generation & 1];
      if (table != nullptr && table->used + event_bytes_max > trace_buffer::bytes_max) {
        table->next = full[generation & 1];
        full[generation & 1] = table;
        table = nullptr;
      }
      constexpr uint8_t cpu_samples = 6, one_sample = 7;  // section and entry, spec §2
      if (table == nullptr) {
        table = std::exchange(fresh, nullptr);
        table->thread = no_thread;
        table->base = table->last = time;
        table->next = nullptr;
        table->used = 0;
        table->bytes[table->used++] = cpu_samples;
      }
      uint8_t* at = table->bytes + table->used;
      *at++ = one_sample;
      for (const uint64_t value :
           {time, static_cast<uint64_t>(thread), p, g, mark_stack(stack, generation)})
        at = put_number(at, value);
      table->used = static_cast<size_t>(at - table->bytes);
    }
  }
  if (fresh != nullptr) {
    fresh->next = nullptr;
    trace_free(fresh);
  }
}

bool trace_mention(trace_window& w, goroutine* gp, uint64_t thread) noexcept {
  atomic<uint64_t>& word = *trace_entry_of(gp);
  uint64_t seen = word.load(relaxed);
  for (;;) {
    trace_entry e = trace_entry::of(seen);
    if (e.generation == w.generation()) return true;
    const uint32_t first = trace_first_generation.load(relaxed);
    if (e.generation < first || e.state == trace_state::unknown) return false;
    e.generation = w.generation();
    e.sequence = 0;
    const uint64_t time = trace_now();
    if (!word.compare_exchange(seen, e.packed(), relaxed, relaxed)) continue;
    const bool here = e.state == trace_state::running || e.state == trace_state::syscall;
    w.put_status(time, trace_event::go_status, gp->id, here ? thread : no_thread, e.state);
    return true;
  }
}

void trace_mention(trace_window& w, processor* pp) noexcept {
  trace_entry e = trace_entry::of(pp->trace.load(relaxed));
  if (e.generation == w.generation()) return;
  const bool known = e.generation >= trace_first_generation.load(relaxed);
  // The reader's numbers for Ps: 1 running, 2 idle, 3 in a system call.
  uint64_t status = 2;
  if (known && e.state == trace_state::running) status = 1;
  if (known && e.state == trace_state::syscall) status = 3;
  if (!known) e.state = trace_state::unknown;  // made meanwhile: nobody has held it
  pp->trace.store(trace_entry{w.generation(), 0, e.state}.packed(), relaxed);
  w.put(trace_event::proc_status, pp->id, status);
}

namespace {

/// Nobody appends to buffers of before any more.
void wait_for_windows() noexcept {
  os::heavy_fence();  // partner: light_fence() in trace_window
  for (machine* mp = sched.all_machines.load(acquire); mp != nullptr; mp = mp->all_link) {
    const uint32_t seen = mp->trace_seq.load(acquire);
    if (seen % 2 == 0) continue;
    while (mp->trace_seq.load(acquire) == seen) os::yield_thread();
  }
}

trace_generation collect(uint32_t generation) noexcept {
  trace_generation out;
  out.number = generation;
  if (generation == 0) return out;
  set_clock(out);
  for (machine* mp = sched.all_machines.load(acquire); mp != nullptr; mp = mp->all_link) {
    trace_buffer*& slot = mp->trace_buffers[generation & 1];
    if (slot != nullptr) put_full(slot, generation);
    slot = nullptr;
  }
  kept_lock_scope hold(buffers_lock);
  if (trace_buffer* table = std::exchange(samples[generation & 1], nullptr); table != nullptr) {
    table->next = full[generation & 1];
    full[generation & 1] = table;
  }
  // Newest first: turned round, each thread's are in their order.
  while (trace_buffer* batch = full[generation & 1]) {
    full[generation & 1] = batch->next;
    batch->next = out.batches;
    out.batches = batch;
  }
  out.lost = lost_events[generation & 1].exchange(0, relaxed);
  full_count[generation & 1].store(0, relaxed);
  return out;
}

/// The state of a goroutine that the reader knows nothing of yet.
trace_state first_state(const goroutine* gp) noexcept {
  switch (gp->get_status()) {
    case g_status::runnable:
      return trace_state::runnable;
    case g_status::waiting:
      return trace_state::waiting;
    default:
      // It runs without a P: it is announced when it has one again.
      return trace_state::unknown;
  }
}

const machine* thread_running(const goroutine* gp) noexcept {
  for (const machine* mp = sched.all_machines.load(acquire); mp != nullptr; mp = mp->all_link)
    if (mp->cur.load(relaxed) == gp && !mp->is_guest) return mp;
  return nullptr;
}

void write_status(trace_window& w, goroutine* gp, bool first) noexcept {
  if (first && is_live(gp)) {
    atomic<uint64_t>& word = *trace_entry_of(gp);
    uint64_t seen = word.load(relaxed);
    const trace_state state = first_state(gp);
    if (state == trace_state::unknown || trace_entry::of(seen).generation == w.generation()) return;
    const uint64_t time = trace_now();
    if (!word.compare_exchange(seen, trace_entry{w.generation(), 0, state}.packed(), relaxed,
                               relaxed))
      return;
    w.put_status(time, trace_event::go_status, gp->id, no_thread, state);
    return;
  }
  const trace_entry e = trace_entry::of(trace_entry_of(gp)->load(relaxed));
  if (e.state == trace_state::unknown || e.generation < trace_first_generation.load(relaxed))
    return;
  uint64_t thread = no_thread;
  if (e.state == trace_state::syscall) {
    const machine* mp = thread_running(gp);
    if (mp == nullptr) return;  // it is on its way out of the call: its thread mentions it
    thread = static_cast<uint64_t>(mp->tid);
  }
  (void)trace_mention(w, gp, thread);
}

void write_statuses(bool first) noexcept {
  machine* self = this_machine();
  goroutine* own = self->cur.load(relaxed);
  trace_window w(self);
  if (first) {
    // What runs on this thread is known by hand.
    self->p->trace.store(trace_entry{w.generation(), 0, trace_state::running}.packed(), relaxed);
    w.put(trace_event::proc_status, self->p->id, 1);
    trace_entry_of(own)->store(trace_entry{w.generation(), 0, trace_state::running}.packed(),
                               relaxed);
    w.put(trace_event::go_status, own->id, static_cast<uint64_t>(self->tid), 2);
  } else {
    trace_make_running(w, own);
  }
  w.put(trace_event::procs_change, sched.procs.load(relaxed), 0);
  w.put(trace_event::heap_alloc, heap_stats().in_use_bytes);
  for (uint32_t i = 0; i < sched.procs.load(relaxed); ++i) {
    processor* pp = sched.all_p[i];
    if (pp == self->p) continue;
    if (first) pp->trace.store(0, relaxed);
    trace_mention(w, pp);
  }
  const uint32_t cells = goroutine_cells();
  for (uint32_t i = 0; i < cells; ++i)
    if (goroutine* gp = all_goroutine(i); gp != own) write_status(w, gp, first);
}

}  // namespace

bool trace_advance(trace_step step, trace_generation& finished) noexcept {
  if (!stop_the_world(true)) return false;
  const uint32_t before = trace_generation_number.load(relaxed);
  if (step == trace_step::first) begin_time();
  if (step == trace_step::first) trace_first_generation.store(last_generation + 1, relaxed);
  if (step == trace_step::last) {
    trace_generation_number.store(0, relaxed);
    set_probe(probe_trace, false);
  } else {
    trace_generation_number.store(++last_generation, relaxed);
  }
  wait_for_windows();
  finished = collect(before);
  if (step != trace_step::last) {
    write_statuses(step == trace_step::first);
    if (step == trace_step::first) set_probe(probe_trace, true);
  }
  start_the_world(sched.procs.load(relaxed));
  return true;
}

namespace {

/// Newest first: `slots`, then the generation's full ones, then its samples.
WEFT_UNCHECKED trace_buffer* before_full_ones(trace_buffer* slots, uint32_t generation) noexcept {
  trace_buffer** end = &slots;
  while (*end != nullptr) end = &(*end)->next;
  *end = full[generation & 1];
  while (*end != nullptr) end = &(*end)->next;
  *end = samples[generation & 1];
  return slots;
}

}  // namespace

void trace_abandon() noexcept {
  const uint32_t before = trace_generation_number.load(relaxed);
  trace_generation_number.store(0, relaxed);
  set_probe(probe_trace, false);
  wait_for_windows();
  trace_free(collect(before).batches);
}

bool trace_collect_dying(trace_generation& out) noexcept {
  const uint32_t generation = trace_generation_number.load(relaxed);
  if (generation == 0) return false;
  trace_generation_number.store(0, relaxed);
  os::heavy_fence();  // partner: light_fence() in trace_window
  // A thread that was stopped inside its window, as this one may have been, never leaves it.
  constexpr int64_t patience_ns = 20'000'000;
  const int64_t until = os::monotonic_ns() + patience_ns;
  out.number = generation;
  set_clock(out);
  trace_buffer* newest = nullptr;
  for (machine* mp = sched.all_machines.load(acquire); mp != nullptr; mp = mp->all_link) {
    const uint32_t seen = mp->trace_seq.load(acquire);
    while (seen % 2 != 0 && mp->trace_seq.load(acquire) == seen) {
      if (os::monotonic_ns() > until) return false;
      os::yield_thread();
    }
    trace_buffer* slot = mp->trace_buffers[generation & 1];
    if (slot == nullptr) continue;
    slot->next = newest;
    newest = slot;
  }
  // The lock may be held by a thread that was stopped. Nobody who goes on adds to these lists but
  // a sampler, whose table may lose its last entry.
  newest = before_full_ones(newest, generation);
  if (lost_events[generation & 1].load(relaxed) != 0) return false;
  while (newest != nullptr) {
    trace_buffer* older = newest->next;
    newest->next = out.batches;
    out.batches = newest;
    newest = older;
  }
  return true;
}

}  // namespace weft::rt
