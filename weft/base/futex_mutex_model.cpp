// SPDX-License-Identifier: Apache-2.0
// The runtime's lock: exclusion, visibility, and no lost wake-up.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>

#include "weft/base/futex_mutex.hpp"

namespace {

using weft::rt::futex_mutex;
using weft::rt::lock_rank;
using weft::rt::lock_scope;

struct world {
  futex_mutex lock{lock_rank::leaf};
  int count = 0;  // under lock
};

void contenders(int threads) {
  world w;
  for (int i = 0; i < threads; ++i)
    model::spawn([&] {
      const lock_scope hold(w.lock);
      ++w.count;
    });
  model::join_all();
  model::check(w.count == threads, "a count was lost");
}

/// The same with the cheap unlock of locks that outlive it.
void kept(int threads) {
  world w;
  for (int i = 0; i < threads; ++i)
    model::spawn([&] {
      const weft::rt::kept_lock_scope hold(w.lock);
      ++w.count;
    });
  model::join_all();
  model::check(w.count == threads, "a count was lost");
}

/// try_lock() excludes as lock() does.
void tries() {
  world w;
  model::spawn([&] {
    const lock_scope hold(w.lock);
    ++w.count;
  });
  model::spawn([&] {
    if (!w.lock.try_lock()) return;
    ++w.count;
    w.lock.unlock();
  });
  model::join_all();
}

constexpr const char* file = "weft/base/futex_mutex.hpp";

TEST(futex_mutex_model, excludes_and_wakes) {
  model::verify(
      {.name = "futex_mutex, 2 threads",
       .body = [] { contenders(2); },
       .of = model::part::runtime_lock,
       .all_seen = true},
      {
          {"unlock: relaxed", file, "state_.exchange(0, release)", model::change::weaken},
          {"unlock: load and store", file, "state_.exchange(0, release)", model::change::split},
          {"unlock: nobody is woken", file, "os::futex_wake(state_, 1)", model::change::drop},
          {"lock: relaxed", file,
           "state_.compare_exchange(expected, 1, acquire, relaxed)) [[unlikely]]",
           model::change::weaken},
          {"lock: whatever it finds", file,
           "state_.compare_exchange(expected, 1, acquire, relaxed)) [[unlikely]]",
           model::change::always},
          {"lock_slow: relaxed after the sleep", file, "state_.exchange(2, acquire)",
           model::change::weaken},
          {"lock_slow: relaxed while it spins", file,
           "state_.compare_exchange(expected, 1, acquire, relaxed))\n        return;",
           model::change::weaken},
      });
}

TEST(futex_mutex_model, three_threads) {
  model::verify(
      {.name = "futex_mutex, 3 threads",
       .body = [] { contenders(3); },
       .of = model::part::runtime_lock,
       .all_seen = true},
      {
          {"unlock: nobody is woken", file, "os::futex_wake(state_, 1)", model::change::drop},
          {"lock_slow: load and store", file, "state_.exchange(2, acquire)", model::change::split},
          {"lock_slow: relaxed after the sleep", file, "state_.exchange(2, acquire)",
           model::change::weaken},
      });
}

TEST(futex_mutex_model, unlock_kept) {
  model::verify(
      {.name = "futex_mutex, kept",
       .body = [] { kept(2); },
       .of = model::part::runtime_lock,
       .all_seen = true},
      {
          {"heavy fence missing", file, "os::heavy_fence();  // partner: light_fence()",
           model::change::drop},
          {"light fence missing", file, "state_.store(0, release);  // partner: as in unlock()",
           model::change::late},
          {"unlock: relaxed", file, "state_.store(0, release);  // partner: as in unlock()",
           model::change::weaken},
          {"sleepers are not counted", file, "sleepers_.fetch_add(1, relaxed)",
           model::change::drop},
      });
  model::verify({.name = "futex_mutex, kept, 3 threads",
                 .body = [] { kept(3); },
                 .of = model::part::runtime_lock,
                 .all_seen = true},
                {
                    {"sleepers: load and store", file, "sleepers_.fetch_add(1, relaxed)",
                     model::change::split},
                    {"nobody is woken", file, "os::futex_wake(state_, 1);\n  }\n\n private",
                     model::change::drop},
                    {"heavy fence missing", file, "os::heavy_fence();  // partner: light_fence()",
                     model::change::drop},
                });
}

TEST(futex_mutex_model, try_lock) {
  model::verify({.name = "futex_mutex, try_lock",
                 .body = tries,
                 .of = model::part::runtime_lock,
                 .all_seen = true},
                {
                    {"try_lock: relaxed", file,
                     "state_.compare_exchange(expected, 1, acquire, relaxed)) return false",
                     model::change::weaken},
                    {"try_lock: whatever it finds", file,
                     "state_.compare_exchange(expected, 1, acquire, relaxed)) return false",
                     model::change::always},
                    {"try_lock: load and store", file,
                     "state_.compare_exchange(expected, 1, acquire, relaxed)) return false",
                     model::change::split},
                });
}

}  // namespace
