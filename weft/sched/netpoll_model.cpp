// SPDX-License-Identifier: Apache-2.0
// A descriptor's words: one who waits for it, against readiness, a deadline and a close. Exactly
// one ready() per park, and no wait that outlives its reason.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>
#include <model/world/poll.hpp>
#include <model/world/world.hpp>
#include <sys/epoll.h>

#include <functional>

#include "weft/sched/go.hpp"
#include "weft/sched/internal/netpoll.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace {

using model::countdown;
using weft::rt::poll_desc;
using weft::rt::poll_mode;
using weft::rt::poll_result;

constexpr int fd = 40;

/// A goroutine goes to wait for a read while something happens on this thread, and on another one.
poll_result wait_against(const std::function<void(poll_desc*)>& event,
                         const std::function<void()>& another = nullptr) {
  countdown gate(1), left(1);
  poll_result got = poll_result::ready;
  int error = 0;
  model::setup();
  model::start_runtime(1);
  poll_desc* pd = weft::rt::poll_open(fd, error);
  model::check(pd != nullptr, "poll_open");
  weft::go([&] {
    gate.wait();
    got = weft::rt::poll_wait(pd, poll_mode::read);
    left.done();
  });
  model::setup_done();  // the goroutine is at the gate
  gate.done();
  if (another != nullptr) model::spawn(another);
  event(pd);
  left.wait();
  model::join_all();
  return got;
}

/// An edge, fetched as the monitor does it: by a thread that does not wait there.
void edge() {
  weft::rt::adopt_system_thread();
  model::poll::report(fd, EPOLLIN);
  weft::rt::g_list list;
  weft::rt::netpoll(0, list);
  weft::rt::inject(list);
}
void evict(poll_desc* pd) { weft::rt::poll_evict(pd); }
void expire(poll_desc* pd) { weft::rt::poll_set_deadline(pd, model::now_ns() - 1, true, false); }

void readiness() {
  const poll_result got = wait_against([](poll_desc*) {}, edge);
  model::check(got == poll_result::ready, "not ready");
}
void eviction() {
  model::check(wait_against(evict) == poll_result::closing, "closed, and another verdict");
}
void deadline() {
  model::check(wait_against(expire) == poll_result::timeout, "expired, and another verdict");
}
/// Two at once: one of the two verdicts, and one wake-up.
void readiness_and_deadline() {
  model::check(wait_against(expire, edge) != poll_result::closing, "a close that never was");
}
void readiness_and_eviction() {
  model::check(wait_against(evict, edge) != poll_result::timeout, "a deadline that never was");
}

/// A state is used for a second descriptor: what the first left behind, readiness, its close and a
/// timer that comes late, is nothing to the second.
void reuse() {
  constexpr int second = 41;
  countdown left(1);
  int error = 0;
  poll_result got = poll_result::closing;
  bool early = true;
  weft::rt::atomic<int> reported{0};
  model::setup();
  model::start_runtime(1);
  poll_desc* old = weft::rt::poll_open(fd, error);
  const int64_t due = model::now_ns() + 1000;
  weft::rt::poll_set_deadline(old, due, true, false);
  model::poll::report(fd, EPOLLIN);
  weft::rt::g_list nobody;
  weft::rt::netpoll(0, nobody);
  model::setup_done();
  model::spawn([due] {
    const weft::rt::section s;
    bool ran = false;
    (void)weft::rt::run_due_timers(weft::rt::sched.all_p[0]->timers, due, ran);
  });
  weft::rt::poll_evict(old);
  weft::rt::poll_close(old);
  poll_desc* pd = weft::rt::poll_open(second, error);
  model::check(pd == old, "the state in the pool was not used");
  weft::rt::poll_set_deadline(pd, due + 1'000'000, true, false);
  weft::go([&] {
    got = weft::rt::poll_wait(pd, poll_mode::read);
    early = reported.load(weft::rt::seq_cst) == 0;
    left.done();
  });
  model::join_all();
  reported.store(1, weft::rt::seq_cst);
  model::poll::report(second, EPOLLIN);
  left.wait();
  model::check(got == poll_result::ready, "the wait ended by what was of another descriptor");
  model::check(!early, "ready before anything was reported");
}

