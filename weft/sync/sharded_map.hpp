// SPDX-License-Identifier: Apache-2.0
// sharded_map: many plain maps, each under a lock of its own. For entries that are changed in
// place.
//
//   weft::sharded_map<std::string, account> accounts;
//   accounts.update("ann", [](account& a) { a.balance += 10; });   // one step, whoever else is
//   there accounts.compute("bob", [](std::optional<account>& a) {        // looks, inserts,
//   changes, erases
//     if (a && a->closed) a.reset();
//   });
//
// A key belongs to one of 64 shards, and every operation locks that shard (weft::mutex: a goroutine
// that waits parks): O(1) expected, two atomic instructions beside the plain map's work. Functions
// given to it run under the lock. They see the entry itself, not a copy; they may take their time
// and may park, and only the keys of their shard wait; they must not use this map, which would
// deadlock. What they throw leaves the map as they have left it, and the lock free.
//
// Nothing outlives its removal here, and V need be neither copyable nor movable (update() makes it
// in place). for_each() visits shard by shard and is no snapshot.
//
// Choose it when writes are as frequent as reads, or a change depends on what is there: counters,
// accounts, sessions. When reads prevail: sync_map, whose readers take no lock; two cores that read
// the same keys here take turns at their shards.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>  // std::hash, std::equal_to: <functional> would cost everyone 0.1 s
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include "weft/base/export.hpp"
#include "weft/sync/internal/plain_table.hpp"
#include "weft/sync/internal/spread_hash.hpp"
#include "weft/sync/mutex.hpp"

namespace weft {

template <class K, class V, class Hash = std::hash<K>, class Eq = std::equal_to<K>>
class sharded_map {
  static_assert(std::is_object_v<K> && std::is_object_v<V> && !std::is_const_v<K> &&
                    !std::is_const_v<V> && !std::is_array_v<K> && !std::is_array_v<V>,
                "weft: sharded_map<K, V>: K and V must be object types, not const, no arrays");

  template <class Q>
  static constexpr bool looked_up = rt::transparent<Hash> && rt::transparent<Eq>;
  static constexpr bool copies = std::copy_constructible<V>;
  using table = rt::plain_table<K, V>;
  using entry = typename table::entry;

 public:
  using key_type = K;
  using mapped_type = V;

  sharded_map() = default;
  explicit sharded_map(Hash hash, Eq equal = Eq{})
      : hash_(std::move(hash)), equal_(std::move(equal)) {}
  sharded_map(const sharded_map&) WEFT_DELETED("weft: a sharded_map is not copied: refer to it");
  sharded_map& operator=(const sharded_map&) = delete;

  // Everything below may park.

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
  [[nodiscard]] bool contains(const K& key) const {
    return find(key, [](const V&) {});
  }
  /// Calls `f(const V&)` if the key is there; returns whether it was.
  template <class F>
    requires std::is_invocable_v<F&, const V&>
  bool read(const K& key, F&& f) const {
    return find(key, f);
  }
  template <class Q, class F>
    requires looked_up<Q> && std::is_invocable_v<F&, const V&>
  bool read(const Q& key, F&& f) const {
    return find(key, f);
  }

  /// Sets the value.
  void store(K key, V value)
    requires std::move_constructible<V>
  {
    const uint64_t h = hash_key(key);
    std::unique_ptr<entry> gone;  // destroyed when the lock is free
    shard& s = shard_of(h);
    const std::lock_guard held(s.lock);
    entry** link = s.find(h, key, equal_);
    if constexpr (std::is_move_assignable_v<V>) {
      if (link != nullptr) {
        // The old value ends with the parameter, when the lock is free: its destructor may call
        // here.
        V old = std::exchange((*link)->value, std::move(value));
        value = std::move(old);
        return;
      }
    }
    auto fresh = std::make_unique<entry>(h, std::move(key), std::move(value));
    if (link != nullptr) gone.reset(s.entries.unlink(link));
    add(s, fresh);
  }
  /// Stores V(args...) if the key is not there; returns whether it did.
  template <class... Args>
    requires std::constructible_from<V, Args...>
  bool insert(K key, Args&&... args) {
    const uint64_t h = hash_key(key);
    shard& s = shard_of(h);
    const std::lock_guard held(s.lock);
    if (s.find(h, key, equal_) != nullptr) return false;
    auto fresh = std::make_unique<entry>(h, std::move(key), std::forward<Args>(args)...);
    add(s, fresh);
    return true;
  }

