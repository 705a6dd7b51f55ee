// SPDX-License-Identifier: Apache-2.0
// map_table: the hash table under sync_map. Chains of nodes that readers walk without writing
// anything, locks in stripes for writers, and a table that grows piece by piece beside them.
//
//   table_ -> [mask, next, buckets...]          next: the table that this one grows into, or null
//                          |
//                          node -> node -> null
//
// A key's stripe and bucket are low bits of one hash, and a table has at least as many buckets as
// there are stripes: so all nodes of a bucket, and of the buckets that it is split into, have one
// stripe. Its lock guards them; whoever holds it needs no read section, for nobody else unlinks.
//
// Readers look in the tables in the order of `next`. They find every key that is there all along:
//
// 1. A node moves by being linked at the head of its new bucket *before* it is unlinked from the
//    old one. Otherwise it could be missed in both.
// 2. The *last* node of an old chain moves first. A reader that stands on a node when it moves
// walks
//    on in the new chain; what came behind it in the old one has moved already, and is found when
//    the reader looks in the next table. Otherwise it would miss those.
// 3. Once a bucket's nodes have moved nothing is linked into it again: writers move a key's bucket
//    before they do anything else. So an old bucket that is empty needs no mark.
// 4. A node that was unlinked keeps its `next`: a reader on it finds its way back. It may find
// other
//    nodes that are gone; those were there when it began.
//
// A table is retired when every stripe has left it (`stripes_left`), for a stripe's own pointer
// says which table its writers use. Growing begins only in the newest table, when it is the only
// one.
//
// Rejected: hash tries, as Go's (4-6 dependent misses a lookup at a million keys, against 2);
// split-ordered lists (a dummy node per bucket, one more miss); copying nodes into the new table
// (allocates, and an overwrite could go to the copy that is left behind); a node per overwrite
// (three to ten times the cost of replacing a word); buckets with seqlocks (readers retry).
//
// All of it is in headers: it is compiled with its users' code, and so seen by their race detector
// together with it. The edges from a store to the load that sees it are those of the atomics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "weft/base/atomic.hpp"
#include "weft/base/zeroed_memory.hpp"
#include "weft/sched/internal/read_section.hpp"
#include "weft/sync/internal/garbage.hpp"
#include "weft/sync/mutex.hpp"

namespace weft::rt {

/// Sizes that models make smaller.
struct map_tuning {
  /// log2 of the stripes. More cost a map 64 bytes each, fewer make writers meet: 2^6 is some four
  /// for each of 16 cores.
  static constexpr unsigned stripe_bits = 6;
  /// Old buckets that a write moves beside its own. Larger makes the unlucky write longer, smaller
  /// keeps two tables for longer: with 8 a table is left after an eighth of the writes that filled
  /// it.
  static constexpr size_t buckets_per_write = 8;
  /// A stripe with fewer nodes does not make its table grow.
  static constexpr size_t nodes_before_growth = 4;
};

struct map_node : retired {
  /// Guarded by the stripe for writing.
  atomic<map_node*> next{nullptr};
};

using map_bucket = atomic<map_node*>;

struct map_table : retired {
  explicit map_table(size_t bucket_count, size_t stripes) noexcept
      : mask(bucket_count - 1), stripes_left(stripes) {}

  /// Null when there is no memory.
  [[nodiscard]] static map_table* make(size_t bucket_count, size_t stripes) noexcept {
    static_assert(sizeof(map_table) % alignof(map_bucket) == 0);
    void* memory = zeroed_allocate(bytes(bucket_count));
    return memory != nullptr ? new (memory) map_table(bucket_count, stripes) : nullptr;
  }
  static void free(map_table* table) noexcept {
    const size_t size = bytes(table->bucket_count());
    table->~map_table();
    zeroed_free(table, size);
  }

  [[nodiscard]] map_bucket& bucket(uint64_t hash) noexcept {
    // A null pointer is all zeros.
    return std::launder(reinterpret_cast<map_bucket*>(this + 1))[hash & mask];
  }
  [[nodiscard]] size_t bucket_count() const noexcept { return mask + 1; }
  [[nodiscard]] static size_t bytes(size_t bucket_count) noexcept {
    return sizeof(map_table) + bucket_count * sizeof(map_bucket);
  }

