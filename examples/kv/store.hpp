// SPDX-License-Identifier: Apache-2.0
// The data: 64 shards chosen by the key's hash, each a table under its own weft::mutex.
//
// One-key commands lock one shard; commands over several keys lock theirs in index order, so each
// command is atomic as in Redis. A shard's lock is never held while a goroutine waits for anything
// but another shard's lock of higher index.
//
// Expiry: keys past their time are treated as absent by find(), and removed there; what nobody
// touches is removed by one goroutine that sleeps until the earliest deadline of all shards.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "table.hpp"
#include "weft/sync/chan.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/mutex.hpp"

namespace kv {

/// Unix time in milliseconds.
[[nodiscard]] int64_t unix_ms() noexcept;

enum class list_end : uint8_t { left, right };

/// An element handed to a client that waits in BLPOP or BRPOP.
struct handed {
  std::string key;
  std::string element;
};

/// One blocked client, registered under each of its keys. Whoever claims it first may answer it.
struct list_waiter {
  explicit list_waiter(list_end from) : end(from) {}
  [[nodiscard]] bool claim() noexcept { return !claimed.exchange(true, std::memory_order_acq_rel); }
  list_end end;
  std::atomic<bool> claimed{false};
  weft::chan<handed> result = weft::make_chan<handed>(1);
};

class shard {
 public:
  /// The live entry of `key`, or null. Removes it if its time has passed at `now_ms`.
  [[nodiscard]] entry* find(std::string_view key, uint64_t hash, int64_t now_ms);
  entry* insert(std::string_view key, uint64_t hash) { return keys_.insert(key, hash); }
  void erase(entry* e) noexcept;
  /// 0: lives for ever.
  void set_expiry(entry* e, int64_t when_ms);
  void clear() noexcept;
  [[nodiscard]] table& keys() noexcept { return keys_; }
  [[nodiscard]] size_t expiring() const noexcept { return expiring_; }

  void add_waiter(std::string_view key, const std::shared_ptr<list_waiter>& waiter);
  void remove_waiter(std::string_view key, const list_waiter* waiter);
  /// Hands elements of the list at `e` to waiting clients, oldest first; erases an emptied list.
  void serve_waiters(entry* e);

  weft::mutex lock;

 private:
  friend class store;
  struct due {
    int64_t when_ms;
    std::string key;
    // Earliest on top of std::push_heap's heap.
    bool operator<(const due& other) const noexcept { return when_ms > other.when_ms; }
  };
  /// Removes what is due; the next deadline or 0.
  int64_t expire_due(int64_t now_ms);
  void drop_stale_deadlines();

  table keys_;
  /// A heap with at least every live deadline; stale ones (key gone, or another time) are dropped
  /// when they come up, or all together when they outnumber the live.
  std::vector<due> deadlines_;
  size_t expiring_ = 0;
  std::unordered_map<std::string, std::deque<std::shared_ptr<list_waiter>>, text_hash,
                     std::equal_to<>>
      waiters_;
  class store* owner_ = nullptr;
};

class store {
 public:
  static constexpr size_t shards = 64;

  store();
  [[nodiscard]] shard& shard_of(uint64_t hash) noexcept { return shards_[hash % shards]; }
  [[nodiscard]] shard& at(size_t index) noexcept { return shards_[index]; }

  /// Removes expired keys until `ctx` ends; runs in a goroutine of its own.
  void run_expiry(const weft::context& ctx);
  /// A deadline that run_expiry() may have to wake up for.
  void note_deadline(int64_t when_ms) noexcept;

  std::atomic<uint64_t> expired_keys{0};

 private:
  shard shards_[shards];
  /// When run_expiry() wakes next; 0: not before it is told.
  std::atomic<int64_t> next_wake_ms_{0};
  weft::chan<int> wake_ = weft::make_chan<int>(1);
};

/// One key, its shard locked.
class locked_key {
 public:
  locked_key(store& from, std::string_view key, int64_t now_ms)
      : hash_(hash_bytes(key)), shard_(from.shard_of(hash_)), key_(key), now_ms_(now_ms) {
    shard_.lock.lock();
  }
  ~locked_key() { shard_.lock.unlock(); }
  locked_key(const locked_key&) = delete;
  locked_key& operator=(const locked_key&) = delete;

  [[nodiscard]] entry* find() const { return shard_.find(key_, hash_, now_ms_); }
  [[nodiscard]] entry* insert() const { return shard_.insert(key_, hash_); }
  [[nodiscard]] shard& home() const noexcept { return shard_; }

 private:
  uint64_t hash_;
  shard& shard_;
  std::string_view key_;
  int64_t now_ms_;
};

/// Several keys, their shards locked in index order.
class locked_keys {
 public:
  /// Every `step`-th of `keys`, from the first.
  locked_keys(store& from, std::span<const std::string_view> keys, int64_t now_ms, size_t step = 1);
  ~locked_keys();
  locked_keys(const locked_keys&) = delete;
  locked_keys& operator=(const locked_keys&) = delete;

  [[nodiscard]] entry* find(std::string_view key) const {
    const uint64_t hash = hash_bytes(key);
    return from_.shard_of(hash).find(key, hash, now_ms_);
  }
  [[nodiscard]] entry* insert(std::string_view key) const {
    const uint64_t hash = hash_bytes(key);
    return from_.shard_of(hash).insert(key, hash);
  }
  [[nodiscard]] shard& home(std::string_view key) const noexcept {
    return from_.shard_of(hash_bytes(key));
  }

 private:
  store& from_;
  int64_t now_ms_;
  uint64_t mask_ = 0;
};

}  // namespace kv
