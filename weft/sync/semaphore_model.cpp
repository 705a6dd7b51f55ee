// SPDX-License-Identifier: Apache-2.0
// The semaphores under every interleaving: the counting one that users have, and the sleeping place
// of a mutex. Units are neither lost nor made, first come is first served, nobody sleeps beside a
// free unit.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>

#include "weft/sched/internal/section.hpp"
#include "weft/sync/internal/sema.hpp"
#include "weft/sync/semaphore.hpp"

namespace {

/// One unit, three threads: it excludes as a lock does.
void one_unit() {
  weft::semaphore s(1);
  int count = 0;
  for (int i = 0; i < 2; ++i)
    model::spawn([&] {
      s.acquire();
      ++count;
      s.release();
    });
  s.acquire();
  ++count;
  s.release();
  model::join_all();
  model::check(count == 3, "a count was lost");
}

/// Two units; one wants both.
void large_request() {
  weft::semaphore s(2);
  int written = 0;
  model::spawn([&] {
    s.acquire(2);
    ++written;
    s.release(2);
  });
  model::spawn([&] {
    s.acquire(1);
    s.release(1);
  });
  if (s.try_acquire(2)) {
    ++written;
    s.release(2);
  }
  model::join_all();
  model::check(s.try_acquire(2), "a unit was lost");
}

/// The mutex's: a permit given before it is waited for stays; one given to a sleeper wakes it.
void permits() {
  weft::rt::sema s;
  int written = 0;
  model::spawn([&] {
    written = 1;
    const weft::rt::section in;
    s.release();
  });
  {
    const weft::rt::section in(weft::rt::may_park);
    s.acquire(false, weft::rt::wait_reason::semacquire, nullptr);
  }
  model::check(written == 1, "what happened before release() is missing");
  model::join_all();
}

constexpr const char* mutex = "weft/base/futex_mutex.hpp";
constexpr const char* machine = "weft/sched/machine.cpp";
constexpr const char* chan = "weft/sync/chan.cpp";
constexpr const char* waiter = "weft/sync/internal/waiter.hpp";

TEST(semaphore_model, one_unit) {
  model::verify(
      {.name = "semaphore, one unit", .body = one_unit, .of = model::part::semaphore},
      {
          {"the lock's release is relaxed", mutex, "state_.exchange(0, release)",
           model::change::weaken},
          {"granted and not said", chan, "c.closed.store(1, release)", model::change::drop},
          {"nobody is woken", machine,
           "os::futex_wake(mp->park_word, 1);\n}\n\n}  // namespace weft", model::change::drop},
          {"no waiter is claimed", waiter,
           "sg->claimed->compare_exchange(unclaimed, 1, relaxed, relaxed)", model::change::never},
      });
}

TEST(semaphore_model, large_request) {
  model::verify(
      {.name = "semaphore, two units", .body = large_request, .of = model::part::semaphore},
      {
          {"the lock's acquire is relaxed", mutex,
           "state_.compare_exchange(expected, 1, acquire, relaxed)) [[unlikely]]",
           model::change::weaken},
          {"the lock: whatever it finds", mutex,
           "state_.compare_exchange(expected, 1, acquire, relaxed)) [[unlikely]]",
           model::change::always},
          {"granted and not said", chan, "c.closed.store(1, release)", model::change::drop},
      });
}

TEST(semaphore_model, permits) {
  model::verify({.name = "sema", .body = permits, .of = model::part::semaphore, .all_seen = true},
                {
                    {"the lock's release is relaxed", mutex, "state_.exchange(0, release)",
                     model::change::weaken},
                    {"woken: word not set", machine,
                     "mp->park_word.store(1, release);  // partner: the acquire in guest_park()",
                     model::change::drop},
                    {"woken: relaxed", machine,
                     "mp->park_word.store(1, release);  // partner: the acquire in guest_park()",
                     model::change::weaken},
                });
}

}  // namespace
