// SPDX-License-Identifier: Apache-2.0
// The pool's chain under every interleaving of its owner and thieves, and the pool itself with Ps,
// guests and epochs: what was put is got once, and is seen as it was put; rings are freed when
// nobody looks into them.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>
#include <model/world/world.hpp>

#include "weft/sched/go.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sync/internal/pool_chain.hpp"
#include "weft/sync/internal/pool_core.hpp"

namespace weft::rt {
void pool_memory_epoch() noexcept;
}

namespace {

using weft::rt::pool_chain;
using weft::rt::pool_ring;

/// Written before it is put: whoever gets it must see that, and nobody else may have it.
struct item {
  int taken = 1;
};

item* made(item& it) {
  it.taken = 0;
  return &it;
}

bool use(void* p) {
  if (p == nullptr) return false;
  auto* it = static_cast<item*>(p);
  model::check(it->taken == 0, "an item was got twice");
  it->taken = 1;
  return true;
}

// --- one ring ---

struct ring_world {
  pool_ring* ring = pool_ring::make(2);
  item items[4];
  int owner = 0, thief = 0;
};

/// Three pass through two places; the last one is wanted by both ends.
void ring_ends() {
  ring_world w;
  model::check(w.ring->push(made(w.items[0])), "an empty ring is full");
  model::spawn([&] {
    for (int i = 0; i < 2; ++i) w.thief += use(w.ring->steal()) ? 1 : 0;
  });
  int pushed = 1;
  pushed += w.ring->push(made(w.items[1])) ? 1 : 0;
  w.owner += use(w.ring->pop()) ? 1 : 0;
  pushed += w.ring->push(made(w.items[2])) ? 1 : 0;
  while (use(w.ring->pop())) ++w.owner;
  model::join_all();
  model::check(w.owner + w.thief == pushed, "an item was lost");
}

/// Two thieves and the owner at the last one.
void ring_thieves() {
  struct {
    pool_ring* ring = pool_ring::make(2);
    item items[1];
    int owner = 0;
    weft::rt::atomic<int> thief{0};
  } w;
  (void)w.ring->push(made(w.items[0]));
  for (int i = 0; i < 2; ++i)
    model::spawn([&] {
      if (use(w.ring->steal())) w.thief.fetch_add(1, weft::rt::relaxed);
    });
  w.owner += use(w.ring->pop()) ? 1 : 0;
  model::join_all();
  model::check(w.owner + w.thief.load(weft::rt::relaxed) == 1,
               "the one item was got twice, or lost");
}

// --- the chain ---

struct chain_world {
  pool_chain chain;
  item items[4];
  int owner = 0, thief = 0;

