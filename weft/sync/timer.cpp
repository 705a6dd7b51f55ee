// SPDX-License-Identifier: Apache-2.0
// Timers' channels and functions over the scheduler's timer nodes.
//
// A timer's channel has one place, which len() and cap() hide. The truth about the timer lies in
// channel_timer, under the channel's lock: `due_ns`, or never. `fire` may come late, when the timer
// has been stopped or set anew already; it compares with due_ns and does nothing then. So stop()
// need not wait for it: it sets due_ns, empties the place, and no stale time can follow.
//
// A receiver looks at due_ns itself (poll_channel_timer): a time that has come is received even if
// the scheduler has not had a moment to run its timers.
#include "weft/sync/timer.hpp"

#include <memory>
#include <utility>

#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"
#include "weft/sched/heap_object.hpp"
#include "weft/sched/internal/timer_node.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/internal/hchan.hpp"
#include "weft/sync/internal/parking.hpp"

namespace weft::rt {

struct channel_timer {
  timer_node node;
  hchan* c = nullptr;
  /// When the next time is due; never_ns: stopped or done. Under c->lock.
  int64_t due_ns = 0;
  /// Under c->lock.
  int64_t period_ns = 0;
  /// After stop(), until it is armed again: no fire is to come, and none runs. Under c->lock.
  bool quiet = false;
};

namespace {

constexpr int64_t never_ns = INT64_MAX;

time_point to_time(int64_t ns) noexcept { return time_point(std::chrono::nanoseconds(ns)); }

/// Sends the time if it is due. Returns a receiver to wake.
sudog* deliver_locked(channel_timer& t, int64_t at_ns) noexcept WEFT_REQUIRES(t.c->lock) {
  if (at_ns < t.due_ns) return nullptr;
  t.due_ns =
      t.period_ns > 0 ? t.due_ns + ((at_ns - t.due_ns) / t.period_ns + 1) * t.period_ns : never_ns;
  time_point time = to_time(at_ns);
  sudog* receiver = nullptr;
  // The place is taken: the receiver is too slow, and misses this one.
  if (send_locked(*t.c, &time, &receiver) != chan_status::ok) return nullptr;
  return receiver;
}

WEFT_UNCHECKED void deliver(channel_timer& t, int64_t at_ns) noexcept {
  t.c->lock.lock();
  sudog* receiver = deliver_locked(t, at_ns);
  t.c->lock.unlock();
  if (receiver != nullptr) wake(receiver, true);
}

void fire_channel(timer_node* node, int64_t at_ns) noexcept {
  deliver(*static_cast<channel_timer*>(node->argument), at_ns);
}

/// Whether a time is to come or lies there; takes it back.
bool revoke_locked(channel_timer& t) noexcept WEFT_REQUIRES(t.c->lock) {
  const bool pending = t.due_ns != never_ns || t.c->count.load(relaxed) > 0;
  t.due_ns = never_ns;
  time_point stale;
  sudog* none = nullptr;
  if (t.c->count.load(relaxed) > 0) (void)recv_locked(*t.c, &stale, &none);
  return pending;
}

}  // namespace

hchan* make_timer_channel(int64_t duration_ns, int64_t period_ns) {
  // One allocation for both: the timer lies in the buffer, behind the one place that is used.
  constexpr size_t places = (sizeof(channel_timer) + sizeof(time_point) - 1) / sizeof(time_point);
  static_assert(alignof(channel_timer) <= alignof(time_point));
  chan_handle handle = chan_handle::adopt(make_hchan(element_ops_of<time_point>, 1 + places));
  hchan* c = handle.get();
  c->capacity = 1;
  c->timer = ::new (c->at(1)) channel_timer;
  channel_timer& t = *c->timer;
  t.c = c;
  t.node.fire = fire_channel;
  t.node.argument = &t;
  t.period_ns = period_ns;
  t.due_ns = deadline_after(now_ns(), duration_ns);
  {
    const section s;
    race_release(&t);
    arm(t.node, t.due_ns, period_ns);
  }
  return handle.detach();
}

WEFT_UNCHECKED bool stop_timer_channel(hchan* c) noexcept {
  const section s;
  c->lock.lock();
  channel_timer& t = *c->timer;
  const bool pending = revoke_locked(t);
  (void)disarm(t.node);
  t.quiet = !is_firing(t.node);
  c->lock.unlock_kept();
  return pending;
}

WEFT_UNCHECKED bool reset_timer_channel(hchan* c, int64_t duration_ns, int64_t period_ns) noexcept {
  channel_timer& t = *c->timer;
  const int64_t due = deadline_after(now_ns(), duration_ns);
  const section s;
  c->lock.lock();
  const bool pending = revoke_locked(t);
  t.due_ns = due;
  t.period_ns = period_ns;
  t.quiet = false;
  race_release(&t);
  (void)rearm(t.node, due, period_ns);
  c->lock.unlock_kept();
  return pending;
}

void poll_channel_timer(hchan& c) noexcept { deliver(*c.timer, now_ns()); }

void race_note_time(hchan& c) noexcept { race_acquire(c.timer); }

void free_channel_timer(channel_timer* timer) noexcept {
  if (!timer->quiet) {
    const section s;
    (void)disarm_wait(timer->node);
  }
  std::destroy_at(timer);
}

/// States: armed (a fire is to come), or not. The closure stays for reset().
struct func_timer : heap_object {
  timer_node node;
  callback_function f;
  futex_mutex lock{lock_rank::sync};
  /// When f is due; never_ns: stopped or started. Under lock.
  int64_t due_ns = 0;
  /// One of the handle, one while due_ns is set, one of every goroutine that runs f.
  atomic<uint32_t> refs{2};
};

namespace {

void unref(func_timer* t) noexcept {
  race_release(&t->refs);  // partner: whoever destroys the function
  // acq_rel: as in release_chan().
  if (t->refs.fetch_sub(1, acq_rel) != 1) return;
  race_acquire(&t->refs);
  {
    const section s;
    (void)disarm_wait(t->node);
  }
  delete t;
}

void run_func(void* argument) {
  struct at_end {
    func_timer* t;
    ~at_end() { unref(t); }
  };
  const at_end guard{static_cast<func_timer*>(argument)};
  race_acquire(&guard.t->node);
  guard.t->f();
}

WEFT_UNCHECKED void fire_func(timer_node* node, int64_t at_ns) noexcept {
  auto* t = static_cast<func_timer*>(node->argument);
  t->lock.lock();
  const bool due = at_ns >= t->due_ns;
  if (due) t->due_ns = never_ns;  // the goroutine takes over the reference
  t->lock.unlock();
  if (due) start_goroutine(run_func, t, "after_func");
}

}  // namespace

func_timer* make_func_timer(int64_t duration_ns, callback_function f) {
  if (sim_enabled) [[unlikely]]
    sim_allocation();
  auto* t = new func_timer;
  t->f = std::move(f);
  t->node.fire = fire_func;
  t->node.argument = t;
  const section s;
  race_release(&t->node);  // partner: run_func()
  t->due_ns = deadline_after(now_ns(), duration_ns);
  arm(t->node, t->due_ns);
  return t;
}

WEFT_UNCHECKED bool stop_func_timer(func_timer* t) noexcept {
  bool prevented;
  {
    const section s;
    t->lock.lock();
    prevented = t->due_ns != never_ns;
    t->due_ns = never_ns;
    (void)disarm(t->node);
    t->lock.unlock();
  }
  if (prevented) unref(t);
  return prevented;
}

WEFT_UNCHECKED bool reset_func_timer(func_timer* t, int64_t duration_ns) noexcept {
  const int64_t due = deadline_after(now_ns(), duration_ns);
  const section s;
  t->lock.lock();
  const bool prevented = t->due_ns != never_ns;
  if (!prevented) t->refs.fetch_add(1, relaxed);
  race_release(&t->node);
  t->due_ns = due;
  (void)rearm(t->node, due);
  t->lock.unlock();
  return prevented;
}

void release_func_timer(func_timer* t) noexcept { unref(t); }

}  // namespace weft::rt

namespace weft {

bool timer::stop() {
  if (f_ != nullptr) return rt::stop_func_timer(f_.get());
  if (c_ == nullptr) panic("time: Stop called on uninitialized Timer");
  return rt::stop_timer_channel(c_.raw());
}

bool timer::reset_ns(int64_t duration_ns) {
  if (f_ != nullptr) return rt::reset_func_timer(f_.get(), duration_ns);
  if (c_ == nullptr) panic("time: Reset called on uninitialized Timer");
  return rt::reset_timer_channel(c_.raw(), duration_ns, 0);
}

ticker::ticker(ns period) {
  if (period.count <= 0) panic("non-positive interval for NewTicker");
  c_ = recv_chan<time_point>(
      rt::chan_handle::adopt(rt::make_timer_channel(period.count, period.count)));
}

void ticker::stop() noexcept {
  if (c_ != nullptr) (void)rt::stop_timer_channel(c_.raw());
}

void ticker::reset_ns(int64_t period_ns) {
  if (period_ns <= 0) panic("non-positive interval for Ticker.Reset");
  if (c_ == nullptr) panic("time: Reset called on uninitialized Ticker");
  (void)rt::reset_timer_channel(c_.raw(), period_ns, period_ns);
}

}  // namespace weft
