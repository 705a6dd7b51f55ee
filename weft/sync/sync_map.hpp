// SPDX-License-Identifier: Apache-2.0
// sync_map: a hash map for many readers and writers at once, with the operations of Go's sync.Map.
//
//   weft::sync_map<std::string, int> hits;
//   hits.store("a", 1);
//   std::optional<int> n = hits.load("a");
//   auto [value, loaded] = hits.load_or_store("b", 7);
//   hits.range([](const std::string& key, int value) { return key != "stop"; });
//
// **Reads** (load, read, contains) take no lock and write nothing that threads share: they scale
// with the cores, and neither block nor are blocked. **Writes** lock one stripe of 64 (weft::mutex:
// a goroutine that waits parks), so writes of different keys seldom meet. The table grows piece by
// piece, by the hand of writers; no operation ever waits for all of it to be rehashed. Expected
// O(1); a bad hash function makes it O(entries with this hash).
//
// **Values.** One that is trivially copyable and fits 8 bytes lies in the entry, and overwriting it
// stores a word. Any other lies in a box of its own that never changes; overwriting replaces the
// box, and the old one is destroyed when no reader looks at it any more, by a later writer. So old
// values outlive their replacement a little: about 256 of them for each map, all when the map is
// destroyed. If a thread stands still *inside* a read, up to 65,536 of them; then writers wait for
// it. A value that cannot be copied is used with read(), insert(), store() and erase().
//
// **Order.** Each operation on a key is atomic, and all operations of a key are in one order. What
// was done before a store happens before what is done after a load that sees it. range() and size()
// are no snapshot; clear() is one step to writers.
//
// **User code.** Hash runs before anything is locked. Equality, the copy constructor of V and the
// function given to read() run inside a read and must not park: no channel, no lock that may be
// held, no write of any sync_map. Debug builds end the program where they do. In writes the same
// run under the stripe's lock: they must not use this map, and may throw: then the operation has
// done nothing, and the map is whole. range() calls its function with nothing held: it may park,
// and use the map. Destructors must not throw.
//
// **Memory.** An empty map is 5 KB; an entry is a node of 32 bytes plus its key beyond 8, and a
// box. The table never shrinks but by clear().
//
// **Choose it** for maps that are read more than written, or by several cores; entries that many
// goroutines look up and each writes alone (caches, registries). For compound changes of an entry,
// or mostly writes of large values: sharded_map. For one writer and whole-map snapshots:
// atomic_value<map>. For a handful of cold accesses: mutex and a plain map.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>  // std::hash, std::equal_to: <functional> would cost everyone 0.1 s
#include <optional>
#include <type_traits>
#include <utility>

#include "weft/base/export.hpp"
#include "weft/sync/internal/garbage.hpp"
#include "weft/sync/internal/growing_array.hpp"
#include "weft/sync/internal/map_table.hpp"
#include "weft/sync/internal/spread_hash.hpp"
#include "weft/sync/internal/value_word.hpp"

namespace weft {
namespace rt {

/// Hashes that cannot throw and cost less than what it costs to remember them.
template <class K, class Hash>
inline constexpr bool cheap_hash =
    std::is_scalar_v<K> && !std::is_floating_point_v<K> && std::is_same_v<Hash, std::hash<K>>;

/// The types of a sync_map, and its nodes.
template <class K, class V, class Hash>
struct map_types {
  static constexpr bool inlined = fits_word<V>;
  using box = value_box<V>;

  struct kept_hash {
    explicit kept_hash(uint64_t h) noexcept : value(h) {}
    uint64_t value;
  };
  struct no_hash {
    explicit no_hash(uint64_t) noexcept {}
  };
  struct node : map_node {
    template <class Key>
    node(uint64_t h, uint64_t bits, Key&& k) : value(bits), hash(h), key(std::forward<Key>(k)) {}
    /// The value, or its box's address. Written under the stripe's lock; release there, acquire
    /// in readers.
    atomic<uint64_t> value;
    [[no_unique_address]] std::conditional_t<cheap_hash<K, Hash>, no_hash, kept_hash> hash;
    const K key;
  };
  static uint64_t hash_of(const map_node* n) noexcept {
    if constexpr (cheap_hash<K, Hash>)
      return spread_hash(Hash{}(static_cast<const node*>(n)->key));
    else
      return static_cast<const node*>(n)->hash.value;
  }

