// SPDX-License-Identifier: Apache-2.0
// Taking a P from a thread in user code, against that thread's entries to the runtime and its
// return from a blocking call. A P has one user at a time: its plain fields are used by everybody
// who holds it, so two holders race.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>
#include <model/world/world.hpp>

#include "weft/sched/go.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/runtime.hpp"

namespace {

using model::countdown;
using weft::rt::leaf;
using weft::rt::may_park;
using weft::rt::sched;
using weft::rt::section;
using weft::rt::section_kind;

/// What every section may do: use the P, if there is one.
void use_p() {
  if (weft::rt::processor* pp = weft::rt::this_machine()->p; pp != nullptr) ++pp->id_next;
}

void retaker() {
  weft::rt::adopt_system_thread();
  (void)weft::rt::retake(model::now_ns());
}

/// One P. Its goroutine is in a blocking call, another one waits for the P, and the monitor looks
/// just when the call returns.
void blocking_call_returns(bool membarrier, bool parks) {
  countdown left(2);
  countdown gate(1);
  model::setup();
  weft::rt::os::membarrier_active = membarrier;
  model::start_runtime(1);
  weft::go([&] {
    weft::blocking([&] { gate.wait(); });
    {
      const section s(leaf);
      use_p();
    }
    if (parks) {
      const section s(may_park);
      use_p();
    }
    left.done();
  });
  model::setup_done();  // the goroutine is in its call
  model::setup();
  weft::go([&] {
    {
      const section s(leaf);
      use_p();
    }
    left.done();
  });
  (void)weft::rt::retake(model::now_ns());  // notes what it sees
  model::advance_clock(1'000'000);
  model::setup_done();
  model::spawn(retaker);
  gate.done();
  left.wait();
  model::join_all();
}

/// Nothing is announced: the goroutine computes, calls the runtime twice, and is asked to yield;
/// a request that was posted long ago stands. In leaf sections it hears the request and goes on
/// without a scheduling decision, so the retaker finds it where it was.
void computing(section_kind kind) {
  countdown left(2);
  countdown gate(1);
  model::setup();
  model::start_runtime(1);
  weft::go([&] {
    gate.wait();
    for (int i = 0; i < 2; ++i) {
      const section s(kind);
      use_p();
    }
    left.done();
  });
  model::setup_done();
  model::setup();
  weft::go([&] { left.done(); });
  (void)weft::rt::retake(model::now_ns());
  model::advance_clock(20'000'000);
  model::setup_done();
  model::spawn([] {
    weft::rt::adopt_system_thread();
    (void)weft::rt::retake(model::now_ns());  // posts
    (void)weft::rt::retake(model::now_ns());  // robs; posts anew first, if it was heard
  });
  gate.done();
  left.wait();
  model::join_all();
}

constexpr const char* file = "weft/sched/retake.cpp";
constexpr const char* door = "weft/sched/internal/section.hpp";

model::scenario long_one(const char* name, model::part of, std::function<void()> body) {
  model::scenario s{.name = name, .body = std::move(body), .of = of};
  s.exhaustive = 500;
  s.random = 3000;
  s.mutant_factor = 6;
  return s;
}

TEST(retake_model, blocking_call_returns) {
  model::verify(
      long_one("retake", model::part::blocking_return, [] { blocking_call_returns(true, false); }),
      {
          {"entry: light fence missing", door,
           "mp->in_rt.store(1, relaxed);\n  os::light_fence();\n  if (mp->grant.load(relaxed) <= "
           "grant_slow_max)",
           model::change::late},
          {"heavy fence missing", file, "os::heavy_fence();\n  note_requests", model::change::drop},
          {"retaker ignores in_rt", file, "mp->in_rt.load(acquire) != 0) return false",
           model::change::reads_zero},
          {"retaker reads in_rt relaxed", file, "mp->in_rt.load(acquire) != 0) return false",
           model::change::weaken},
          {"exit store relaxed", door, "this_machine()->in_rt.store(0, release)",
           model::change::weaken},
          {"thread reclaims by a store", file,
           "mp->grant.compare_exchange(grant, reinterpret_cast<uintptr_t>(mp->p), acq_rel, "
           "relaxed)",
           model::change::split},
          {"retaker robs without a check", file,
           "mp->grant.compare_exchange(expected, grant_robbing, acq_rel, relaxed)",
           model::change::always},
          {"thread reads the grant relaxed", file, "mp->grant.load(acquire);  // partner",
           model::change::weaken},
          {"robbed: grant released relaxed", file,
           "mp->grant.store(grant_none, release);\n  return true", model::change::weaken},
          {"robbing never ends", file, "mp->grant.store(grant_none, release);\n  return true",
           model::change::drop},
      });
}

TEST(retake_model, plain_fences) {
  model::verify(long_one("retake, no membarrier", model::part::retake,
                         [] { blocking_call_returns(false, false); }),
                {
                    {"entry: fence missing", "weft/base/os/os.hpp", "else\n    fence(seq_cst);",
                     model::change::drop},
                    {"retaker ignores in_rt", file, "mp->in_rt.load(acquire) != 0) return false",
                     model::change::reads_zero},
                    {"robbed: grant released relaxed", file,
                     "mp->grant.store(grant_none, release);\n  return true", model::change::weaken},
                });
}

TEST(retake_model, robbed_thread_parks) {
  model::verify(
      long_one("robbed thread wants a P", model::part::retake,
               [] { blocking_call_returns(true, true); }),
      {
          {"retaker ignores in_rt", file, "mp->in_rt.load(acquire) != 0) return false",
           model::change::reads_zero},
          {"robbing never ends", file, "mp->grant.store(grant_none, release);\n  return true",
           model::change::drop},
          {"acquire_p: grant not written", "weft/sched/proc.cpp",
           "mp->grant.store(reinterpret_cast<uintptr_t>(pp), release)", model::change::drop},
      });
}

TEST(retake_model, computing) {
  model::verify(
      long_one("preemption", model::part::retake, [] { computing(may_park); }),
      {
          {"entry: light fence missing", door,
           "mp->in_rt.store(1, relaxed);\n  os::light_fence();\n  if (mp->grant.load(relaxed) <= "
           "grant_slow_max)",
           model::change::late},
          {"heavy fence missing", file, "os::heavy_fence();\n  note_requests", model::change::drop},
          {"retaker ignores in_rt", file, "mp->in_rt.load(acquire) != 0) return false",
           model::change::reads_zero},
      });
}

TEST(retake_model, leaf_sections) {
  model::verify(
      long_one("requests heard in leaf sections", model::part::retake, [] { computing(leaf); }),
      {
          {"a request made anew has no fence", nullptr, "retake: a request made anew has no fence",
           model::change::leave_out},
          {"heavy fence missing", file, "os::heavy_fence();\n  note_requests", model::change::drop},
          {"retaker ignores in_rt", file, "mp->in_rt.load(acquire) != 0) return false",
           model::change::reads_zero},
      });
}

}  // namespace
