// SPDX-License-Identifier: Apache-2.0
// Caches under every order of a few threads: objects that others free come home through inboxes,
// whether their cache is used, idle, visited or given up meanwhile; spans change hands through
// central. No object is given twice or lost, and nobody touches a list that is another's.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>
#include <model/world/heap.hpp>

#include "weft/heap/internal/mcache.hpp"

namespace {

using model::allocate;
using model::deallocate;
using weft::rt::acquire_cache;
using weft::rt::claim_cache;
using weft::rt::mcache;
using weft::rt::put_spare_cache;
using weft::rt::release_cache;
using weft::rt::unclaim_cache;

constexpr uint32_t of_a_span = 16;

/// All objects of a new span; `given` are the first ones of them. So the next allocation wants some
/// that came back.
template <size_t N>
void allocate_span(mcache* cache, void* (&given)[N]) {
  for (void*& object : given) object = allocate(cache);
  for (size_t i = N; i < of_a_span; ++i) (void)allocate(cache);
}

/// A thread frees what another one allocated, which goes on allocating.
void remote_free() {
  model::setup();
  model::start_heap(2);
  mcache* owner = acquire_cache();
  mcache* other = acquire_cache();
  void* given[4];
  allocate_span(owner, given);
  model::setup_done();
  model::spawn([&] {
    for (void* object : given) deallocate(other, object);  // a batch is two of them
    put_spare_cache(other);
  });
  void* mine = allocate(owner);
  void* next = allocate(owner);
  deallocate(owner, mine);
  put_spare_cache(owner);
  model::join_all();
  (void)next;
  model::check_heap(of_a_span - 4 + 1);
}

/// The owner's P is idle: whoever posts takes in what it posted; meanwhile the P runs again, or a
/// thread wants its cache in vain and takes another.
void idle_cache() {
  model::setup();
  model::start_heap(3);
  mcache* owner = acquire_cache();
  mcache* other = acquire_cache();
  void* given[2];
  allocate_span(owner, given);
  unclaim_cache(owner);
  model::setup_done();
  model::spawn([&] {
    for (void* object : given) deallocate(other, object);
    put_spare_cache(other);
  });
  mcache* mine = claim_cache(owner) ? owner : acquire_cache();
  void* object = allocate(mine);
  put_spare_cache(mine);
  model::join_all();
  (void)object;
  model::check_heap(of_a_span - 2 + 1);
}

/// Two post to an idle cache at once: one visits it, and neither's objects are left behind.
void two_posters() {
  model::setup();
  model::start_heap(2);
  mcache* owner = acquire_cache();
  mcache* others[] = {acquire_cache(), acquire_cache()};
  void* given[4];
  allocate_span(owner, given);
  unclaim_cache(owner);
  model::setup_done();
  model::spawn([&] {
    deallocate(others[0], given[0]);
    deallocate(others[0], given[1]);
    put_spare_cache(others[0]);
  });
  deallocate(others[1], given[2]);
  deallocate(others[1], given[3]);
  put_spare_cache(others[1]);
  model::join_all();
  model::check_heap(of_a_span - 4);
}

/// A thread ends while another one frees its objects: by an inbox, or by central.
void thread_ends() {
  model::setup();
  model::start_heap(2);
  mcache* owner = acquire_cache();
  mcache* other = acquire_cache();
  void* given[] = {allocate(owner), allocate(owner)};
  void* kept = allocate(owner);
  model::setup_done();
  model::spawn([&] { release_cache(owner); });
  for (void* object : given) deallocate(other, object);
  release_cache(other);
  model::join_all();
  (void)kept;
  model::check_heap(1);
}

/// A span changes hands through central, while an object of it is freed by a third one.
void hand_over() {
  model::setup();
  model::start_heap(3);
  mcache* first = acquire_cache();
  mcache* second = acquire_cache();
  mcache* third = acquire_cache();
  void* given = allocate(first);
  void* kept = allocate(first);
  model::setup_done();
  model::spawn([&] { release_cache(first); });
  model::spawn([&] {
    deallocate(third, given);
    release_cache(third);
  });
  void* object = allocate(second);  // of the same span, or of a new one
  put_spare_cache(second);
  model::join_all();
  (void)object;
  (void)kept;
  model::check_heap(2);
}

constexpr char cache_file[] = "weft/heap/mcache.cpp";
constexpr char central_file[] = "weft/heap/central.cpp";

TEST(mcache_model, remote_free) {
  model::verify(
      {.name = "cache, remote free",
       .body = remote_free,
       .of = model::part::heap,
       .exhaustive = 5000,
       .random = 5000},
      {
          {"post: relaxed", cache_file, "to->inbox.compare_exchange(first, head, release, relaxed)",
           model::change::weaken},
          {"drain: relaxed", cache_file, "cache.inbox.exchange(nullptr, acquire)",
           model::change::weaken},
          {"drain: load and store", cache_file, "cache.inbox.exchange(nullptr, acquire)",
           model::change::split},
      });
}

TEST(mcache_model, idle_cache) {
  model::verify(
      {.name = "cache, idle and claimed",
       .body = idle_cache,
       .of = model::part::heap,
       .all_seen = true,
       .exhaustive = 5000,
       .random = 5000},
      {
          {"visit: whatever the claim is", cache_file,
           "cache->claim.compare_exchange(expected, cache_claim::visited, acquire, relaxed)",
           model::change::always},
          {"claim: whatever the visitor does", cache_file,
           "cache->claim.compare_exchange(seen, cache_claim::claimed, acquire, relaxed)",
           model::change::always},
          {"claim: relaxed", cache_file,
           "cache->claim.compare_exchange(seen, cache_claim::claimed, acquire, relaxed)",
           model::change::weaken},
          {"end of a visit: relaxed", cache_file,
           "cache->claim.compare_exchange(expected, cache_claim::idle, release, relaxed)",
           model::change::weaken},
      });
}

TEST(mcache_model, two_posters) {
  model::verify(
      {.name = "cache, two posters",
       .body = two_posters,
       .of = model::part::heap,
       .exhaustive = 5000,
       .random = 5000},
      {
          {"post: overwrites", cache_file,
           "to->inbox.compare_exchange(first, head, release, relaxed)", model::change::always},
          {"visit: whatever the claim is", cache_file,
           "cache->claim.compare_exchange(expected, cache_claim::visited, acquire, relaxed)",
           model::change::always},
          {"visit: relaxed", cache_file,
           "cache->claim.compare_exchange(expected, cache_claim::visited, acquire, relaxed)",
           model::change::weaken},
      });
}

TEST(mcache_model, thread_ends) {
  model::verify(
      {.name = "cache, its thread ends",
       .body = thread_ends,
       .of = model::part::heap,
       .all_seen = true,
       .exhaustive = 5000,
       .random = 5000},
      {
          {"visit: nobody does", cache_file,
           "cache->claim.compare_exchange(expected, cache_claim::visited, acquire, relaxed)",
           model::change::never},
          {"drain: sees nothing", cache_file, "cache.inbox.load(relaxed)",
           model::change::reads_zero},
          {"end of the claim: relaxed", cache_file,
           "cache->claim.store(cache_claim::idle, release)", model::change::weaken, 2},
      });
}

TEST(mcache_model, hand_over) {
  model::verify({.name = "span, from cache to cache",
                 .body = hand_over,
                 .of = model::part::heap,
                 .exhaustive = 5000,
                 .random = 5000},
                {
                    {"central_free: no look at the owner", central_file, "s->owner.load(acquire)",
                     model::change::reads_zero},
                    {"central_give: keeps it, too", central_file,
                     "s->owner.store(nullptr, release)", model::change::drop},
                    {"central_take: nobody's", central_file, "s->owner.store(owner, release)",
                     model::change::drop},
                });
}

}  // namespace
