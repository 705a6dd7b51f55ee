// SPDX-License-Identifier: Apache-2.0
// Timers against whoever stops, sets and moves them, and against threads about to sleep: an arming
// fires or is stopped, never both; after disarm_wait() the node may go; a timer that is armed is
// seen by somebody who is awake in time.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>
#include <model/world/world.hpp>

#include "weft/sched/go.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/runtime.hpp"

namespace {

using model::countdown;
using weft::rt::machine;
using weft::rt::processor;
using weft::rt::sched;
using weft::rt::section;
using weft::rt::this_machine;
using weft::rt::timer_node;

/// Two Ps without a scheduler: only their heaps are used.
processor procs[2];

constexpr int64_t due = 100;
constexpr int64_t later = 200;

/// A section of a thread that has P `i`; without, it is a guest's.
class on_p {
 public:
  explicit on_p(int i) noexcept { this_machine()->p = &procs[i]; }
  ~on_p() { this_machine()->p = nullptr; }
  on_p(const on_p&) = delete;
  on_p& operator=(const on_p&) = delete;

 private:
  section in_;
};

/// A timer and what its function writes, as on a stack that is about to go.
struct timer {
  timer_node node;
  int fired = 0;
  timer() noexcept {
    node.argument = this;
    node.fire = [](timer_node* self, int64_t) noexcept {
      ++static_cast<timer*>(self->argument)->fired;
    };
  }
  /// The memory is used for something else: races with any use of the timer that is not over.
  void reuse() noexcept {
    node.fire = nullptr;
    node.argument = nullptr;
    node.index = -2;
    fired = -1;
  }
};

void prepare() {
  model::setup();
  for (int i = 0; i < 2; ++i) {
    weft::rt::timer_heap_init(procs[i].timers);
    sched.all_p[i] = &procs[i];
  }
  sched.procs.store(2, weft::rt::release);
  sched.last_poll.store(1, weft::rt::relaxed);  // nobody waits in netpoll, and nobody idles
}

void arm_on(int p, timer& t, int64_t when, int64_t period = 0) {
  const on_p here(p);
  weft::rt::arm(t.node, when, period);
}

bool run(int p, int64_t now) {
  const on_p here(0);
  bool ran = false;
  (void)weft::rt::run_due_timers(procs[p].timers, now, ran);
  return ran;
}

bool stop_and_wait(timer& t) {
  const section s;
  return weft::rt::disarm_wait(t.node);
}

/// A timer of another P is stopped while it is due, and its memory goes.
void stop() {
  prepare();
  timer t;
  arm_on(1, t, due);
  model::setup_done();
  model::spawn([] { (void)run(1, due); });
  const bool stopped = stop_and_wait(t);
  model::check(t.fired == (stopped ? 0 : 1), "stopped and fired, or neither");
  t.reuse();
  model::join_all();
}

/// The same without waiting for the function: one of the two, whoever asks.
void two_stops() {
  prepare();
  timer t;
  int stops = 0;
  arm_on(1, t, due);
  model::setup_done();
  model::spawn([] { (void)run(1, due); });
  bool other = false;
  model::spawn([&] {
    const section s;
    other = weft::rt::disarm(t.node);
  });
  {
    const section s;
    stops = weft::rt::disarm(t.node) ? 1 : 0;
  }
  model::join_all();
  stops += other ? 1 : 0;
  model::check(stops + t.fired == 1, "not exactly one of a stop, the other one and the firing");
}

/// Set anew on another P while it fires, then stopped: the first firing must be over, too.
void reset() {
  prepare();
  timer t;
  arm_on(1, t, due);
  model::setup_done();
  model::spawn([] { (void)run(1, due); });
  bool prevented = false;
  {
    const on_p here(0);
    prevented = weft::rt::rearm(t.node, later);
  }
  model::check(stop_and_wait(t), "an armed timer was not stopped");
  model::check(t.fired == (prevented ? 0 : 1), "prevented and fired, or neither");
  t.reuse();
  model::join_all();
}

/// Two threads run one heap; two timers are due, and one has a period.
void two_runners() {
  prepare();
  timer once, ticks;
  arm_on(1, once, due);
  arm_on(1, ticks, due + 1, 50);
  model::setup_done();
  for (int i = 0; i < 2; ++i) model::spawn([] { (void)run(1, due + 1); });
  const bool stopped = stop_and_wait(once);
  model::check(once.fired == (stopped ? 0 : 1), "stopped and fired, or neither");
  once.reuse();
  model::join_all();
  model::check(stop_and_wait(ticks), "a timer with a period is armed no longer");
  model::check(ticks.fired == 1, "a period was missed, or came twice");
}

/// A P goes away, and its timers to the first P, while other threads stop one and set another.
void p_goes_away() {
  prepare();
  timer stopped, moved;
  arm_on(1, stopped, due);
  arm_on(1, moved, due);
  model::setup_done();
  bool done = false;
  bool prevented = false;
  model::spawn([&] { done = stop_and_wait(stopped); });
  model::spawn([&] {
    const section s;
    prevented = weft::rt::rearm(moved.node, due + 1);
  });
  {
    const section s;
    weft::rt::move_timers(procs[1].timers, procs[0].timers);
  }
  model::join_all();
  model::check(done && prevented, "an armed timer was not found");
  (void)run(1, later);
  model::check(stopped.fired == 0 && moved.fired == 0, "the old heap is not empty");
  (void)run(0, later);
  model::check(stopped.fired == 0 && moved.fired == 1, "a moved timer was lost");
}

/// What a timer's function counts down: its thread sleeps until then.
struct alarm_clock {
  timer_node node;
  countdown left{1};
  alarm_clock() noexcept {
    node.argument = this;
    node.fire = [](timer_node* self, int64_t) noexcept {
      static_cast<alarm_clock*>(self->argument)->left.done();
    };
  }
};

/// A thread has nothing more to do: it is about to sleep until its P's only timer, or for good. A
/// foreign thread arms an earlier one.
void armed_beside_a_sleeper(bool until_another) {
  constexpr int64_t far = 1'000'000;
  alarm_clock first, second;
  countdown gate(1);
  model::setup();
  model::start_runtime(1);
  const int64_t start = model::now_ns();
  weft::go([&] {
    if (until_another) {
      const section s;
      weft::rt::arm(second.node, start + far);
    }
    gate.wait();
  });
  model::setup_done();  // the goroutine, and so its thread, waits at the gate
  gate.done();
  {
    const section s;
    weft::rt::arm(first.node, start + 1000);
  }
  first.left.wait();
  model::check(model::now_ns() < start + far, "the timer came with the next one, not in time");
}

/// Two goroutines sleep on two Ps; timers are run by the thread at hand or by a thief. The clock
/// moves when all wait, so nobody is late.
void sleeps() {
  countdown left(2);
  model::setup();
  model::start_runtime(2);
  model::setup_done();
  for (int i = 0; i < 2; ++i)
    weft::go([&left, i] {
      const int64_t duration = 1000 + i * 1000;
      const int64_t start = model::now_ns();
      weft::sleep_for(std::chrono::nanoseconds(duration));
      model::check(model::now_ns() == start + duration, "a goroutine slept for too long");
      left.done();
    });
  left.wait();
}

constexpr const char* file = "weft/sched/timers.cpp";
constexpr const char* proc = "weft/sched/proc.cpp";
constexpr const char* mutex = "weft/base/futex_mutex.hpp";
constexpr const char* lock = "state_.compare_exchange(expected, 1, acquire, relaxed)) [[unlikely]]";

TEST(timers_model, stop) {
  model::verify(
      {.name = "timers, stop", .body = stop, .of = model::part::timers, .all_seen = true},
      {
          {"firing: not said", file, "heap.firing.store(node, release)", model::change::drop},
          {"fired: said relaxed", file, "heap.firing.store(nullptr, release)",
           model::change::weaken},
          {"disarm_wait: reads relaxed", file, "heap->firing.load(acquire) == &node) {",
           model::change::weaken},
          {"disarm_wait: does not wait", file, "heap->firing.load(acquire) == &node) {",
           model::change::reads_zero},
          {"disarm: does not look for the heap", file,
           "node.heap.load(acquire);\n    if (heap == nullptr) return nullptr",
           model::change::reads_zero},
          {"the lock: whatever it finds", mutex, lock, model::change::always},
      });
}

TEST(timers_model, two_stops) {
  model::verify({.name = "timers, two stops", .body = two_stops, .of = model::part::timers},
                {
                    {"the lock's acquire is relaxed", mutex, lock, model::change::weaken},
                    {"the lock's release is relaxed", mutex, "state_.store(0, release)",
                     model::change::weaken},
                    {"the lock: whatever it finds", mutex, lock, model::change::always},
                });
}

TEST(timers_model, reset) {
  model::verify(
      {.name = "timers, reset", .body = reset, .of = model::part::timers, .all_seen = true},
      {
          {"arm: another heap while it fires", file, "last->firing.load(acquire) == &node) {",
           model::change::reads_zero},
          {"arm: sees relaxed that it has fired", file, "last->firing.load(acquire) == &node) {",
           model::change::weaken},
          {"disarm_wait: does not wait", file, "heap->firing.load(acquire) == &node) {",
           model::change::reads_zero},
          {"fired: said relaxed", file, "heap.firing.store(nullptr, release)",
           model::change::weaken},
      });
}

TEST(timers_model, two_runners) {
  model::verify(
      {.name = "timers, two runners", .body = two_runners, .of = model::part::timers},
      {
          {"one heap is run by two", file,
           "heap.running.compare_exchange(idle, 1, acquire, relaxed)", model::change::always},
          {"claimed by load and store", file,
           "heap.running.compare_exchange(idle, 1, acquire, relaxed)", model::change::split},
          {"the next one fires: said relaxed", file, "heap.firing.store(node, release)",
           model::change::weaken},
      });
}

TEST(timers_model, p_goes_away) {
  model::verify({.name = "timers, P goes away", .body = p_goes_away, .of = model::part::timers},
                {
                    {"insert: heap not written", file, "node.heap.store(&heap, release)",
                     model::change::drop},
                    {"disarm: does not look for the heap", file,
                     "node.heap.load(acquire);\n    if (heap == nullptr) return nullptr",
                     model::change::reads_zero},
                    {"the lock: whatever it finds", mutex, lock, model::change::always},
                });
}

model::scenario long_one(const char* name, std::function<void()> body) {
  model::scenario s{.name = name, .body = std::move(body), .of = model::part::timers};
  s.exhaustive = 500;
  s.random = 2000;
  s.mutant_factor = 6;
  return s;
}

constexpr const char* publishes = "heap.first_when.store(first, seq_cst)";

// Orders have no mutants here: the fences of wake_p() and find_runnable() order the same.
TEST(timers_model, armed_beside_a_sleeper) {
  model::verify(long_one("timers, about to sleep", [] { armed_beside_a_sleeper(false); }),
                {
                    {"arm: earliest not published", file, publishes, model::change::drop},
                    {"arm: does not look for an idle P", proc,
                     "sched.idle_p_count.load(seq_cst) == 0) return", model::change::reads_zero},
                    {"arm: thinks that somebody polls", file, "sched.last_poll.load(seq_cst) == 0",
                     model::change::reads_zero},
                });
}

TEST(timers_model, armed_before_another) {
  model::verify(
      long_one("timers, an earlier one", [] { armed_beside_a_sleeper(true); }),
      {
          {"arm: earliest not published", file, publishes, model::change::drop},
          {"arm: does not look for the sleeper", file, "sched.last_poll.load(seq_cst) == 0",
           model::change::reads_one},
          {"arm: looks for the sleeper relaxed", file, "sched.last_poll.load(seq_cst) == 0",
           model::change::weaken},
          {"the sleeper is not woken", "weft/sched/netpoll.cpp",
           "poll.wake_pending.compare_exchange(none, 1, seq_cst, relaxed)", model::change::never},
      });
}

TEST(timers_model, sleeps) {
  model::verify(long_one("timers, sleep on 2 P", sleeps),
                {
                    {"insert: earliest not published", file, publishes, model::change::drop},
                    {"arm: thinks that the poller wakes earlier", file,
                     "sched.poll_until.load(seq_cst)", model::change::reads_one},
                    {"the lock: whatever it finds", mutex, lock, model::change::always},
                });
}

}  // namespace
