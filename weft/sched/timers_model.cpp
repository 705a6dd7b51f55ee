// SPDX-License-Identifier: Apache-2.0
// Timers: a node on a stack that goes, against whoever runs what is due; and timers that are armed
// while the threads of the runtime go to sleep.
#include "weft/sched/internal/timers.hpp"

#include <gtest/gtest.h>

#include <model/checker/checker.hpp>
#include <model/world/world.hpp>

#include "weft/sched/go.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/runtime.hpp"

namespace {

using model::countdown;
using weft::rt::sched;
using weft::rt::section;
using weft::rt::timer_node;

/// Its frame goes when disarm_wait() has returned: what `fire` did has happened before.
void owner(bool& was_armed) {
  struct {
    timer_node node;
    int fired = 0;
  } self;
  self.node.argument = &self.fired;
  self.node.fire = [](timer_node* node, int64_t) noexcept {
    ++*static_cast<int*>(node->argument);
  };
  const section s;
  weft::rt::arm(self.node, model::now_ns() - 1);
  was_armed = weft::rt::disarm_wait(self.node);
  model::check(self.fired == (was_armed ? 0 : 1), "fired and disarmed, or neither");
  self.fired = 100;
}

void disarm_against_run() {
  bool was_armed = false;
  model::setup();
  model::start_runtime(1);
  model::setup_done();
  model::spawn([] {
    const section s;
    bool ran = false;
    (void)weft::rt::run_due_timers(sched.all_p[0]->timers, model::now_ns(), ran);
  });
  owner(was_armed);
  model::join_all();
}

/// Two who run one heap, and two nodes in it.
void two_runners() {
  struct {
    timer_node nodes[2];
    int fired[2] = {0, 0};
  } w;
  model::setup();
  model::start_runtime(1);
  for (int i = 0; i < 2; ++i) {
    w.nodes[i].argument = &w.fired[i];
    w.nodes[i].fire = [](timer_node* node, int64_t) noexcept {
      ++*static_cast<int*>(node->argument);
    };
  }
  {
    const section s;
    for (timer_node& node : w.nodes) weft::rt::arm(node, model::now_ns() + 100);
  }
  model::setup_done();
  const auto run = [] {
    const section s;
    bool ran = false;
    (void)weft::rt::run_due_timers(sched.all_p[0]->timers, model::now_ns() + 200, ran);
  };
  model::spawn(run);
  run();
  model::join_all();
  run();
  model::check(w.fired[0] == 1 && w.fired[1] == 1, "a timer fired twice, or not at all");
}

/// A goroutine sleeps while the other thread of the runtime is about to wait without limit.
void sleeper() {
  countdown left(2);
  model::setup();
  model::start_runtime(2);
  model::setup_done();
  weft::go([&] {
    weft::sleep_for(std::chrono::milliseconds(1));
    left.done();
  });
  weft::go([&] {
    weft::sleep_for(std::chrono::microseconds(10));
    left.done();
  });
  left.wait();
}

constexpr const char* file = "weft/sched/timers.cpp";

model::scenario long_one(const char* name, void (*body)()) {
  model::scenario s{.name = name, .body = body};
  s.exhaustive = 500;
  s.random = 3000;
  s.mutant_factor = 6;
  return s;
}

TEST(timers_model, disarm_against_run) {
  model::verify(
      long_one("timer, disarm", disarm_against_run),
      {
          {"firing is not told", file, "heap.firing.store(node, relaxed)", model::change::drop},
          {"end of firing: relaxed", file, "heap.firing.store(nullptr, release)",
           model::change::weaken},
          {"end of firing: seen relaxed", file, "heap->firing.load(acquire) == &node",
           model::change::weaken},
          {"disarm does not wait", file, "heap->firing.load(acquire) == &node",
           model::change::reads_zero},
          {"end of firing is not told", file, "heap.firing.store(nullptr, release)",
           model::change::drop},
      });
}

TEST(timers_model, two_runners) {
  model::verify(long_one("timers, two runners", two_runners),
                {
                    {"two run one heap", file,
                     "heap.running.compare_exchange(idle, 1, acquire, relaxed)",
                     model::change::never},
                    {"nobody runs it again", file, "heap.running.store(0, release)",
                     model::change::drop},
                    {"first_when is not written", file,
                     "heap.first_when.store(first, seq_cst)", model::change::drop},
                });
}

TEST(timers_model, sleeper) {
  model::verify(long_one("sleepers", sleeper),
                {
                    {"first_when is not written", file,
                     "heap.first_when.store(first, seq_cst)", model::change::drop},
                    {"the poller is not told", file, "sched.last_poll.load(seq_cst) == 0) {",
                     model::change::reads_one},
                    {"the poller does not look again", "weft/sched/find.cpp",
                     "sched.poll_until.store(poll_until == no_timer ? 0 : poll_until, seq_cst)",
                     model::change::drop},
                });
}

}  // namespace
