// SPDX-License-Identifier: Apache-2.0
// The handler, the rings, and the thread that empties them.
#include "weft/observe/internal/cpu_sampler.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "weft/base/futex_mutex.hpp"
#include "weft/base/os/os.hpp"
#include "weft/base/os/sampling.hpp"
#include "weft/base/unwind.hpp"
#include "weft/heap/internal/stack.hpp"
#include "weft/sched/internal/label_set.hpp"
#include "weft/sched/internal/machine.hpp"
#include "weft/sched/internal/probes.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/internal/trace.hpp"
#include "weft/sync/mutex.hpp"

namespace weft::rt {

namespace {

// Above it timers on the kernel's tick lose (CONFIG_HZ is 250 on most systems).
constexpr int timer_hz_max = 250;
// Rings hold this much of a thread's samples of full depth; the collector comes five times as
// often.
constexpr int64_t ring_ns = 500'000'000;
constexpr int64_t collect_ns = 100'000'000;
constexpr size_t ring_words_min = 4096;
constexpr size_t ring_words_max = 1 << 20;
constexpr size_t record_head_words = 5;
constexpr size_t record_words_max = cpu_frames_max + record_head_words;
// Threads sampled at once; others are counted as lost time nobody took.
constexpr size_t sampled_threads_max = 16384;
// System V ABI for AMD64 §3.2.2: below the stack pointer, and signals leave it alone.
constexpr uintptr_t red_zone_bytes = 128;
constexpr size_t collector_stack_bytes = size_t{256} * 1024;

/// A record: | frames: 16, periods: 48 | labels | time of the trace, or 0 | goroutine | P | pcs...
/// |
struct sampled_thread {
  int32_t tid = 0;
  os::sampling_clock clock;
  uint64_t* ring = nullptr;
  size_t mask = 0;
  /// Words written; the handler on its thread.
  atomic<uint64_t> head{0};
  /// Words read; the collector.
  atomic<uint64_t> tail{0};
  atomic<uint64_t> lost{0};  // periods; the handler
  uint64_t lost_counted = 0;
  int64_t period_ns = 0;
  /// CPU time that the samples so far stand for; the handler's, with perf events.
  int64_t told_ns = 0;
  /// The ring is there. The collector writes it; the handler reads it, in between saying that it is
  /// at work. As P and retaker: own word, fence, the other's word.
  atomic<uint32_t> active{0};
  atomic<uint32_t> in_handler{0};
  bool seen = false;  // in the present look at /proc
};

/// Room for all threads that are ever sampled: the handler checks addresses against it, since
/// anybody may send SIGPROF.
struct thread_room {
  sampled_thread* first = nullptr;
  atomic<size_t> used{0};
} room;

/// Threads by the descriptor of their perf event.
constexpr int event_fds_max = 65536;
atomic<sampled_thread*>* by_event_fd = nullptr;

struct sigaction handler_before;
bool handler_installed = false;

sampled_thread* thread_of(const siginfo_t& info) noexcept {
  if (info.si_code == SI_TIMER) {
    auto* t = static_cast<sampled_thread*>(info.si_value.sival_ptr);
    const auto at = reinterpret_cast<uintptr_t>(t) - reinterpret_cast<uintptr_t>(room.first);
    if (at >= room.used.load(acquire) * sizeof(sampled_thread) || at % sizeof(sampled_thread) != 0)
      return nullptr;
    return t;
  }
  if (info.si_code <= 0 || by_event_fd == nullptr) return nullptr;
  const int fd = info.si_fd;
  return fd >= 0 && fd < event_fds_max ? by_event_fd[fd].load(acquire) : nullptr;
}

/// What is known of whom a sample is of.
struct sampled_place {
  label_set* labels = nullptr;
  uint64_t trace_time = 0;  // 0: nobody traces
  uint64_t goroutine = 0;   // its id; 0: none
  uint64_t p = ~uint64_t{0};
};

/// Of the goroutine whose stack begins at `stack_lo`, or of a guest (0).
sampled_place place_here(uintptr_t stack_lo) noexcept {
  sampled_place place;
  if ((probes.now() & probe_trace) != 0) place.trace_time = trace_now();
  const machine* mp = this_machine();
  if (mp == nullptr) return place;
  const uintptr_t grant = mp->grant.load(relaxed);
  if (grant > grant_slow_max) place.p = reinterpret_cast<const processor*>(grant)->id;
  const goroutine* gp = mp->cur.load(relaxed);
  if (gp == nullptr || gp->top == nullptr || gp->top->stack_lo != stack_lo) return place;
  place.labels = labels_of(gp);
  place.goroutine = gp->id;
  return place;
}

void append(sampled_thread& t, uint64_t periods, const sampled_place& place, const uintptr_t* pcs,
            size_t count) noexcept {
  const uint64_t head = t.head.load(relaxed);
  // acquire: the collector has read what is overwritten; partner: its store.
  if (head + count + record_head_words - t.tail.load(acquire) > t.mask + 1) {
    t.lost.store(t.lost.load(relaxed) + periods, relaxed);
    return;
  }
  uint64_t at = head;
  t.ring[at++ & t.mask] = count | periods << 16;
  for (const uint64_t word : {uint64_t{reinterpret_cast<uintptr_t>(place.labels)}, place.trace_time,
                              place.goroutine, place.p})
    t.ring[at++ & t.mask] = word;
  for (size_t i = 0; i < count; ++i) t.ring[at++ & t.mask] = pcs[i];
  t.head.store(at, release);  // partner: drain()
}

/// How many periods a signal stands for. Timers say it; perf events leave out those that passed
/// while the machine did something else, so what they have counted is asked for.
uint64_t periods_since(sampled_thread& t, const siginfo_t& info) noexcept {
  if (info.si_code == SI_TIMER) return 1 + static_cast<uint64_t>(std::max(info.si_overrun, 0));
  const int64_t counted = os::event_time_ns(info.si_fd);
  if (counted < 0) return 1;
  const int64_t periods = (counted - t.told_ns + t.period_ns / 2) / t.period_ns;
  if (periods <= 0) return 0;
  t.told_ns += periods * t.period_ns;
  return static_cast<uint64_t>(periods);
}

void append_sample(sampled_thread& t, const siginfo_t& info, const void* context) noexcept {
  const uint64_t periods = periods_since(t, info);
  if (periods == 0) return;
  const unwind_frame at = unwind_frame_of(context);
  stack_slot slot;
  stack_bounds bounds;
  if (stack_find(at.sp(), slot))
    bounds = {slot.lo, slot.hi};
  else
    bounds = stack_around(at.sp());
  // In an epilogue the caller's frame pointer has been popped, and its row still says where from.
  if (slot.lo == 0) bounds.lo -= red_zone_bytes;
  uintptr_t pcs[cpu_frames_max];
  const size_t count = unwind_quick(at, bounds, pcs, cpu_frames_max);
  append(t, periods, place_here(slot.lo), pcs, count);
}

void take_sample(sampled_thread* t, const siginfo_t& info, const void* context) noexcept {
  // One that was sent to another thread, by a clock that has outlived its thread.
  if (t->tid != os::thread_id()) return;
  t->in_handler.store(1, relaxed);
  os::light_fence();  // partner: heavy_fence() in retire_ring()
  if (t->active.load(acquire) != 0) append_sample(*t, info, context);
  t->in_handler.store(0, release);
}

void on_sigprof(int number, siginfo_t* info, void* context) noexcept {
  const int saved = errno;
  if (sampled_thread* t = thread_of(*info); t != nullptr)
    take_sample(t, *info, context);
  else if ((handler_before.sa_flags & SA_SIGINFO) != 0 && handler_before.sa_sigaction != nullptr)
    handler_before.sa_sigaction(number, info, context);
  else if (handler_before.sa_handler != SIG_DFL && handler_before.sa_handler != SIG_IGN)
    handler_before.sa_handler(number);
  errno = saved;
}

// --- the collector -------------------------------------------------------------------------------

struct sample_key {
  label_set* labels;
  std::vector<uintptr_t> pcs;
  bool operator==(const sample_key&) const = default;
};
struct sample_hash {
  size_t operator()(const sample_key& key) const noexcept {
    uint64_t h = reinterpret_cast<uintptr_t>(key.labels);
    for (const uintptr_t pc : key.pcs) h = (h ^ pc) * 0xBF58476D1CE4E5B9u + (h >> 29);
    return h;
  }
};

constexpr uint32_t go_on = 0, look = 1, stop_now = 2;

class sampler {
 public:
  result<void> start(int rate_hz);
  result<cpu_samples> stop();