  /// A value that is about to be stored: deleted unless it was.
  class pending {
   public:
    explicit pending(V&& value) {
      if constexpr (inlined)
        word_ = to_word(value);
      else
        word_ = reinterpret_cast<uint64_t>(new box(std::move(value)));
    }
    ~pending() {
      if (owned_) destroy(word_);
    }
    pending(const pending&) = delete;
    pending& operator=(const pending&) = delete;
    [[nodiscard]] uint64_t bits() const noexcept { return word_; }
    [[nodiscard]] decltype(auto) value() const noexcept { return get(word_); }
    void stored() noexcept { owned_ = false; }

   private:
    uint64_t word_;
    bool owned_ = true;
  };

  /// A copy of a small value, a reference to a boxed one.
  static decltype(auto) get(uint64_t bits) noexcept {
    if constexpr (inlined)
      return from_word<V>(bits);
    else
      return std::as_const(reinterpret_cast<box*>(bits)->value);
  }
  static void destroy(uint64_t bits) noexcept {
    if constexpr (!inlined) delete reinterpret_cast<box*>(bits);
  }
  static void destroy_node(map_node* n) noexcept {
    auto* whole = static_cast<node*>(n);
    destroy(whole->value.load(acquire));
    delete whole;
  }
};

}  // namespace rt

template <class K, class V, class Hash = std::hash<K>, class Eq = std::equal_to<K>,
          class Tuning = rt::map_tuning>
class sync_map {
  static_assert(std::is_object_v<K> && std::is_object_v<V> && !std::is_const_v<K> &&
                    !std::is_const_v<V> && !std::is_array_v<K> && !std::is_array_v<V>,
                "weft: sync_map<K, V>: K and V must be object types, not const, no arrays");
  static_assert(std::is_nothrow_destructible_v<K> && std::is_nothrow_destructible_v<V>,
                "weft: sync_map<K, V>: destructors must not throw");
  static_assert(std::is_invocable_r_v<size_t, const Hash&, const K&>,
                "weft: sync_map<K, V>: Hash must be callable with a const K& and return a size_t");
  static_assert(std::is_invocable_r_v<bool, const Eq&, const K&, const K&>,
                "weft: sync_map<K, V>: Eq must compare two const K&");

  using types = rt::map_types<K, V, Hash>;
  using node = typename types::node;
  using tables = rt::map_tables<Tuning>;
  using locked = typename tables::locked;
  /// A key that is looked up without making a K of it.
  template <class Q>
  static constexpr bool looked_up = rt::transparent<Hash> && rt::transparent<Eq>;
  static constexpr bool copies = std::copy_constructible<V>;
  static constexpr bool compares = std::equality_comparable<V>;
  /// Nothing of the user's runs inside a plain load.
  static constexpr bool trusted = std::is_scalar_v<K> && std::is_same_v<Eq, std::equal_to<K>> &&
                                  std::is_trivially_copyable_v<V>;

 public:
  using key_type = K;
  using mapped_type = V;

  /// Throws std::bad_alloc.
  sync_map() : sync_map(Hash{}, Eq{}) {}
  explicit sync_map(Hash hash, Eq equal = Eq{})
      : hash_(std::move(hash)), equal_(std::move(equal)) {}
  /// Nobody may use it any more. Every key and value that it ever held is destroyed.
  ~sync_map() { tables_.each_node(types::destroy_node); }
  sync_map(const sync_map&) WEFT_DELETED("weft: a sync_map is not copied: refer to it");
  sync_map& operator=(const sync_map&) = delete;

  // --- reading: no locks, never parks -------------------------------------------------------

  /// A copy of the value, or nothing.
  [[nodiscard]] std::optional<V> load(const K& key) const
    requires copies
  {
    return load_key(key);
  }
  template <class Q>
    requires copies && looked_up<Q>
  [[nodiscard]] std::optional<V> load(const Q& key) const {
    return load_key(key);
  }