  /// Calls `f(V&)` for the key's value, which is V() if it was not there; returns what f returns.
  template <class F>
    requires std::default_initializable<V> && std::is_invocable_v<F&, V&>
  decltype(auto) update(K key, F&& f) {
    static_assert(!std::is_reference_v<std::invoke_result_t<F&, V&>>,
                  "weft: sharded_map::update(key, f): f must return a copy: others may change it");
    const uint64_t h = hash_key(key);
    shard& s = shard_of(h);
    const std::lock_guard held(s.lock);
    if (entry** link = s.find(h, key, equal_); link != nullptr) return f((*link)->value);
    auto fresh = std::make_unique<entry>(h, std::move(key));
    return f(add(s, fresh).value);
  }
  /// Calls `f(V&)` if the key is there; returns whether it was.
  template <class F>
    requires std::is_invocable_v<F&, V&>
  bool modify(const K& key, F&& f) {
    const uint64_t h = hash_key(key);
    shard& s = shard_of(h);
    const std::lock_guard held(s.lock);
    entry** link = s.find(h, key, equal_);
    if (link == nullptr) return false;
    f((*link)->value);
    return true;
  }
  /// Calls `f(std::optional<V>&)` with the value, or nothing if the key is not there. What is in it
  /// afterwards becomes the value; nothing: the key is removed. If f throws, what is in it by then
  /// stays.
  template <class F>
    requires std::is_invocable_v<F&, std::optional<V>&> && std::movable<V>
  void compute(K key, F&& f) {
    const uint64_t h = hash_key(key);
    std::unique_ptr<entry> gone;  // destroyed when the lock is free
    shard& s = shard_of(h);
    const std::lock_guard held(s.lock);
    entry** link = s.find(h, key, equal_);
    std::optional<V> value;
    if (link == nullptr) {
      f(value);
      if (!value) return;
      auto fresh = std::make_unique<entry>(h, std::move(key), std::move(*value));
      add(s, fresh);
      return;
    }
    value.emplace(std::move((*link)->value));
    try {
      f(value);
    } catch (...) {
      if (value)
        (*link)->value = std::move(*value);
      else
        gone.reset(s.entries.unlink(link));  // f had removed it
      throw;
    }
    if (value)
      (*link)->value = std::move(*value);
    else
      gone.reset(s.entries.unlink(link));
  }

  /// Removes the key; returns whether it was there.
  bool erase(const K& key) {
    return erase_if(key, [](const V&) { return true; });
  }
  /// Removes the key if it is there and `f(const V&)` says so; returns whether it did.
  template <class F>
    requires std::is_invocable_r_v<bool, F&, const V&>
  bool erase_if(const K& key, F&& f) {
    const uint64_t h = hash_key(key);
    std::unique_ptr<entry> gone;  // destroyed when the lock is free
    shard& s = shard_of(h);
    const std::lock_guard held(s.lock);
    entry** link = s.find(h, key, equal_);
    if (link == nullptr || !f(std::as_const((*link)->value))) return false;
    gone.reset(s.entries.unlink(link));
    return true;
  }

  /// Calls `f(const K&, V&)` for each entry under its shard's lock, until it returns false (or to
  /// the end, if it returns nothing). An entry that is there all along is seen once.
  template <class F>
    requires std::is_invocable_v<F&, const K&, V&>
  void for_each(F&& f) {
    bool goes_on = true;
    for (size_t i = 0; i < shard_count && goes_on; ++i) {
      shard& s = shards_[i];
      const std::lock_guard held(s.lock);
      s.entries.each([&](entry& e) {
        if constexpr (std::is_convertible_v<std::invoke_result_t<F&, const K&, V&>, bool>)
          goes_on = static_cast<bool>(f(e.key, e.value));
        else
          f(e.key, e.value);
        return goes_on;
      });
    }
  }
  /// Shard by shard; entries that come meanwhile may stay.
  void clear() {
    for (shard& s : shards_) {
      table gone;  // destroyed when the lock is free
      const std::lock_guard held(s.lock);
      gone.swap(s.entries);
    }
  }
  /// Shard by shard.
  [[nodiscard]] size_t size() const {
    size_t sum = 0;
    for (const shard& s : shards_) {
      const std::lock_guard held(s.lock);
      sum += s.entries.size();
    }
    return sum;
  }
  [[nodiscard]] bool empty() const { return size() == 0; }

 private:
  /// Some four for each of 16 cores. More cost a map 128 bytes each, fewer make writers meet.
  static constexpr size_t shard_count = 64;

  struct alignas(64) shard {
    template <class Q>
    [[nodiscard]] entry** find(uint64_t h, const Q& key, const Eq& equal) const {
      return entries.find(h, [&](const K& k) { return static_cast<bool>(equal(k, key)); });
    }
    mutable mutex lock;
    table entries;  // under lock
  };

  template <class Q>
  [[nodiscard]] uint64_t hash_key(const Q& key) const {
    return rt::spread_hash(hash_(key));
  }
  /// By the upper half: the table below uses the lower bits.
  [[nodiscard]] const shard& shard_of(uint64_t hash) const noexcept {
    return shards_[hash >> 32 & (shard_count - 1)];
  }
  [[nodiscard]] shard& shard_of(uint64_t hash) noexcept {
    return shards_[hash >> 32 & (shard_count - 1)];
  }
  static entry& add(shard& s, std::unique_ptr<entry>& fresh) {
    s.entries.insert(fresh.get());
    return *fresh.release();
  }
  template <class Q, class F>
  bool find(const Q& key, F&& f) const {
    const uint64_t h = hash_key(key);
    const shard& s = shard_of(h);
    const std::lock_guard held(s.lock);
    entry** link = s.find(h, key, equal_);
    if (link == nullptr) return false;
    f(std::as_const((*link)->value));
    return true;
  }
  template <class Q>
  [[nodiscard]] std::optional<V> load_key(const Q& key) const {
    std::optional<V> copy;
    find(key, [&copy](const V& value) { copy.emplace(value); });
    return copy;
  }

  [[no_unique_address]] Hash hash_{};
  [[no_unique_address]] Eq equal_{};
  shard shards_[shard_count];
};

}  // namespace weft