  const size_t mask;
  /// Set once, null before. release: the table behind it; partner: the acquire in find().
  atomic<map_table*> next{nullptr};
  /// Stripes whose nodes have not all left this table.
  atomic<size_t> stripes_left;
};

template <class Tuning>
class map_tables {
 public:
  using hash_of = uint64_t (*)(const map_node*) noexcept;
  static constexpr size_t stripe_count = size_t{1} << Tuning::stripe_bits;

  struct alignas(64) stripe {
    mutex lock;
    /// Guarded by the lock: where its nodes are, but for those already moved to table->next.
    map_table* table = nullptr;
    /// Guarded by the lock: old buckets below it have been moved.
    size_t cursor = 0;
    /// Nodes; written under the lock.
    atomic<size_t> count{0};
  };

  map_tables(hash_of hash, garbage& retired_here) : hash_(hash), garbage_(retired_here) {
    map_table* first = map_table::make(stripe_count, stripe_count);
    if (first == nullptr) throw std::bad_alloc();
    for (stripe& s : stripes_) s.table = first;
    table_.store(first, relaxed);
  }
  ~map_tables() {
    map_table* table = table_.load(acquire);
    while (table != nullptr) map_table::free(std::exchange(table, table->next.load(acquire)));
  }
  map_tables(const map_tables&) = delete;
  map_tables& operator=(const map_tables&) = delete;

  /// The node of `hash` that `matches`, or null. In a read section.
  template <class Matches>
  [[nodiscard]] map_node* find(uint64_t hash, const Matches& matches) const {
    // acquire, here and below: partner: the release of whoever links a node or a table.
    map_table* table = table_.load(acquire);
    do {
      for (map_node* n = table->bucket(hash).load(acquire); n != nullptr; n = n->next.load(acquire))
        if (matches(n)) return n;
      table = table->next.load(acquire);
    } while (table != nullptr);
    return nullptr;
  }

  /// A stripe's lock, with the key's bucket in the newest table.
  class locked {
   public:
    locked(map_tables& tables, uint64_t hash)
        : tables_(tables), stripe_(tables.stripes_[hash & (stripe_count - 1)]) {
      stripe_.lock.lock();
      bucket_ = &tables.settle(stripe_, hash);
    }
    ~locked() {
      if (bucket_ != nullptr) stripe_.lock.unlock();
    }
    locked(const locked&) = delete;
    locked& operator=(const locked&) = delete;

    /// The link to the node that `matches`, or null.
    template <class Matches>
    [[nodiscard]] map_bucket* find(const Matches& matches) const {
      map_bucket* link = bucket_;
      // relaxed: all of this is written under the lock.
      for (map_node* n = link->load(relaxed); n != nullptr; n = link->load(relaxed)) {
        if (matches(n)) return link;
        link = &n->next;
      }
      return nullptr;
    }
    void insert(map_node* n) noexcept {
      n->next.store(bucket_->load(relaxed), relaxed);
      bucket_->store(n, release);  // partner: find()
      stripe_.count.store(stripe_.count.load(relaxed) + 1, relaxed);
      grows_ = tables_.wants_growth(stripe_);
    }
    /// Unlinks what `link` points to. It keeps its `next`: readers may stand on it.
    void unlink(map_bucket* link) noexcept {
      const map_node* n = link->load(relaxed);
      link->store(n->next.load(relaxed), release);  // partner: find()
      stripe_.count.store(stripe_.count.load(relaxed) - 1, relaxed);
    }
    /// Unlocks, and does a little for the table that grows.
    void finish() noexcept {
      bucket_ = nullptr;
      const map_table* full = grows_ ? stripe_.table : nullptr;
      stripe_.lock.unlock();
      if (full != nullptr) [[unlikely]]
        tables_.grow(full);
      if (tables_.chore_.load(relaxed) != chore::none) [[unlikely]]
        tables_.help();
    }

   private:
    map_tables& tables_;
    stripe& stripe_;
    map_bucket* bucket_ = nullptr;
    bool grows_ = false;
  };