  /// Calls `f(const V&)` if the key is there; returns whether it was. f must not park; the
  /// reference ends with the call. The value does not change meanwhile.
  template <class F>
  bool read(const K& key, F&& f) const {
    return read_key(key, f);
  }
  template <class Q, class F>
    requires looked_up<Q>
  bool read(const Q& key, F&& f) const {
    return read_key(key, f);
  }

  [[nodiscard]] bool contains(const K& key) const { return contains_key(key); }
  template <class Q>
    requires looked_up<Q>
  [[nodiscard]] bool contains(const Q& key) const {
    return contains_key(key);
  }

  /// Entries; off by as many as come and go while it counts, as is empty(). O(stripes).
  [[nodiscard]] size_t size() const noexcept { return tables_.size(); }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }

  // --- writing: one stripe's lock, may park ---------------------------------------------------

  /// Sets the value.
  void store(K key, V value) {
    garbage_.await_room();
    typename types::pending next(std::move(value));
    const uint64_t h = hash_key(key);
    locked at(tables_, h);
    if (rt::map_bucket* link = at.find(matching(h, key)); link != nullptr) {
      const uint64_t old = replace(link, next);
      at.finish();
      retire_value(old);
      return;
    }
    insert_new(at, h, std::move(key), next);
    at.finish();
  }

  /// Sets the value and returns a copy of the one before, if there was one.
  std::optional<V> swap(K key, V value)
    requires copies
  {
    garbage_.await_room();
    typename types::pending next(std::move(value));
    const uint64_t h = hash_key(key);
    locked at(tables_, h);
    if (rt::map_bucket* link = at.find(matching(h, key)); link != nullptr) {
      std::optional<V> before(types::get(word_at(link)));
      const uint64_t old = replace(link, next);
      at.finish();
      retire_value(old);
      return before;
    }
    insert_new(at, h, std::move(key), next);
    at.finish();
    return std::nullopt;
  }

  /// The value that is there (true), or the given one, stored (false). A key that is there costs
  /// what load() costs.
  std::pair<V, bool> load_or_store(K key, V value)
    requires copies
  {
    const uint64_t h = hash_key(key);
    if (std::optional<V> there = load_hashed(h, key)) return {std::move(*there), true};
    typename types::pending next(std::move(value));
    std::pair<V, bool> result(next.value(), false);
    locked at(tables_, h);
    if (rt::map_bucket* link = at.find(matching(h, key)); link != nullptr)
      return {types::get(word_at(link)), true};
    insert_new(at, h, std::move(key), next);
    at.finish();
    return result;
  }

  /// Stores the value if the key is not there; returns whether it did.
  bool insert(K key, V value) {
    const uint64_t h = hash_key(key);
    if (contains_hashed(h, key)) return false;
    typename types::pending next(std::move(value));
    locked at(tables_, h);
    if (at.find(matching(h, key)) != nullptr) return false;
    insert_new(at, h, std::move(key), next);
    at.finish();
    return true;
  }

  /// Removes the key; returns a copy of its value, if it was there.
  std::optional<V> load_and_delete(const K& key)
    requires copies
  {
    std::optional<V> before;
    remove_key(key, [&before](const V& value) {
      before.emplace(value);
      return true;
    });
    return before;
  }
  template <class Q>
    requires copies && looked_up<Q>
  std::optional<V> load_and_delete(const Q& key) {
    std::optional<V> before;
    remove_key(key, [&before](const V& value) {
      before.emplace(value);
      return true;
    });
    return before;
  }

  /// Removes the key (Go's Delete); returns whether it was there.
  bool erase(const K& key) {
    return remove_key(key, [](const V&) { return true; });
  }
  template <class Q>
    requires looked_up<Q>
  bool erase(const Q& key) {
    return remove_key(key, [](const V&) { return true; });
  }