 private:
  static void on_new_thread() noexcept;
  static void collector_main(void* self) { static_cast<sampler*>(self)->collect(); }
  void collect();
  void look_for_threads();
  void add_thread(int32_t tid);
  void end_thread(sampled_thread& t) noexcept;
  void drain(sampled_thread& t);
  void drain_all();

  mutex lock_;  // start and stop
  bool on_ = false;
  bool by_perf_ = false;
  int64_t period_ns_ = 0;
  int64_t begun_mono_ns_ = 0, begun_cpu_ns_ = 0;
  cpu_samples result_;
  // The collector's, between start and its end.
  std::unordered_map<int32_t, sampled_thread*> threads_;
  std::vector<sampled_thread*> free_;
  std::unordered_map<sample_key, int64_t, sample_hash> counts_;
  int64_t lost_ = 0;
  size_t ring_words_ = 0;
  /// Futex of the collector: go_on, look (for new threads), stop.
  atomic<uint32_t> asked_{go_on};
  atomic<uint32_t> ended_{0};
};

/// Never destroyed: the collector may run while the process ends.
sampler& the_sampler() {
  static auto* made = new sampler;
  return *made;
}

error system_error(const char* what, int number) {
  return error(std::error_code(number, std::generic_category()), std::string("prof: ") + what);
}

result<void> install_handler() {
  struct sigaction now{};
  ::sigaction(SIGPROF, nullptr, &now);
  if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == on_sigprof) return {};
  struct sigaction ours{};
  ours.sa_sigaction = on_sigprof;
  // ONSTACK: goroutines' stacks may be small. RESTART: nobody shall see EINTR because of it.
  ours.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigemptyset(&ours.sa_mask);
  handler_before = now;
  if (::sigaction(SIGPROF, &ours, nullptr) != 0) return fail(system_error("sigaction", errno));
  handler_installed = true;
  return {};
}

result<void> sampler::start(int rate_hz) {
  const std::lock_guard<mutex> held(lock_);
  if (on_) return fail(prof::already_profiling);
  if (room.first == nullptr) {
    room.first = static_cast<sampled_thread*>(
        os::reserve_writable(sampled_threads_max * sizeof(sampled_thread)));
    by_event_fd = static_cast<atomic<sampled_thread*>*>(
        os::reserve_writable(event_fds_max * sizeof(atomic<sampled_thread*>)));
    if (room.first == nullptr || by_event_fd == nullptr)
      return fail(system_error("no address space (ulimit -v?)", ENOMEM));
  }
  if (result<void> installed = install_handler(); !installed) return installed;
  period_ns_ = 1'000'000'000 / rate_hz;
  by_perf_ = rate_hz > timer_hz_max && os::perf_sampling_allowed();
  size_t words = ring_words_min;
  while (words < ring_words_max &&
         words < static_cast<size_t>(ring_ns / period_ns_) * record_words_max)
    words *= 2;
  ring_words_ = words;
  result_ = {};
  counts_.clear();
  lost_ = 0;
  asked_.store(go_on, relaxed);
  ended_.store(0, relaxed);
  begin_reading_labels();
  result_.begun_ns = os::realtime_ns();
  begun_mono_ns_ = os::monotonic_ns();
  begun_cpu_ns_ = os::process_cpu_ns();
  probe_calls.thread_begins.store(on_new_thread, release);
  thread_probes.set(1);
  look_for_threads();
  const int error =
      os::start_thread(collector_main, this, collector_stack_bytes, "weft-prof", true);
  if (error != 0) {
    thread_probes.clear(1);
    for (auto& [tid, t] : threads_) end_thread(*t);
    threads_.clear();
    end_reading_labels();
    return fail(system_error("no thread", error));
  }
  // It wakes nobody: a deadlock is one while it looks on.
  sched.quiet_threads.fetch_add(1, relaxed);
  on_ = true;
  return {};
}

result<cpu_samples> sampler::stop() {
  const std::lock_guard<mutex> held(lock_);
  if (!on_) return fail(prof::not_profiling);
  thread_probes.clear(1);
  asked_.store(stop_now, release);
  os::futex_wake(asked_, 1);
  while (ended_.load(acquire) == 0) os::futex_wait(ended_, 0, -1);
  sched.quiet_threads.fetch_sub(1, relaxed);
  on_ = false;
  result_.duration_ns = os::monotonic_ns() - begun_mono_ns_;
  result_.cpu_ns = os::process_cpu_ns() - begun_cpu_ns_;
  result_.period_ns = period_ns_;
  result_.by_perf = by_perf_;
  result_.lost = lost_;
  for (auto& [key, count] : counts_) result_.all.push_back({count, key.labels, key.pcs});
  counts_.clear();
  return std::move(result_);
}

void sampler::collect() {
  int64_t next_look = os::monotonic_ns() + 5 * collect_ns;
  for (;;) {
    os::futex_wait(asked_, go_on, collect_ns);
    uint32_t asked = look;
    // A stop that comes between stays.
    (void)asked_.compare_exchange(asked, go_on, acq_rel, acquire);
    if (asked == stop_now) break;
    drain_all();
    if (const int64_t now = os::monotonic_ns(); asked == look || now >= next_look) {
      next_look = now + 5 * collect_ns;
      look_for_threads();
    }
  }
  for (auto& [tid, t] : threads_) os::stop_sampling(t->clock);
  drain_all();
  for (auto& [tid, t] : threads_) end_thread(*t);
  threads_.clear();
  ended_.store(1, release);
  os::futex_wake(ended_, 1);
}

void sampler::on_new_thread() noexcept {
  atomic<uint32_t>& asked = the_sampler().asked_;
  uint32_t expected = go_on;
  if (asked.compare_exchange(expected, look, acq_rel, relaxed)) os::futex_wake(asked, 1);
}

void sampler::look_for_threads() {
  for (auto& [tid, t] : threads_) t->seen = false;
  os::for_each_thread([](void* self, int32_t tid) { static_cast<sampler*>(self)->add_thread(tid); },
                      this);
  for (auto at = threads_.begin(); at != threads_.end();) {
    sampled_thread* t = at->second;
    if (t->seen) {
      ++at;
      continue;
    }
    os::stop_sampling(t->clock);
    drain(*t);
    end_thread(*t);
    at = threads_.erase(at);
  }
}

void sampler::add_thread(int32_t tid) {
  if (const auto known = threads_.find(tid); known != threads_.end()) {
    known->second->seen = true;
    return;
  }
  sampled_thread* t = nullptr;
  if (!free_.empty()) {
    t = free_.back();
    free_.pop_back();
  } else if (const size_t used = room.used.load(relaxed); used < sampled_threads_max) {
    t = new (room.first + used) sampled_thread;
    room.used.store(used + 1, release);  // partner: thread_of()
  } else {
    return;
  }
  t->ring = static_cast<uint64_t*>(os::reserve_writable(ring_words_ * sizeof(uint64_t)));
  t->mask = ring_words_ - 1;
  t->head.store(0, relaxed);
  t->tail.store(0, relaxed);
  t->lost.store(0, relaxed);
  t->lost_counted = 0;
  t->period_ns = period_ns_;
  t->told_ns = 0;
  t->tid = tid;
  t->seen = true;
  if (t->ring == nullptr) {
    end_thread(*t);
    return;
  }
  t->active.store(1, release);  // partner: take_sample()
  if (os::start_sampling(t->clock, tid, period_ns_, SIGPROF, t, by_perf_) != 0) {
    end_thread(*t);
    return;
  }
  if (by_perf_ && t->clock.event_fd < event_fds_max)
    by_event_fd[t->clock.event_fd].store(t, release);  // partner: thread_of()
  threads_.emplace(tid, t);
}

/// A signal of its clock may be on its way still, or its handler at work.
void retire_ring(sampled_thread& t) noexcept {
  t.active.store(0, relaxed);
  os::heavy_fence();  // partner: light_fence() in take_sample()
  while (t.in_handler.load(acquire) != 0) os::yield_thread();
}

void sampler::end_thread(sampled_thread& t) noexcept {
  if (t.clock.event_fd >= 0 && t.clock.event_fd < event_fds_max)
    by_event_fd[t.clock.event_fd].store(nullptr, relaxed);
  os::stop_sampling(t.clock);
  retire_ring(t);
  t.tid = 0;
  if (t.ring != nullptr) os::release(t.ring, ring_words_ * sizeof(uint64_t));
  t.ring = nullptr;
  free_.push_back(&t);
}

void sampler::drain(sampled_thread& t) {
  uint64_t at = t.tail.load(relaxed);
  const uint64_t head = t.head.load(acquire);  // partner: append()
  sample_key key{nullptr, {}};
  while (at != head) {
    const uint64_t first = t.ring[at++ & t.mask];
    const size_t count = first & 0xffff;
    key.labels = reinterpret_cast<label_set*>(t.ring[at++ & t.mask]);
    const uint64_t trace_time = t.ring[at++ & t.mask];
    const uint64_t goroutine = t.ring[at++ & t.mask];
    const uint64_t p = t.ring[at++ & t.mask];
    key.pcs.clear();
    for (size_t i = 0; i < count; ++i) key.pcs.push_back(t.ring[at++ & t.mask]);
    counts_[key] += static_cast<int64_t>(first >> 16);
    if (trace_time != 0 && count != 0) {
      ++key.pcs[0];  // a trace takes all for return addresses
      trace_cpu_sample(trace_time, t.tid, p, goroutine, key.pcs.data(), count);
    }
    t.tail.store(at, release);  // partner: append()
  }
  const uint64_t lost = t.lost.load(relaxed);
  lost_ += static_cast<int64_t>(lost - t.lost_counted);
  t.lost_counted = lost;
}

void sampler::drain_all() {
  for (auto& [tid, t] : threads_) drain(*t);
}

}  // namespace

result<void> start_cpu_sampler(int rate_hz) { return the_sampler().start(rate_hz); }
result<cpu_samples> stop_cpu_sampler() { return the_sampler().stop(); }

void drop_cpu_samples(cpu_samples& samples) noexcept {
  samples.all.clear();
  end_reading_labels();
}

}  // namespace weft::rt
