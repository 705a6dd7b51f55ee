// SPDX-License-Identifier: Apache-2.0
// A descriptor's words: one who waits for it, against readiness, a deadline and a close. Exactly
// one ready() per park, and no wait that outlives its reason.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>
#include <model/world/poll.hpp>
#include <model/world/world.hpp>
#include <sys/epoll.h>

#include "weft/sched/go.hpp"
#include "weft/sched/internal/netpoll.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace {

using model::countdown;
using weft::rt::poll_desc;
using weft::rt::poll_mode;
using weft::rt::poll_result;

constexpr int fd = 40;

/// A goroutine waits to read; `event` happens meanwhile, on another thread.
void wait_against(poll_result wanted, void (*event)(poll_desc*)) {
  countdown left(1);
  poll_result got = poll_result::ready;
  int error = 0;
  model::setup();
  model::start_runtime(1);
  poll_desc* pd = weft::rt::poll_open(fd, error);
  model::check(pd != nullptr, "poll_open");
  model::setup_done();
  weft::go([&] {
    got = weft::rt::poll_wait(pd, poll_mode::read);
    left.done();
  });
  event(pd);
  left.wait();
  model::check(got == wanted, "the wait ended for another reason");
}

void eviction() {
  wait_against(poll_result::closing, [](poll_desc* pd) { weft::rt::poll_evict(pd); });
}
void deadline() {
  wait_against(poll_result::timeout, [](poll_desc* pd) {
    weft::rt::poll_set_deadline(pd, model::now_ns() - 1, true, false);
  });
}
/// Both at once: one of the two verdicts, and one wake-up.
void readiness_and_eviction() {
  countdown left(1);
  int error = 0;
  model::setup();
  model::start_runtime(1);
  poll_desc* pd = weft::rt::poll_open(fd, error);
  model::setup_done();
  weft::go([&] {
    (void)weft::rt::poll_wait(pd, poll_mode::read);
    left.done();
  });
  model::spawn([] { model::poll::report(fd, EPOLLIN); });
  weft::rt::poll_evict(pd);
  left.wait();
  model::join_all();
}

constexpr const char* file = "weft/sched/netpoll.cpp";
constexpr const char* commit =
    "compare_exchange(\n      expected, reinterpret_cast<uintptr_t>(gp), seq_cst, seq_cst)";
constexpr const char* unblock =
    "word.compare_exchange(old, io_ready ? word_ready : word_nil, seq_cst, seq_cst)";

model::scenario long_one(const char* name, void (*body)()) {
  model::scenario s{.name = name, .body = body};
  s.exhaustive = 500;
  s.random = 2000;
  s.mutant_factor = 6;
  return s;
}

TEST(netpoll_model, eviction) {
  model::verify(
      long_one("netpoll, eviction", eviction),
      {
          {"closing: not published", file, "pd->info.fetch_or(bit, seq_cst)", model::change::drop},
          {"commit: overwrites the close", file, commit, model::change::always},
          {"closing: published relaxed", file, "pd->info.fetch_or(bit, seq_cst)",
           model::change::weaken},
          {"verdict: read relaxed", file, "pd->info.load(seq_cst);\n  if ((info",
           model::change::weaken},
      });
}

TEST(netpoll_model, deadline) {
  model::verify(
      long_one("netpoll, deadline", deadline),
      {
          {"expired: not published", file, "pd->info.fetch_or(bit, seq_cst)", model::change::drop},
          {"unblock: load and store", file, unblock, model::change::split},
          {"unblock: takes nobody out", file, unblock, model::change::never},
      });
}

TEST(netpoll_model, readiness_and_eviction) {
  model::verify(long_one("netpoll, both", readiness_and_eviction),
                {
                    {"two wake one goroutine", file, unblock, model::change::split},
                });
}

}  // namespace