  [[nodiscard]] size_t size() const noexcept {
    size_t sum = 0;
    for (const stripe& s : stripes_) sum += s.count.load(relaxed);
    return sum;
  }
  [[nodiscard]] size_t bucket_count() const noexcept {
    const read_section<false> section;
    return table_.load(acquire)->bucket_count();
  }

  /// Calls `f(node)` for every node of the class `key_class` of hashes with these low bits, under
  /// its stripe's lock. `class_count` is a power of two, at least stripe_count.
  template <class F>
  void each_in_class(uint64_t key_class, size_t class_count, const F& f) {
    const locked at(*this, key_class);
    const stripe& s = stripes_[key_class & (stripe_count - 1)];
    map_table* newest = s.table;
    // acquire: as in settle(): it may have begun to grow since.
    if (map_table* next = newest->next.load(acquire); next != nullptr) {
      // The class may be several old buckets, when the table has grown since it was chosen.
      for (uint64_t b = key_class; b <= newest->mask; b += class_count) move_bucket(*newest, b);
      newest = next;
    }
    for (uint64_t b = key_class & newest->mask; b <= newest->mask; b += class_count)
      for (map_node* n = newest->bucket(b).load(relaxed); n != nullptr; n = n->next.load(relaxed))
        if ((hash_(n) & (class_count - 1)) == key_class) f(n);
  }

  /// Puts an empty table in place of all there are, and returns the old ones, linked by `next`:
  /// the caller retires them. Throws std::bad_alloc.
  [[nodiscard]] map_table* clear() {
    map_table* fresh = map_table::make(stripe_count, stripe_count);
    if (fresh == nullptr) throw std::bad_alloc();
    // All locks, in order: then no write is under way, and this is one step to writers.
    for (stripe& s : stripes_) s.lock.lock();
    map_table* old = table_.load(relaxed);
    table_.store(fresh, release);
    chore_.store(chore::none, relaxed);
    for (stripe& s : stripes_) {
      s.table = fresh;
      s.cursor = 0;
      s.count.store(0, relaxed);
    }
    for (stripe& s : stripes_) s.lock.unlock();
    return old;
  }

  /// Garbage waits for readers, and it is much.
  void collect_later() noexcept { chore_.store(chore::collect, relaxed); }

  /// Every node of a table that nobody uses any more. `f` may free it.
  template <class F>
  static void each_node(map_table& table, const F& f) {
    for (size_t b = 0; b < table.bucket_count(); ++b)
      for (map_node* n = table.bucket(b).load(acquire); n != nullptr;)
        f(std::exchange(n, n->next.load(acquire)));
  }
  template <class F>
  void each_node(const F& f) {
    for (map_table* t = table_.load(acquire); t != nullptr; t = t->next.load(acquire))
      each_node(*t, f);
  }

  /// Kinds of what is retired in the map's garbage.
  static constexpr unsigned kind_table = 0;
  static constexpr unsigned kind_first_of_users = 1;

 private:
  /// The bucket that writers of `hash` use, with its nodes in it. Under the stripe's lock.
  [[nodiscard]] map_bucket& settle(stripe& s, uint64_t hash) noexcept {
    // acquire: partner: grow(), which takes no lock.
    map_table* next = s.table->next.load(acquire);
    if (next == nullptr) [[likely]]
      return s.table->bucket(hash);
    return settle_slow(s, *next, hash);
  }
  __attribute__((noinline)) map_bucket& settle_slow(stripe& s, map_table& next,
                                                    uint64_t hash) noexcept {
    move_bucket(*s.table, hash);
    move_some(s);
    return next.bucket(hash);
  }

