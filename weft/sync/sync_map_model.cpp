// SPDX-License-Identifier: Apache-2.0
// sync_map under the model checker: a reader beside overwrites, removals, growth and clear(); one
// stripe, a table of one bucket to begin with.
#include <gtest/gtest.h>
#include <model/checker/checker.hpp>

#include "weft/sync/sync_map.hpp"

namespace {

struct tiny {
  static constexpr unsigned stripe_bits = 0;
  static constexpr size_t buckets_per_write = 1;
  static constexpr size_t nodes_before_growth = 2;
};

/// Too large for a word.
struct boxed {
  boxed(int n) : number(n), twice(2L * n) {}
  long number;
  long twice;
};

using words = weft::sync_map<int, int, std::hash<int>, std::equal_to<int>, tiny>;
using boxes = weft::sync_map<int, boxed, std::hash<int>, std::equal_to<int>, tiny>;

/// The n-th key after 1 whose hash has, or has not, the last bits of 1's: they share its buckets,
/// or never do.
int key(int n, bool beside_1) {
  constexpr uint64_t bits = 7;
  const uint64_t of_1 = weft::rt::spread_hash(1);
  int k = 1;
  while (n > 0) {
    ++k;
    const uint64_t differing = weft::rt::spread_hash(static_cast<uint64_t>(k)) ^ of_1;
    if (beside_1 ? (differing & bits) == 0 : (differing & 1) == 1) --n;
  }
  return k;
}

void read(const boxes& map, int key, int least) {
  const bool there = map.read(key, [least](const boxed& b) {
    model::check(b.twice == 2 * b.number, "a value is not whole");
    model::check(b.number >= least, "an old value came back");
  });
  model::check(there, "a key that is there was missed");
}

/// One reads a key twice, while it is overwritten.
void overwrite() {
  model::setup();
  boxes map;
  map.store(1, boxed(1));
  model::setup_done();
  model::spawn([&map] {
    read(map, 1, 1);
    read(map, 1, 1);
  });
  map.store(1, boxed(2));
  read(map, 1, 2);
  model::join_all();
}

/// One looks up a key behind others that go and come.
void remove() {
  model::setup();
  boxes map;
  map.store(1, boxed(1));
  map.store(key(1, true), boxed(2));
  model::setup_done();
  model::spawn([&map] { read(map, 1, 1); });
  map.erase(key(1, true));
  map.store(key(2, true), boxed(3));
  model::check(!map.contains(key(1, true)), "a key that was removed is there");
  model::join_all();
}

/// One looks up a key that moves into a larger table, and into a larger one still.
void grow() {
  model::setup();
  words map;
  map.store(1, 1);
  model::setup_done();
  model::spawn([&map] { model::check(map.load(1) == 1, "a key was missed while the table grew"); });
  for (int k = 2; k < 5; ++k) map.store(k, k);
  for (int k = 1; k < 5; ++k) model::check(map.load(k) == k, "a key is lost");
  model::join_all();
  model::check(map.size() == 4, "size");
}

/// One looks up a key that comes into the new table, in a bucket that was never moved.
void find_in_new_table() {
  const int newcomer = key(2, false);
  model::setup();
  words map;
  map.store(1, 1);
  map.store(key(1, true), 2);  // it grows
  map.store(1, 1);             // and the first table is left
  model::setup_done();
  model::spawn([&map, newcomer] {
    const std::optional<int> there = map.load(newcomer);
    model::check(!there || *there == 5, "another value");
  });
  map.store(key(1, false), 4);  // it grows again
  map.store(newcomer, 5);
  model::check(map.load(newcomer) == 5, "a key is lost");
  model::join_all();
}

/// Two who write while it grows, and clear() by one of them.
void clear() {
  model::setup();
  boxes map;
  map.store(1, boxed(1));
  map.store(2, boxed(2));
  model::setup_done();
  model::spawn([&map] {
    (void)map.read(
        1, [](const boxed& b) { model::check(b.twice == 2 * b.number, "a value is not whole"); });
  });
  model::spawn([&map] { map.store(3, boxed(3)); });
  map.clear();
  model::check(!map.contains(1), "clear() leaves a key");
  model::join_all();
}

constexpr const char* table = "weft/sync/internal/map_table.hpp";
constexpr const char* header = "weft/sync/sync_map.hpp";

TEST(sync_map_model, overwrite) {
  model::scenario s{.name = "sync_map, overwrite",
                    .body = overwrite,
                    .of = model::part::sync_map,
                    .all_seen = true};
  s.exhaustive = 3000;
  s.random = 5000;
  model::verify(s, {
                       {"replace: relaxed", header, "n->value.store(next.bits(), rt::release)",
                        model::change::weaken},
                       {"replace: nothing is written", header,
                        "n->value.store(next.bits(), rt::release)", model::change::drop},
                       {"read: value relaxed", header, "n->value.load(rt::acquire));\n    f(value)",
                        model::change::weaken},
                   });
}

TEST(sync_map_model, removal) {
  model::scenario s{.name = "sync_map, removal", .body = remove, .of = model::part::sync_map};
  s.exhaustive = 3000;
  s.random = 5000;
  model::verify(s, {
                       {"insert: relaxed", table, "bucket_->store(n, release);  // partner: find()",
                        model::change::weaken},
                       {"insert: linked without what follows", table,
                        "n->next.store(bucket_->load(relaxed), relaxed);", model::change::drop},
                       {"unlink: it stays", table, "link->store(n->next.load(relaxed), release);",
                        model::change::drop},
                   });
}

TEST(sync_map_model, growth) {
  model::scenario s{.name = "sync_map, growth", .body = grow, .of = model::part::sync_map};
  s.exhaustive = 3000;
  s.random = 5000;
  model::verify(
      s, {
             {"move: unlinked before it is linked", table, "to.store(n, release);",
              model::change::late},
             {"move: the new chain is cut", table, "n->next.store(to.load(relaxed), release);",
              model::change::drop},
             {"move: relaxed", table, "to.store(n, release);", model::change::weaken},
             {"find: does not look in the next table", table,
              "table = table->next.load(acquire);\n    } while", model::change::reads_zero},
             {"leave_table: relaxed", table, "table_.store(next, release);  // partner: find()",
              model::change::weaken},
         });
}

TEST(sync_map_model, next_table) {
  model::scenario s{
      .name = "sync_map, next table", .body = find_in_new_table, .of = model::part::sync_map};
  s.exhaustive = 3000;
  s.random = 5000;
  model::verify(
      s, {
             {"find: next table relaxed", table, "table = table->next.load(acquire);\n    } while",
              model::change::weaken},
             {"grow: next table relaxed", table,
              "old->next.compare_exchange(none, next, release, relaxed)", model::change::weaken},
             {"insert: relaxed", table, "bucket_->store(n, release);  // partner: find()",
              model::change::weaken},
         });
}

TEST(sync_map_model, clearing) {
  model::scenario s{.name = "sync_map, clear", .body = clear, .of = model::part::sync_map};
  s.exhaustive = 3000;
  s.random = 5000;
  model::verify(
      s, {
             {"clear: the old table stays", table, "table_.store(fresh, release);",
              model::change::drop},
             {"clear: relaxed", table, "table_.store(fresh, release);", model::change::weaken},
             {"find: table relaxed", table, "map_table* table = table_.load(acquire);\n    do",
              model::change::weaken},
         });
}

}  // namespace
