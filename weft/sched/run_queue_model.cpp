// SPDX-License-Identifier: Apache-2.0
// The run queue under every interleaving of its owner and thieves: what is pushed is taken once,
// and nothing of it is missed.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>

#include "weft/sched/internal/run_queue.hpp"

namespace {

using weft::rt::run_queue;

/// What stands for a goroutine: who takes it uses it, so two takers race.
struct item {
  int taken = 0;
};
using queue = run_queue<item, 4>;

/// Written before it is pushed: whoever takes it must see that.
item* made(item& it) {
  it.taken = 0;
  return &it;
}

void use(item* it) {
  model::check(it != nullptr && it->taken == 0, "an item was taken twice");
  it->taken = 1;
}

struct world {
  queue q;
  item items[8];
  int owner_took = 0, thief_took = 0;
};

void steal(world& w) {
  queue mine;
  for (item* it = mine.steal_half(w.q); it != nullptr; it = mine.pop()) {
    use(it);
    ++w.thief_took;
  }
}

/// Three items pass through two places' worth of wrapping, a thief takes halves meanwhile.
void owner_and_thief() {
  world w;
  // The ring has gone round once: slots are used anew.
  for (int i = 0; i < 3; ++i) {
    (void)w.q.push(&w.items[7]);
    (void)w.q.pop();
  }
  model::spawn([&] { steal(w); });
  for (int i = 0; i < 2; ++i) model::check(w.q.push(made(w.items[i])), "an empty queue is full");
  for (int i = 2; i < 4; ++i)
    if (w.q.push(made(w.items[i])) && i == 2)
      if (item* it = w.q.pop(); it != nullptr) {
        use(it);
        ++w.owner_took;
      }
  while (item* it = w.q.pop()) {
    use(it);
    ++w.owner_took;
  }
  model::check(w.q.empty(), "the queue is not empty after all was taken");
  model::join_all();
  model::check(w.owner_took + w.thief_took == 4, "an item was lost");
}

/// The ring is full: its owner spills half of it while a thief steals.
void spill_and_steal() {
  world w;
  for (int i = 0; i < 4; ++i) (void)w.q.push(&w.items[i]);
  model::spawn([&] { steal(w); });
  item* out[2];
  const uint32_t n = w.q.spill(out, 2);
  for (uint32_t i = 0; i < n; ++i) use(out[i]);
  w.owner_took = static_cast<int>(n);
  // Thieves made room, or the spill did.
  if (w.q.push(made(w.items[4]))) {
    while (item* it = w.q.pop()) {
      use(it);
      ++w.owner_took;
    }
    model::join_all();
    model::check(w.owner_took + w.thief_took == 5, "an item was lost");
  }
}

/// The slot that is run next: put by the owner, taken by the owner or by a thief that saw it.
void next_slot() {
  world w;
  model::spawn([&] {
    item* seen = w.q.peek_next();
    if (seen != nullptr && w.q.steal_next(seen)) {
      use(seen);
      ++w.thief_took;
    }
  });
  item* before = w.q.exchange_next(made(w.items[0]));
  model::check(before == nullptr, "the next slot was not empty");
  before = w.q.exchange_next(made(w.items[1]));  // kicks the first out, into the ring
  if (before != nullptr) (void)w.q.push(before);
  if (item* it = w.q.take_next(); it != nullptr) {
    use(it);
    ++w.owner_took;
  }
  while (item* it = w.q.pop()) {
    use(it);
    ++w.owner_took;
  }
  model::join_all();
  model::check(w.owner_took + w.thief_took == 2, "an item was lost");
}

/// The same goroutine comes to the next slot twice; a thief has seen it the first time.
void next_slot_again() {
  world w;
  model::spawn([&] {
    item* seen = w.q.peek_next();
    if (seen == nullptr || !w.q.steal_next(seen)) return;
    model::check(seen->taken % 2 == 0, "stolen while it runs");
    ++w.thief_took;
  });
  for (int i = 0; i < 2; ++i) {
    (void)w.q.exchange_next(&w.items[0]);
    item* mine = w.q.take_next();
    if (mine == nullptr) break;
    mine->taken = 1;  // it runs, and is made runnable once more
    mine->taken = 2;
    if (i == 1) ++w.owner_took;
  }
  model::join_all();
  model::check(w.owner_took + w.thief_took == 1, "it was taken twice, or lost");
}

/// A thread about to sleep looks at the queue last; who put something there looks for sleepers.
void publish_and_look() {
  struct {
    queue q;
    item it;
    weft::rt::atomic<int> sleeping{0};
    bool work_seen = false, sleeper_seen = false;
  } w;
  model::spawn([&] {
    w.sleeping.store(1, weft::rt::seq_cst);
    w.work_seen = !w.q.empty();
  });
  (void)w.q.exchange_next(&w.it);
  w.sleeper_seen = w.sleeping.load(weft::rt::seq_cst) != 0;
  model::join_all();
  model::check(w.work_seen || w.sleeper_seen, "work lies there, and a sleeper sleeps");
}

/// An item that moves from the next slot to the ring is somewhere at every moment.
void moving_item() {
  world w;
  (void)w.q.exchange_next(&w.items[0]);
  model::spawn([&] { model::check(!w.q.empty(), "a queue with an item looks empty"); });
  item* before = w.q.exchange_next(&w.items[1]);
  (void)w.q.push(before);
  (void)w.q.take_next();
  model::join_all();
}

constexpr const char* file = "weft/sched/internal/run_queue.hpp";

TEST(run_queue_model, owner_and_thief) {
  model::scenario s{.name = "run_queue", .body = owner_and_thief, .of = model::part::run_queue};
  s.preemptions = 3;
  model::verify(
      s, {
             {"push: tail relaxed", file, "tail_.store(tail + 1, release)", model::change::weaken},
             {"steal: tail relaxed", file, "tail_.load(acquire);  // partner: push()",
              model::change::weaken},
             {"steal: head by a store", file,
              "victim.head_.compare_exchange(head, head + count, acq_rel, relaxed)) continue;",
              model::change::split},
             {"steal: takes what is gone", file,
              "victim.head_.compare_exchange(head, head + count, acq_rel, relaxed)) continue;",
              model::change::always},
             {"pop: takes what is gone", file,
              "head_.compare_exchange(head, head + 1, acq_rel, acquire)", model::change::always},
         });
}

TEST(run_queue_model, spill_and_steal) {
  model::verify(
      {.name = "run_queue, spill",
       .body = spill_and_steal,
       .of = model::part::run_queue,
       .all_seen = true},
      {
          {"spill: takes what is gone", file,
           "head_.compare_exchange(head, head + count, acq_rel, relaxed)) return 0;",
           model::change::always},
          {"spill: head by a store", file,
           "head_.compare_exchange(head, head + count, acq_rel, relaxed)) return 0;",
           model::change::split},
          {"steal: takes what is gone", file,
           "victim.head_.compare_exchange(head, head + count, acq_rel, relaxed)) continue;",
           model::change::always},
      });
}

TEST(run_queue_model, next_slot) {
  model::verify(
      {.name = "runnext", .body = next_slot, .of = model::part::next_slot, .all_seen = true},
      {
          {"exchange_next: relaxed", file, "next_.exchange(item, seq_cst)", model::change::weaken},
          {"exchange_next: load and store", file, "next_.exchange(item, seq_cst)",
           model::change::split},
          {"take_next: load and store", file, "next_.exchange(nullptr, acq_rel)",
           model::change::split},
          {"steal_next: takes what is gone", file,
           "next_.compare_exchange(seen, nullptr, acq_rel, relaxed)", model::change::always},
      });
}

TEST(run_queue_model, next_slot_again) {
  model::verify(
      {.name = "runnext, twice",
       .body = next_slot_again,
       .of = model::part::next_slot,
       .all_seen = true},
      {
          {"steal_next: relaxed", file, "next_.compare_exchange(seen, nullptr, acq_rel, relaxed)",
           model::change::weaken},
          {"take_next: load and store", file, "next_.exchange(nullptr, acq_rel)",
           model::change::split},
          {"steal_next: takes what is gone", file,
           "next_.compare_exchange(seen, nullptr, acq_rel, relaxed)", model::change::always},
      });
}

TEST(run_queue_model, publish_and_look) {
  model::verify(
      {.name = "runnext, last look",
       .body = publish_and_look,
       .of = model::part::next_slot,
       .all_seen = true},
      {
          {"exchange_next: acq_rel", file, "next_.exchange(item, seq_cst)",
           model::change::to_acq_rel},
          {"empty: next acquire", file, "next_.load(seq_cst)", model::change::to_acquire},
          {"empty: no look at next", file, "next_.load(seq_cst)", model::change::reads_zero},
      });
}

TEST(run_queue_model, moving_item) {
  model::verify(
      {.name = "run_queue, moving item",
       .body = moving_item,
       .of = model::part::run_queue,
       .all_seen = true},
      {
          {"empty: next relaxed", file, "next_.load(seq_cst)", model::change::weaken},
          {"take_next: relaxed", file, "next_.exchange(nullptr, acq_rel)", model::change::weaken},
          {"push: tail relaxed, head read", file, "tail_.store(tail + 1, release)",
           model::change::drop},
      });
}

}  // namespace