  /// Moves all nodes of an old bucket, the last one first. Under the stripe's lock.
  void move_bucket(map_table& old, uint64_t hash) noexcept {
    map_table& next = *old.next.load(relaxed);  // set once; the caller has acquired it
    map_bucket& from = old.bucket(hash);
    // A chain is a node or two. A long one (a bad hash function) is moved in pieces from its end.
    constexpr size_t piece = 64;
    for (;;) {  // ends: each round moves the last `piece` nodes, or all
      map_bucket* links[piece];
      size_t length = 0;
      for (map_bucket* link = &from; map_node* n = link->load(relaxed); link = &n->next)
        links[length++ % piece] = link;
      const size_t left = length > piece ? length - piece : 0;
      while (length > left) move_last(*links[--length % piece], next);
      if (left == 0) return;
    }
  }
  /// The node behind `link` is the last of its chain. Rules 1 and 2.
  void move_last(map_bucket& link, map_table& next) noexcept {
    map_node* n = link.load(relaxed);
    map_bucket& to = next.bucket(hash_(n));
    // release, three times: partner: find(). A reader that comes this way goes on there.
    n->next.store(to.load(relaxed), release);
    to.store(n, release);
    link.store(nullptr, release);
  }

  /// Moves the next buckets of a stripe; after the last one the stripe leaves its table.
  void move_some(stripe& s) noexcept {
    map_table& old = *s.table;
    const auto first = static_cast<size_t>(&s - stripes_);
    for (size_t i = 0; i < Tuning::buckets_per_write; ++i) {
      const size_t b = first + s.cursor * stripe_count;
      if (b > old.mask) return leave_table(s);
      ++s.cursor;
      move_bucket(old, b);
    }
  }
  void leave_table(stripe& s) noexcept {
    map_table* old = s.table;
    map_table* next = old->next.load(relaxed);
    s.table = next;
    s.cursor = 0;
    // acq_rel: the last one comes after what all others did.
    if (old->stripes_left.fetch_sub(1, acq_rel) != 1) return;
    table_.store(next, release);  // partner: find()
    (void)garbage_.add(old, kind_table);
    // Not collected here, under a lock. Soon, for it may be large.
    chore_.store(chore::collect, relaxed);
  }

  [[nodiscard]] bool wants_growth(const stripe& s) const noexcept {
    const size_t nodes = s.count.load(relaxed);
    const size_t buckets = s.table->bucket_count() >> Tuning::stripe_bits;
    return nodes >= Tuning::nodes_before_growth && nodes * 4 > buckets * 3 &&
           s.table->next.load(relaxed) == nullptr;
  }
  /// Begins to grow, if the table that is `full` is the only one. Without memory it stays as it is:
  /// chains get longer, and the next insertion tries again. Holds no stripe's lock: a table may be
  /// large.
  __attribute__((noinline)) void grow(const map_table* full) noexcept {
    const read_section<false> section;  // else the table might be freed meanwhile
    map_table* old = table_.load(acquire);
    if (old->next.load(relaxed) != nullptr) {
      chore_.store(chore::move, relaxed);  // the last growth first
      return;
    }
    if (old != full) return;
    map_table* next = map_table::make(2 * old->bucket_count(), stripe_count);
    if (next == nullptr) return;
    map_table* none = nullptr;
    // release: partner: the acquire in find() and settle().
    if (old->next.compare_exchange(none, next, release, relaxed))
      chore_.store(chore::move, relaxed);
    else
      map_table::free(next);
  }
  /// Moves a piece of some stripe, if nobody is at it. Or frees the table that has been left.
  __attribute__((noinline)) void help() noexcept {
    if (chore_.load(relaxed) == chore::collect) {
      if (garbage_.collect()) chore_.store(chore::none, relaxed);
      return;
    }
    stripe& s = stripes_[turn_.fetch_add(1, relaxed) & (stripe_count - 1)];
    if (!s.lock.try_lock()) return;
    if (s.table->next.load(acquire) != nullptr) move_some(s);
    s.lock.unlock();
  }

  // What readers use, in a line that is written only when the table changes.
  alignas(64) atomic<map_table*> table_{nullptr};
  hash_of hash_;
  garbage& garbage_;
  /// What writers should help with: a hint. It may be lost when one growth ends while another
  /// begins; a stripe that gets full then says it again.
  enum class chore : uint32_t { none, move, collect };
  alignas(64) atomic<chore> chore_{chore::none};
  /// Whose turn it is to be helped.
  atomic<uint32_t> turn_{0};
  stripe stripes_[stripe_count];
};

}  // namespace weft::rt
