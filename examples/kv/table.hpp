// SPDX-License-Identifier: Apache-2.0
// The values that keys have, and the hash table of one shard: open addressing, linear probing,
// entries behind a pointer, looked up by string_view with the hash that chose the shard.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <variant>
#include <vector>

namespace kv {

/// Seeded per process, so nobody can choose keys that collide.
[[nodiscard]] uint64_t hash_bytes(std::string_view text) noexcept;

struct text_hash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const noexcept { return hash_bytes(text); }
};
using list_value = std::deque<std::string>;
using hash_value = std::unordered_map<std::string, std::string, text_hash, std::equal_to<>>;
using set_value = std::unordered_set<std::string, text_hash, std::equal_to<>>;
using value = std::variant<std::string, std::unique_ptr<list_value>, std::unique_ptr<hash_value>,
                           std::unique_ptr<set_value>>;

/// "string", "list", "hash" or "set".
[[nodiscard]] const char* type_name(const value& v) noexcept;

struct entry {
  uint64_t hash = 0;
  /// Unix time in milliseconds at which it is gone; 0: never.
  int64_t expire_ms = 0;
  std::string key;
  value data;
};

/// Not synchronized: under its shard's lock.
class table {
 public:
  table() = default;
  ~table();
  table(const table&) = delete;
  table& operator=(const table&) = delete;

  [[nodiscard]] entry* find(std::string_view key, uint64_t hash) const noexcept;
  /// The key must not be there.
  entry* insert(std::string_view key, uint64_t hash);
  void erase(entry* e) noexcept;
  void clear() noexcept;
  [[nodiscard]] size_t size() const noexcept { return count_; }

  template <class F>
  void for_each(F&& f) const {
    for (const slot& s : slots_)
      if (s.held != nullptr) f(*s.held);
  }

  /// One step of a scan: calls f for the entries whose home is bucket `cursor`, returns the next
  /// cursor, 0 at the end. Cursors count in reversed bits, so that an entry present all the time is
  /// met even when the table has doubled or halved between steps (Redis's dictScan, by Noordhuis).
  template <class F>
  [[nodiscard]] uint64_t scan(uint64_t cursor, F&& f) const {
    if (slots_.empty()) return 0;
    const uint64_t mask = slots_.size() - 1;
    for (uint64_t i = cursor & mask; slots_[i].held != nullptr; i = (i + 1) & mask)
      if (home(slots_[i].hash) == (cursor & mask)) f(*slots_[i].held);
    return next_cursor(cursor, mask);
  }

  /// Some entry, near a random place; null if empty.
  [[nodiscard]] entry* sample(uint64_t random) const noexcept;

 private:
  struct slot {
    uint64_t hash = 0;
    entry* held = nullptr;
  };
  // The low six bits chose the shard.
  [[nodiscard]] uint64_t home(uint64_t hash) const noexcept {
    return (hash >> 6) & (slots_.size() - 1);
  }
  static uint64_t next_cursor(uint64_t cursor, uint64_t mask) noexcept;
  void resize(size_t slots);
  void put(uint64_t hash, entry* e) noexcept;

  std::vector<slot> slots_;  // size: 0 or a power of two; at most 3/4 full, so probes end
  size_t count_ = 0;
};

}  // namespace kv
