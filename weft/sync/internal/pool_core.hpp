// SPDX-License-Identifier: Apache-2.0
// pool without its type; the protocol is in pool.cpp.
#pragma once

#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/base/export.hpp"

namespace weft::rt {

struct pool_place;
struct pool_table;
class pool_rest;
class pool_registry;
extern pool_table no_places;

class WEFT_API pool_core {
 public:
  using drop_function = void (*)(void* item) noexcept;

  constexpr explicit pool_core(drop_function drop) noexcept : drop_(drop) {}
  ~pool_core();
  pool_core(const pool_core&) = delete;
  pool_core& operator=(const pool_core&) = delete;

  /// Null: there is none at hand. Lets others run if the scheduler has asked for that.
  [[nodiscard]] void* get() noexcept;
  /// Keeps or drops it. Never parks.
  void put(void* item) noexcept;

 private:
  friend class pool_registry;
  friend class pool_visit;
  void* get_slow() noexcept;
  void put_slow(void* item) noexcept;
  void* take(const pool_table& table, uint32_t own) noexcept;
  void* steal(const pool_table& table, uint32_t start) noexcept;
  void* take_victim(const pool_table& table, uint32_t start) noexcept;
  /// Makes places for so many Ps, and those of guests. False: no memory.
  bool make_places(uint32_t procs) noexcept;
  /// One step of memory: victims go to `rest`, everything else becomes a victim. False: somebody is
  /// in the middle of an operation; nothing has happened.
  bool rotate(pool_rest& rest) noexcept;
  [[nodiscard]] bool empty() const noexcept;

  /// Places by the number of their P. Grows: written under the registry's lock, read by anyone.
  atomic<pool_table*> table_{&no_places};
  drop_function drop_;
  /// Not 0 while rotate() has the pool for itself. Whoever finds that touches nothing.
  atomic<uint32_t> frozen_{0};
  /// Epochs that are about to destroy what they took out: the pool does not end before.
  atomic<uint32_t> dropping_{0};
  /// There may be victims. Set by rotate(), cleared by whoever has found none.
  atomic<uint32_t> victims_{0};
  // --- under the registry's lock -----------------------------------------------------------
  pool_core* next_ = nullptr;
  pool_core* previous_ = nullptr;
  uint64_t epoch_ = 0;  // of its last rotate()
};

}  // namespace weft::rt