  void push(item& it) {
    pool_ring* spare = nullptr;
    while (chain.push(made(it), spare) != 0) spare = pool_ring::make(1);  // grows each time
  }
};

/// The owner grows the chain while a thief goes along it; a third finds the rest.
void chain_grows() {
  chain_world w;
  w.push(w.items[0]);
  model::spawn([&] {
    for (int i = 0; i < 2; ++i) w.thief += use(w.chain.steal()) ? 1 : 0;
  });
  w.push(w.items[1]);
  w.push(w.items[2]);
  for (int i = 0; i < 2; ++i) w.owner += use(w.chain.pop()) ? 1 : 0;
  w.push(w.items[3]);  // into the newest ring
  model::join_all();
  while (use(w.chain.steal())) ++w.owner;
  model::check(w.owner + w.thief == 4, "an item was lost");
}

/// Two thieves are there before the first ring is.
void chain_thieves() {
  chain_world w;
  int a = 0, b = 0;
  model::spawn([&] { a += use(w.chain.steal()) ? 1 : 0; });
  model::spawn([&] {
    for (int i = 0; i < 2; ++i) b += use(w.chain.steal()) ? 1 : 0;
  });
  w.push(w.items[0]);
  w.push(w.items[1]);
  model::join_all();
  while (use(w.chain.steal())) ++w.owner;
  model::check(w.owner + a + b == 2, "an item was lost");
}

// --- the pool ---

weft::rt::atomic<int> dropped{0};
void drop(void* p) noexcept {
  (void)use(p);
  dropped.fetch_add(1, weft::rt::relaxed);
}

/// A goroutine with a P puts and gets, a guest ages the pool.
void epochs(int rounds) {
  model::setup();
  model::start_runtime(1);
  struct world {
    weft::rt::pool_core pool{drop};
    item items[3];
    int got = 0;
    model::countdown done{1};
  } w;
  dropped.store(0, weft::rt::relaxed);
  model::setup_done();
  weft::go([&w, rounds] {
    for (int i = 0; i < rounds; ++i) w.pool.put(made(w.items[i]));
    for (int i = 0; i < rounds; ++i) w.got += use(w.pool.get()) ? 1 : 0;
    w.done.done();
  });
  weft::rt::pool_memory_epoch();
  weft::rt::pool_memory_epoch();
  w.done.wait();
  while (use(w.pool.get())) ++w.got;
  weft::rt::pool_memory_epoch();
  weft::rt::pool_memory_epoch();
  model::check(w.got + dropped.load(weft::rt::relaxed) == rounds, "an item was lost");
  model::finish();
}

/// Guests share places: one puts and gets, one steals, one ages.
void guests() {
  struct world {
    weft::rt::pool_core pool{drop};
    item items[3];
    int put = 0, other = 0;
  } w;
  dropped.store(0, weft::rt::relaxed);
  w.pool.put(made(w.items[0]));
  w.pool.put(made(w.items[1]));
  model::spawn([&w] { w.other += use(w.pool.get()) ? 1 : 0; });
  model::spawn([&w] {
    w.pool.put(made(w.items[2]));
    w.put += use(w.pool.get()) ? 1 : 0;
  });
  weft::rt::pool_memory_epoch();
  model::join_all();
  weft::rt::pool_memory_epoch();  // what others have kept is anyone's now, or gone
  int left = 0;
  while (use(w.pool.get())) ++left;
  weft::rt::pool_memory_epoch();
  model::check(w.put + w.other + left + dropped.load(weft::rt::relaxed) == 3, "an item was lost");
}

constexpr const char* chain = "weft/sync/internal/pool_chain.hpp";
constexpr const char* pool = "weft/sync/pool.cpp";

TEST(pool_model, ring_ends) {
  model::scenario s{.name = "pool ring", .body = ring_ends, .of = model::part::pool};
  model::verify(
      s, {
             {"push: head relaxed", chain,
              "head_.store(head + 1, release);  // partner: steal()'s load of head",
              model::change::weaken},
             {"pop: no fence", chain, "fence(seq_cst);  // partner: the fence in steal()",
              model::change::drop},
             {"steal: no fence", chain, "fence(seq_cst);  // partner: the fence in pop()",
              model::change::drop},
             {"steal: takes what is gone", chain,
              "tail_.compare_exchange(tail, tail + 1, seq_cst, acquire)", model::change::always},
             {"pop: takes the last although it is gone", chain,
              "tail_.compare_exchange(tail, tail + 1, seq_cst, relaxed)", model::change::always},
             {"pop: does not say what it wants", chain, "head_.store(head, release);",
              model::change::drop},
         });
}

TEST(pool_model, ring_thieves) {
  model::verify(
      {.name = "pool ring, thieves",
       .body = ring_thieves,
       .of = model::part::pool,
       .all_seen = true},
      {
          {"steal: tail by a store", chain,
           "tail_.compare_exchange(tail, tail + 1, seq_cst, acquire)", model::change::split},
          {"pop: tail by a store", chain,
           "tail_.compare_exchange(tail, tail + 1, seq_cst, relaxed)", model::change::split},
          {"steal: takes what is gone", chain,
           "tail_.compare_exchange(tail, tail + 1, seq_cst, acquire)", model::change::always},
      });
}

TEST(pool_model, chain_grows) {
  model::scenario s{.name = "pool chain", .body = chain_grows, .of = model::part::pool};
  model::verify(
      s, {
             {"push: newer relaxed", chain,
              "ring->newer.store(fresh, release);  // partner: steal(): the ring is made",
              model::change::weaken},
             {"push: nobody hears of the ring", chain,
              "ring->newer.store(fresh, release);  // partner: steal(): the ring is made",
              model::change::drop},
             {"steal: takes what is gone", chain,
              "tail_.compare_exchange(tail, tail + 1, seq_cst, acquire)", model::change::always},
             {"pop: tail by a store", chain,
              "tail_.compare_exchange(tail, tail + 1, seq_cst, relaxed)", model::change::split},
         });
}

TEST(pool_model, chain_thieves) {
  model::scenario s{.name = "pool chain, thieves", .body = chain_thieves, .of = model::part::pool};
  model::verify(s, {
                       {"push: first ring relaxed", chain,
                        "tail_.store(fresh, release);  // partner: as", model::change::weaken},
                       {"push: nobody hears of the first ring", chain,
                        "tail_.store(fresh, release);  // partner: as", model::change::drop},
                       {"steal: relaxed", chain, "pool_ring* ring = tail_.load(acquire);",
                        model::change::weaken},
                   });
}

TEST(pool_model, epochs) {
  model::scenario s{.name = "pool, epochs", .body = [] { epochs(2); }, .of = model::part::pool};
  s.exhaustive = 500;
  s.random = 3000;
  model::verify(
      s, {
             {"rotate: no fence", pool, "os::heavy_fence();  // partner: light_fence()",
              model::change::drop},
             {"rotate: nobody is told", pool, "frozen_.store(1, relaxed);", model::change::drop},
             {"get: frozen is not looked at", pool, "if (frozen_.load(acquire) == 0) [[likely]]",
              model::change::reads_zero},
             {"get: kept is read before frozen", pool, "if (frozen_.load(acquire) == 0) [[likely]]",
              model::change::weaken},
             {"rotate: busy is not looked at", pool,
              "busy.load(acquire) == 0;  // partner: the release", model::change::reads_zero},
         });
}

TEST(pool_model, guests) {
  model::scenario s{.name = "pool, guests", .body = guests, .of = model::part::pool};
  model::verify(
      s, {
             {"visit: frozen is not looked at", pool, "entered_ = pool.frozen_.load(acquire) == 0",
              model::change::reads_zero},
             {"rotate: busy relaxed", pool, "busy.load(acquire) == 0;  // partner: the release",
              model::change::weaken},
             {"rotate: busy is not looked at", pool,
              "busy.load(acquire) == 0;  // partner: the release", model::change::reads_zero},
         });
}

}  // namespace