  /// Sets the value to `desired` if the key is there and its value equals `expected`.
  bool compare_and_swap(const K& key, const V& expected, V desired)
    requires compares
  {
    const uint64_t h = hash_key(key);
    // Most failures need no lock.
    if (!equals_hashed(h, key, expected)) return false;
    garbage_.await_room();
    typename types::pending next(std::move(desired));
    locked at(tables_, h);
    rt::map_bucket* link = at.find(matching(h, key));
    if (link == nullptr || !(types::get(word_at(link)) == expected)) return false;
    const uint64_t old = replace(link, next);
    at.finish();
    retire_value(old);
    return true;
  }

  /// Removes the key if its value equals `expected`.
  bool compare_and_delete(const K& key, const V& expected)
    requires compares
  {
    return remove_key(key, [&expected](const V& value) { return value == expected; });
  }

  /// Removes everything: one step to writers, which all wait for it. Readers may still find what
  /// was there when they began. O(1) under the locks; the entries are destroyed later.
  void clear() {
    garbage_.await_room();
    rt::map_table* old = tables_.clear();
    (void)garbage_.add(old, kind_cleared);
    if (!garbage_.collect()) tables_.collect_later();
  }

  /// Calls `f(const K&, const V&)` for the entries, in no order, until it returns false (or to the
  /// end, if it returns nothing). As Go's Range: no snapshot, but each key at most once, and every
  /// key that is there all along. f gets copies and runs with nothing held: it may park and use
  /// the map. Takes each stripe's lock for some buckets at a time.
  template <class F>
    requires std::is_invocable_v<F&, const K&, const V&>
  void range(F&& f) {
    static_assert(copies && std::copy_constructible<K>,
                  "weft: sync_map::range(f) gives f copies: K and V must be copyable");
    struct entry {
      K key;
      V value;
    };
    // Classes of hashes that are the buckets of now: a key stays in its class however the table
    // grows meanwhile, so it is seen once.
    const size_t classes = tables_.bucket_count();
    rt::growing_array<entry> some;
    for (size_t first = 0; first < tables::stripe_count; ++first) {
      for (size_t c = first; c < classes;) {
        some.clear();
        // Some entries at once, so that the lock is not taken for each.
        for (; c < classes && some.size() < entries_at_once; c += tables::stripe_count)
          tables_.each_in_class(c, classes, [&some](rt::map_node* n) {
            const auto* whole = static_cast<const node*>(n);
            some.add(whole->key, types::get(whole->value.load(rt::relaxed)));
          });
        for (const entry& e : some)
          if (!goes_on(f, e.key, e.value)) return;
      }
    }
  }

 private:
  static constexpr size_t entries_at_once = 32;
  static constexpr unsigned kind_node = tables::kind_first_of_users;
  static constexpr unsigned kind_box = kind_node + 1;
  static constexpr unsigned kind_cleared = kind_box + 1;

  static void destroy_retired(rt::retired* object, unsigned kind) noexcept {
    if (kind == kind_node) {
      types::destroy_node(static_cast<node*>(object));
    } else if (kind == kind_box) {
      if constexpr (!types::inlined) delete static_cast<typename types::box*>(object);
    } else if (kind == tables::kind_table) {
      rt::map_table::free(static_cast<rt::map_table*>(object));
    } else {
      for (auto* t = static_cast<rt::map_table*>(object); t != nullptr;) {
        tables::each_node(*t, types::destroy_node);
        rt::map_table::free(std::exchange(t, t->next.load(rt::acquire)));
      }
    }
  }

  template <class Q>
  [[nodiscard]] uint64_t hash_key(const Q& key) const {
    return rt::spread_hash(hash_(key));
  }
  template <class Q>
  [[nodiscard]] auto matching([[maybe_unused]] uint64_t h, const Q& key) const {
    const auto equals = [this, &key](const rt::map_node* n) {
      return static_cast<bool>(equal_(static_cast<const node*>(n)->key, key));
    };
    if constexpr (rt::cheap_hash<K, Hash>)
      return equals;
    else
      return [h, equals](const rt::map_node* n) {
        return static_cast<const node*>(n)->hash.value == h && equals(n);
      };
  }
  static uint64_t word_at(rt::map_bucket* link) noexcept {
    return static_cast<node*>(link->load(rt::relaxed))->value.load(rt::relaxed);
  }
  static void attend_before_read() noexcept {
    if (rt::attention.load(rt::relaxed) != 0) [[unlikely]]
      rt::attend_reader();
  }

