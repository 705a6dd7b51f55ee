// SPDX-License-Identifier: Apache-2.0
// atomic_value: one value of any type that many read and few replace: a configuration, a routing
// table, a snapshot. As Go's atomic.Value, but typed.
//
//   weft::atomic_value<config> current(load_config());
//   current.read([&](const config& c) { use(c.limit); });   // or: config c = current.load();
//   current.update([](config& c) { c.limit = 5; });
//
// Reads are wait-free and write nothing that threads share: they scale with the cores. A value that
// is trivially copyable and fits 8 bytes is a plain atomic word. Any other lies in a box that is
// never changed: a write makes a new box and publishes it, readers go on with the one they have,
// and the old one is destroyed when they have left it. Readers never make a writer wait; the one
// exception is a thread that stands still *inside* a read while others replace the value 65,536
// times: then writers wait for it.
//
// Costs: a read of a box is some 2 ns and, with load(), a copy; a write is an allocation, an
// exchange, and later a deallocation on some writer's thread. About 256 replaced values are kept,
// until the next writes or the end of the atomic_value.
//
// Order: as Go's atomics: all operations are in one order (seq_cst); what was done before a store
// happens before what is done after a read that sees it.
//
// What runs inside a read (T's copy constructor, the function given to read(), ==) must not park:
// no channel, no lock that may be held, no write of an atomic_value or sync_map. Debug builds end
// the program where it does.
//
// Choose it when readers want the whole value and writes are rare. For many independent entries:
// sync_map. When writers must see each other's changes at once, or readers must stop them:
// rw_mutex. To keep a snapshot for long without copying it: atomic_value<std::shared_ptr<const T>>.
#pragma once

#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "weft/base/atomic.hpp"
#include "weft/base/export.hpp"
#include "weft/sched/internal/read_section.hpp"
#include "weft/sync/internal/garbage.hpp"
#include "weft/sync/internal/value_word.hpp"

namespace weft {
namespace rt {

/// A value in one atomic word.
template <class T>
class word_cell {
 public:
  explicit word_cell(const T& initial) noexcept : word_(to_word(initial)) {}

  T load() const noexcept { return from_word<T>(word_.load(seq_cst)); }
  template <class F>
  decltype(auto) read(F& f) const {
    const T value = load();
    return f(value);
  }
  void store(const T& value) noexcept { word_.store(to_word(value), seq_cst); }
  T swap(const T& value) noexcept { return from_word<T>(word_.exchange(to_word(value), seq_cst)); }
  bool compare_and_swap(const T& expected, const T& desired) {
    uint64_t seen = word_.load(seq_cst);
    while (from_word<T>(seen) == expected)  // ends: a failure means that somebody else succeeded
      if (word_.compare_exchange(seen, to_word(desired), seq_cst, seq_cst)) return true;
    return false;
  }
  template <class F>
  bool update(F& f) {
    uint64_t seen = word_.load(seq_cst);
    for (;;) {  // ends: as above
      T next = from_word<T>(seen);
      if (!f(next)) return false;
      if (word_.compare_exchange(seen, to_word(next), seq_cst, seq_cst)) return true;
    }
  }

 private:
  atomic<uint64_t> word_;
};

/// A value in a box that is replaced as a whole.
template <class T>
class boxed_cell {
  struct box : retired {
    template <class... Args>
    explicit box(uint64_t number, Args&&... args)
        : serial(number), value(std::forward<Args>(args)...) {}
    /// No two boxes of a cell have the same: an address may come back, this does not.
    uint64_t serial;
    T value;
  };

 public:
  template <class... Args>
  explicit boxed_cell(Args&&... args) : current_(new box(0, std::forward<Args>(args)...)) {}
  ~boxed_cell() { delete current_.load(acquire); }

