// SPDX-License-Identifier: Apache-2.0
// The mutex under every interleaving of two and three threads: exclusion, visibility, no lost
// wake-up, both modes. The threads are guests: they park on futexes.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>

#include "weft/sync/mutex.hpp"

namespace {

struct world {
  weft::mutex lock;
  int count = 0;  // under lock
};

void contenders(int threads, int rounds) {
  world w;
  for (int i = 0; i < threads; ++i)
    model::spawn([&w, rounds] {
      for (int k = 0; k < rounds; ++k) {
        w.lock.lock();
        ++w.count;
        w.lock.unlock();
      }
    });
  model::join_all();
  model::check(w.count == threads * rounds, "a count was lost");
}

void use(world& w) {
  w.lock.lock();
  ++w.count;
  w.lock.unlock();
}

/// One waits so long that it starves; unlock hands over to it, while another one arrives.
void starving() {
  world w;
  model::setup();
  w.lock.lock();
  model::spawn([&w] { use(w); });
  model::setup_done();  // it sleeps
  model::setup();
  model::advance_clock(2'000'000);
  w.lock.unlock();
  w.lock.lock();  // it was woken, and loses
  model::setup_done();
  model::spawn([&w] { use(w); });
  w.lock.unlock();
  use(w);
  model::join_all();
  model::check(w.count == 3, "a count was lost");
}

/// Two that wait and one that only tries.
void tries() {
  world w;
  for (int i = 0; i < 2; ++i)
    model::spawn([&w] {
      w.lock.lock();
      ++w.count;
      w.lock.unlock();
    });
  model::spawn([&w] {
    if (!w.lock.try_lock()) return;
    ++w.count;
    w.lock.unlock();
  });
  model::join_all();
}

constexpr const char* file = "weft/sync/mutex.cpp";
constexpr const char* header = "weft/sync/mutex.hpp";
constexpr const char* machine = "weft/sched/machine.cpp";

TEST(mutex_model, two_threads) {
  model::verify(
      {.name = "mutex, 2 threads",
       .body = [] { contenders(2, 1); },
       .of = model::part::mutex,
       .all_seen = true},
      {
          {"lock: relaxed", header,
           "state_.compare_exchange(free, locked, rt::acquire, rt::relaxed)",
           model::change::weaken},
          {"lock: whatever it finds", header,
           "state_.compare_exchange(free, locked, rt::acquire, rt::relaxed)",
           model::change::always},
          {"unlock: relaxed", header,
           "state_.compare_exchange(only_locked, 0, rt::release, rt::relaxed)",
           model::change::weaken},
          {"unlock: whatever it finds", header,
           "state_.compare_exchange(only_locked, 0, rt::release, rt::relaxed)",
           model::change::always},
          {"lock_slow: load and store", file,
           "state_.compare_exchange(old, next, rt::acquire, rt::relaxed)", model::change::split},
      });
}

TEST(mutex_model, three_threads) {
  model::scenario s{
      .name = "mutex, 3 threads", .body = [] { contenders(3, 1); }, .of = model::part::mutex};
  model::verify(
      s,
      {
          {"lock_slow: relaxed", file,
           "state_.compare_exchange(old, next, rt::acquire, rt::relaxed)", model::change::weaken},
          {"unlock_slow: relaxed", file,
           "state_.compare_exchange(old, next, rt::release, rt::relaxed)", model::change::weaken},
          {"unlock_slow: load and store", file,
           "state_.compare_exchange(old, next, rt::release, rt::relaxed)", model::change::split},
      });
}

TEST(mutex_model, try_lock) {
  model::verify({.name = "mutex, try_lock", .body = tries, .of = model::part::mutex},
                {
                    {"try_lock: relaxed", file,
                     "state_.compare_exchange(old, old | locked, rt::acquire, rt::relaxed)",
                     model::change::weaken},
                    {"try_lock: whatever it finds", file,
                     "state_.compare_exchange(old, old | locked, rt::acquire, rt::relaxed)",
                     model::change::always},
                    {"try_lock: load and store", file,
                     "state_.compare_exchange(old, old | locked, rt::acquire, rt::relaxed)",
                     model::change::split},
                });
}

// The hand-over's acquire has no mutant: what it orders, the semaphore's lock orders already.
TEST(mutex_model, starvation) {
  model::scenario s{.name = "mutex, starving", .body = starving, .of = model::part::mutex};
  model::verify(
      s, {
             {"hand-over: load and store", file, "state_.fetch_add(delta, rt::acquire)",
              model::change::split},
             {"hand-over: not taken", file, "state_.fetch_add(delta, rt::acquire)",
              model::change::drop},
             {"lock_slow: looks at an old state", file,
              "state_.load(rt::relaxed);\n    if ((old & starving)", model::change::reads_zero},
         });
}

TEST(mutex_model, guests_sleep_and_wake) {
  model::verify(
      {.name = "guest parking",
       .body = [] { contenders(2, 2); },
       .of = model::part::guests,
       .all_seen = true},
      {
          {"guest_ready: word not set", machine,
           "mp->park_word.store(1, release);  // partner: the acquire in guest_park()",
           model::change::drop},
          {"guest_ready: nobody is woken", machine,
           "os::futex_wake(mp->park_word, 1);\n}\n\n}  // namespace weft::rt", model::change::drop},
          {"guest_ready: relaxed", machine,
           "mp->park_word.store(1, release);  // partner: the acquire in guest_park()",
           model::change::weaken},
          {"guest_park: it was woken long ago", machine,
           "mp->park_word.store(0, relaxed);\n  // Nothing runs", model::change::drop},
      });
}

}  // namespace
