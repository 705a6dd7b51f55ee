// SPDX-License-Identifier: Apache-2.0
// The scheduler under many interleavings: goroutines on one and two Ps, threads that spin, sleep
// and wake each other. Nothing runnable lies while a P idles, nothing runs twice.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>
#include <model/world/world.hpp>

#include "weft/sched/go.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/task.hpp"

namespace {

using model::countdown;
using weft::rt::leaf;
using weft::rt::may_park;
using weft::rt::sched;
using weft::rt::section;

/// A foreign thread starts goroutines while all threads of the runtime sleep, or are about to.
void wake_from_outside() {
  countdown left(2);
  int written = 0;
  model::setup();
  model::start_runtime(1);
  weft::go([&] { left.done(); });
  model::setup_done();  // it has run; its thread sleeps
  weft::go([&] {
    written = 1;
    left.done();
  });
  left.wait();
  model::check(written == 1, "what the goroutine wrote is missing");
}

/// Threads about to sleep, and work that comes at that moment: from outside, twice.
void sleepers_and_work() {
  countdown left(2);
  model::setup();
  model::start_runtime(2);
  model::setup_done();
  weft::go([&] { left.done(); });
  weft::go([&] { left.done(); });
  left.wait();
}

/// A goroutine parks, another one readies it: a join, on two Ps.
void park_and_ready() {
  countdown left(1);
  model::setup();
  model::start_runtime(2);
  model::setup_done();
  int value = 0;
  weft::go([&] {
    weft::task<int*> other = weft::spawn([&] {
      value = 3;
      return &value;
    });
    model::check(*other.join() == 3, "what the other goroutine wrote is missing");
    left.done();
  });
  left.wait();
}

/// A goroutine makes another one and goes on computing: only the other P can run that.
void spinners_steal() {
  countdown left(1);
  weft::rt::atomic<int> ran{0};
  model::setup();
  model::start_runtime(2);
  model::setup_done();
  weft::go([&] {
    weft::go([&] { ran.store(1, weft::rt::release); });
    while (ran.load(weft::rt::acquire) == 0) model::yield();  // never calls the runtime
    left.done();
  });
  left.wait();
}

/// Two threads start goroutines, so two threads of the runtime look for Ps at once, and put them
/// back when they have nothing more to do. At rest every P is on the list once, and nobody spins.
void idle_list() {
  countdown left(2);
  model::setup();
  model::start_runtime(2);
  model::setup_done();
  model::spawn([&] { weft::go([&] { left.done(); }); });
  weft::go([&] { left.done(); });
  left.wait();
  model::join_all();
  model::setup();
  model::setup_done();  // all others rest
  const section s;
  const weft::rt::kept_lock_scope hold(sched.lock);
  uint32_t listed = 0;
  for (const weft::rt::processor* pp = sched.idle_p; pp != nullptr; pp = pp->link) {
    ++listed;
    model::check(listed <= 2, "a P is on the list twice");
    model::check(pp->m.load(weft::rt::relaxed) == nullptr, "a P on the list has a thread");
  }
  model::check(listed == 2, "a P is lost");
  model::check(sched.idle_p_count.load(weft::rt::relaxed) == 2, "the count of the list is wrong");
  model::check(sched.spinning.load(weft::rt::relaxed) == 0, "a thread that rests spins");
}

constexpr const char* proc = "weft/sched/proc.cpp";
constexpr const char* find = "weft/sched/find.cpp";
constexpr const char* machine = "weft/sched/machine.cpp";
constexpr const char* queue = "weft/sched/internal/run_queue.hpp";

/// Executions are long: searches at random, and the beginning of the exhaustive one.
model::scenario long_one(const char* name, model::part of, void (*body)()) {
  model::scenario s{.name = name, .body = body, .of = of};
  s.exhaustive = 500;
  s.random = 3000;
  s.mutant_factor = 6;
  return s;
}

TEST(proc_model, wake_from_outside) {
  model::verify(
      long_one("wake-up, 1 P", model::part::wake_up, wake_from_outside),
      {
          {"start_m: word relaxed", machine, "mp->park_word.store(1, release);\n  os::futex_wake",
           model::change::weaken},
          {"stop_m: word relaxed", machine,
           "mp->park_word.load(acquire) == 0) os::futex_wait(mp->park_word, 0, -1);\n  processor",
           model::change::weaken},
          {"stop_m: sleeps though it was woken", machine,
           "mp->park_word.store(0, relaxed);\n    mp->link = sched.idle_m", model::change::drop},
      });
}

// No mutants: the fence in find_runnable() and the seq_cst count in idle_p_put() order the same, so
// neither is missed alone; wake_p()'s fence is missed where no lock orders the look (2 Ps).
TEST(proc_model, sleepers_and_work) {
  model::verify(
      long_one("wake-up, 2 P", model::part::wake_up, sleepers_and_work),
      {
          {"wake_p: no fence", proc, "fence(seq_cst);\n  wake_p_published();", model::change::drop},
          {"find_runnable: no second look", find,
           "sched.global_len.load(seq_cst) != 0) return true", model::change::reads_zero},
          {"stop_m: sleeps though it was woken", machine,
           "mp->park_word.store(0, relaxed);\n    mp->link = sched.idle_m", model::change::drop},
      });
}

TEST(proc_model, park_and_ready) {
  model::verify(
      long_one("park and ready", model::part::parking, park_and_ready),
      {
          {"the next slot: relaxed", queue, "next_.exchange(item, seq_cst)", model::change::weaken},
          {"stolen and run twice", queue, "next_.compare_exchange(seen, nullptr, acq_rel, relaxed)",
           model::change::always},
          {"taken by load and store", queue, "next_.exchange(nullptr, acq_rel)",
           model::change::split},
          {"put nowhere", queue, "next_.exchange(item, seq_cst)", model::change::drop},
      });
}

TEST(proc_model, idle_list) {
  model::verify(long_one("idle-P list", model::part::idle_p, idle_list),
                {
                    {"put: not counted", proc, "sched.idle_p_count.fetch_add(1, seq_cst)",
                     model::change::drop},
                    {"taken: still counted", proc, "sched.idle_p_count.fetch_sub(1, seq_cst)",
                     model::change::drop},
                    {"two claim to spin", proc,
                     "sched.spinning.compare_exchange(none, 1, seq_cst, relaxed)) {\n    return",
                     model::change::split},
                    {"no P, and spins for ever", proc,
                     "sched.spinning.fetch_sub(1, seq_cst);\n    return;\n  }\n  start_m(pp, true)",
                     model::change::drop},
                    {"the lock: whatever it finds", "weft/base/futex_mutex.hpp",
                     "state_.compare_exchange(expected, 1, acquire, relaxed)) [[unlikely]]",
                     model::change::always},
                });
}

TEST(proc_model, spinners_steal) {
  model::verify(long_one("idle P and spinner", model::part::wake_up, spinners_steal),
                {
                    {"the next slot: published acq_rel", queue, "next_.exchange(item, seq_cst)",
                     model::change::to_acq_rel},
                    {"no look for idle Ps", proc, "sched.idle_p_count.load(seq_cst) == 0) return",
                     model::change::reads_zero},
                    {"spinner: claim without a check", proc,
                     "sched.spinning.compare_exchange(none, 1, seq_cst, relaxed)) {\n    return",
                     model::change::never},
                });
}

}  // namespace