  T load() const {
    attend_before_read();
    const read_section section;
    return current_.load(seq_cst)->value;
  }
  template <class F>
  decltype(auto) read(F& f) const {
    attend_before_read();
    const read_section section;
    return f(std::as_const(current_.load(seq_cst)->value));
  }
  void store(T&& value) { retire(current_.exchange(make(std::move(value)), seq_cst)); }
  T swap(T&& value) {
    // Retired when it has been copied, also if that throws.
    const replaced old{*this, current_.exchange(make(std::move(value)), seq_cst)};
    return std::as_const(old.was->value);
  }
  bool compare_and_swap(const T& expected, T&& desired) {
    garbage_.await_room();
    box* next = nullptr;
    box* seen = nullptr;
    {
      const made own{next};
      for (;;) {  // ends: a failure means that somebody else succeeded
        const read_section section;
        seen = current_.load(seq_cst);
        if (!(std::as_const(seen->value) == expected)) return false;
        if (next == nullptr) next = new box(number(), std::move(desired));
        // In the section `seen` is not freed, so it is the same box that was compared.
        if (current_.compare_exchange(seen, next, seq_cst, relaxed)) break;
      }
      next = nullptr;
    }
    retire(seen);
    return true;
  }
  template <class F>
  bool update(F& f) {
    for (;;) {  // ends: as above
      garbage_.await_room();
      uint64_t copied = 0;
      box* next = nullptr;
      const made own{next};
      {
        const read_section section;
        const box* seen = current_.load(seq_cst);
        copied = seen->serial;
        next = new box(0, std::as_const(seen->value));
      }
      if (!f(next->value)) return false;  // outside: it may park
      next->serial = number();
      box* seen = nullptr;
      {
        const read_section section;
        seen = current_.load(seq_cst);
        // The address alone may be another box's by now.
        if (seen->serial != copied || !current_.compare_exchange(seen, next, seq_cst, relaxed))
          continue;
      }
      next = nullptr;
      retire(seen);
      return true;
    }
  }

 private:
  /// A box that is deleted unless it was published.
  struct made {
    box*& kept;
    ~made() { delete kept; }
  };
  struct replaced {
    boxed_cell& cell;
    box* was;
    ~replaced() { cell.retire(was); }
  };
  static void attend_before_read() noexcept {
    if (attention.load(relaxed) != 0) [[unlikely]]
      attend_reader();
  }
  static void destroy(retired* object, unsigned) noexcept { delete static_cast<box*>(object); }
  uint64_t number() noexcept { return serials_.fetch_add(1, relaxed); }
  box* make(T&& value) {
    garbage_.await_room();
    return new box(number(), std::move(value));
  }
  void retire(box* old) noexcept {
    if (garbage_.add(old, 0)) garbage_.collect();
  }

  atomic<box*> current_;
  atomic<uint64_t> serials_{1};
  garbage garbage_{destroy};
};

}  // namespace rt

template <class T>
class atomic_value {
  static_assert(std::is_object_v<T> && !std::is_array_v<T> && !std::is_const_v<T>,
                "weft: atomic_value<T>: T must be an object type, not const, not an array");
  static_assert(std::is_nothrow_destructible_v<T>,
                "weft: atomic_value<T>: T's destructor must not throw");

 public:
  /// Holds T(), until the first store.
  atomic_value()
    requires std::default_initializable<T>
      : cell_(T()) {}
  explicit atomic_value(T initial) : cell_(std::move(initial)) {}
  atomic_value(const atomic_value&)
      WEFT_DELETED("weft: an atomic_value is not copied: refer to it");
  atomic_value& operator=(const atomic_value&) = delete;
  /// Destroys every value that it still has. Nobody may use it any more.
  ~atomic_value() = default;

  /// A copy of the value. Wait-free, but for the copy constructor; never parks.
  [[nodiscard]] T load() const
    requires std::copy_constructible<T>
  {
    return cell_.load();
  }
  /// Calls `f(const T&)`, which must not park, and returns a copy of what it returns. The value
  /// does not change meanwhile; the reference ends with the call. Wait-free.
  template <class F>
    requires std::is_invocable_v<F&, const T&>
  decltype(auto) read(F&& f) const {
    WEFT_CHECK_READ_RESULT(F, T);
    return cell_.read(f);
  }

  /// Replaces the value. May park only behind a reader that stands still; see the top.
  void store(T value) { cell_.store(std::move(value)); }
  /// Replaces the value and returns a copy of the one before. When that copy throws, the new value
  /// is in place.
  T swap(T value)
    requires std::copy_constructible<T>
  {
    return cell_.swap(std::move(value));
  }
  /// Replaces the value if it equals `expected`; returns whether it did. Lock-free.
  bool compare_and_swap(const T& expected, T desired)
    requires std::equality_comparable<T>
  {
    return cell_.compare_and_swap(expected, std::move(desired));
  }
  /// Copies the value, calls `f(T& copy)`, and publishes the copy if nobody else has replaced the
  /// value meanwhile; otherwise begins anew. So f may run several times, and it may park. If f
  /// returns false nothing is published, and neither if it throws. Returns whether it was.
  template <class F>
    requires std::copy_constructible<T> && std::is_invocable_v<F&, T&>
  bool update(F&& f) {
    auto publishes = [&f](T& value) {
      if constexpr (std::is_convertible_v<std::invoke_result_t<F&, T&>, bool>) {
        return static_cast<bool>(f(value));
      } else {
        f(value);
        return true;
      }
    };
    return cell_.update(publishes);
  }

 private:
  std::conditional_t<rt::fits_word<T>, rt::word_cell<T>, rt::boxed_cell<T>> cell_;
};

}  // namespace weft