/// A watcher is armed while something happens; `end` says whether it was taken out.
void watch_against(const std::function<bool(poll_desc*, weft::rt::poll_watcher&)>& end,
                   const std::function<void()>& another = nullptr) {
  struct counted : weft::rt::poll_watcher {
    countdown left{1};
    weft::rt::atomic<int> told{0};
  };
  counted watcher;
  watcher.run = [](weft::rt::poll_watcher* self) {
    auto* of = static_cast<counted*>(self);
    of->told.fetch_add(1, weft::rt::seq_cst);
    of->left.done();
  };
  int error = 0;
  model::setup();
  model::start_runtime(1);
  poll_desc* pd = weft::rt::poll_open(fd, error);
  model::setup_done();
  if (another != nullptr) model::spawn(another);
  const bool armed = weft::rt::poll_watch(pd, watcher);
  const bool taken = end(pd, watcher);
  if (armed && !taken) watcher.left.wait();
  model::join_all();
  model::check(watcher.told.load(weft::rt::seq_cst) == (armed && !taken ? 1 : 0),
               "a watcher was not told once for being armed");
}
void watch_edge() {
  watch_against([](poll_desc*, weft::rt::poll_watcher&) { return false; }, edge);
}
void watch_eviction() {
  watch_against(
      [](poll_desc* pd, weft::rt::poll_watcher&) {
        weft::rt::poll_evict(pd);
        return false;
      },
      edge);
}
void watch_taken_out() {
  watch_against([](poll_desc* pd,
                   weft::rt::poll_watcher& watcher) { return weft::rt::poll_unwatch(pd, watcher); },
                edge);
}

constexpr const char* file = "weft/sched/netpoll.cpp";
constexpr const char* commit =
    "compare_exchange(\n      expected, reinterpret_cast<uintptr_t>(gp), seq_cst, seq_cst)";
constexpr const char* unblock =
    "word.compare_exchange(old, io_ready ? word_ready : word_nil, seq_cst, seq_cst)";

model::scenario long_one(const char* name, void (*body)()) {
  model::scenario s{.name = name, .body = body, .of = model::part::netpoll};
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

TEST(netpoll_model, watcher) {
  model::verify(
      long_one("netpoll, watcher and edge", watch_edge),
      {
          {"watch: overwrites the edge", file,
           "pd->reader.compare_exchange(seen, armed, seq_cst, seq_cst)", model::change::always},
          {"watch: by load and store", file,
           "pd->reader.compare_exchange(seen, armed, seq_cst, seq_cst)", model::change::split},
          {"edge: takes nobody out", file, unblock, model::change::never},
      });
}

TEST(netpoll_model, watcher_and_eviction) {
  model::verify(long_one("netpoll, watcher, edge and eviction", watch_eviction),
                {
                    {"two tell one watcher", file, unblock, model::change::split},
                    {"unblock: takes nobody out", file, unblock, model::change::never},
                    {"unblock: takes what is gone", file, unblock, model::change::always},
                });
}

TEST(netpoll_model, watcher_taken_out) {
  model::verify(
      long_one("netpoll, watcher taken out", watch_taken_out),
      {
          {"unwatch: takes what is gone", file,
           "pd->reader.compare_exchange(armed, word_nil, seq_cst, seq_cst)", model::change::always},
          {"unwatch: by load and store", file,
           "pd->reader.compare_exchange(armed, word_nil, seq_cst, seq_cst)", model::change::split},
          {"unblock: by load and store", file, unblock, model::change::split},
      });
}

TEST(netpoll_model, readiness) {
  model::verify(long_one("netpoll, edge", readiness),
                {
                    {"commit: overwrites the edge", file, commit, model::change::always},
                    {"commit: by load and store", file, commit, model::change::split},
                    {"edge: takes nobody out", file, unblock, model::change::never},
                });
}

TEST(netpoll_model, readiness_and_deadline) {
  model::verify(long_one("netpoll, edge and deadline", readiness_and_deadline),
                {
                    {"two wake one goroutine", file, unblock, model::change::split},
                    {"commit: overwrites what came", file, commit, model::change::always},
                    {"unblock: takes what is gone", file, unblock, model::change::always},
                });
}

TEST(netpoll_model, readiness_and_eviction) {
  model::verify(long_one("netpoll, edge and eviction", readiness_and_eviction),
                {
                    {"two wake one goroutine", file, unblock, model::change::split},
                    {"commit: overwrites what came", file, commit, model::change::always},
                    {"unblock: takes what is gone", file, unblock, model::change::always},
                });
}

// The sequence in an event's tag has no mutant: an event may pass that check and find the state
// closed and opened again a moment later, which is one wake-up for nothing.
TEST(netpoll_model, reuse) {
  model::verify(
      long_one("netpoll, reuse", reuse),
      {
          {"open: the close stands", file, "pd->info.store(0, seq_cst)", model::change::drop},
          {"open: old readiness stands", file, "pd->reader.store(word_nil, relaxed)",
           model::change::drop},
          {"a late timer is believed", nullptr, "netpoll: a late timer is believed",
           model::change::leave_out},
          {"the lock: whatever it finds", "weft/base/futex_mutex.hpp",
           "state_.compare_exchange(expected, 1, acquire, relaxed)) [[unlikely]]",
           model::change::always},
      });
}

}  // namespace