  template <class Q>
  [[nodiscard]] std::optional<V> load_key(const Q& key) const {
    return load_hashed(hash_key(key), key);
  }
  template <class Q>
  [[nodiscard]] std::optional<V> load_hashed(uint64_t h, const Q& key) const {
    attend_before_read();
    const rt::read_section<!trusted> section;
    const auto* n = static_cast<const node*>(tables_.find(h, matching(h, key)));
    if (n == nullptr) return std::nullopt;
    // acquire: partner: replace(), or the node's own publication.
    return std::optional<V>(types::get(n->value.load(rt::acquire)));
  }
  template <class Q, class F>
  bool read_key(const Q& key, F& f) const {
    static_assert(std::is_invocable_v<F&, const V&>,
                  "weft: sync_map::read(key, f): f must be callable with a const V&");
    const uint64_t h = hash_key(key);
    attend_before_read();
    const rt::read_section section;
    const auto* n = static_cast<const node*>(tables_.find(h, matching(h, key)));
    if (n == nullptr) return false;
    const auto& value = types::get(n->value.load(rt::acquire));
    f(value);
    return true;
  }
  template <class Q>
  [[nodiscard]] bool contains_key(const Q& key) const {
    return contains_hashed(hash_key(key), key);
  }
  template <class Q>
  [[nodiscard]] bool contains_hashed(uint64_t h, const Q& key) const {
    attend_before_read();
    const rt::read_section<!trusted> section;
    return tables_.find(h, matching(h, key)) != nullptr;
  }
  [[nodiscard]] bool equals_hashed(uint64_t h, const K& key, const V& expected) const {
    attend_before_read();
    const rt::read_section section;
    const auto* n = static_cast<const node*>(tables_.find(h, matching(h, key)));
    return n != nullptr && types::get(n->value.load(rt::acquire)) == expected;
  }

  /// Under the lock: puts the pending value in place, and returns what was there.
  static uint64_t replace(rt::map_bucket* link, typename types::pending& next) noexcept {
    auto* n = static_cast<node*>(link->load(rt::relaxed));
    const uint64_t old = n->value.load(rt::relaxed);
    n->value.store(next.bits(), rt::release);  // partner: load_hashed()
    next.stored();
    return old;
  }
  static void insert_new(locked& at, uint64_t h, K&& key, typename types::pending& next) {
    at.insert(new node(h, next.bits(), std::move(key)));
    next.stored();
  }
  void retire_value(uint64_t bits) noexcept {
    if constexpr (!types::inlined)
      if (garbage_.add(reinterpret_cast<typename types::box*>(bits), kind_box)) garbage_.collect();
  }

  /// Removes the key if `wanted(value)`, which runs under the lock; says whether it did.
  template <class Q, class Wanted>
  bool remove_key(const Q& key, const Wanted& wanted) {
    const uint64_t h = hash_key(key);
    // One that is not there needs no lock.
    if (!contains_hashed(h, key)) return false;
    garbage_.await_room();
    locked at(tables_, h);
    rt::map_bucket* link = at.find(matching(h, key));
    if (link == nullptr || !wanted(types::get(word_at(link)))) return false;
    rt::map_node* gone = link->load(rt::relaxed);
    at.unlink(link);
    at.finish();
    if (garbage_.add(gone, kind_node)) garbage_.collect();
    return true;
  }

  template <class F>
  static bool goes_on(F& f, const K& key, const V& value) {
    if constexpr (std::is_convertible_v<std::invoke_result_t<F&, const K&, const V&>, bool>) {
      return static_cast<bool>(f(key, value));
    } else {
      f(key, value);
      return true;
    }
  }

  rt::garbage garbage_{destroy_retired};
  [[no_unique_address]] Hash hash_;
  [[no_unique_address]] Eq equal_;
  tables tables_{types::hash_of, garbage_};
};

}  // namespace weft
