// SPDX-License-Identifier: Apache-2.0
// pool: objects that are dear to make and can be used again; Go's sync.Pool.
//
//   weft::pool<buffer> buffers([] { return std::make_unique<buffer>(64 * 1024); });
//   {
//     auto b = buffers.borrow();     // or: auto b = buffers.get();
//     b->clear();                    // as the last user left it
//     ...
//   }                                // or: buffers.put(std::move(b));
//
// Each P has a place of its own, so get() and put() cost a few nanoseconds and no locked
// instruction while a P takes what it put; what is left over lies in a lock-free queue from which
// other Ps take. Foreign threads share a few places, behind a lock.
//
// What nobody takes goes away: every `pool_epoch_ns` (10 s), and whenever memory is short, what
// lies in a pool becomes its victim generation; what was that before is destroyed. Something that
// is used now and then stays; a pool that nobody uses is empty after two steps. So a pool is no
// cache: any object in it may be gone at any time.
//
// Choose it for objects whose construction costs more than some 20 ns (buffers, parsers,
// connections' scratch memory). For small plain objects `new` on Weft's heap is as quick. One
// goroutine's private list is quicker still; a list behind a mutex is slower with two Ps or more.
//
// What a goroutine did to an object before put() happens before whatever the one does that gets it.
// An object has one owner: nobody else may use it after put().
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "weft/base/callable.hpp"
#include "weft/base/error.hpp"
#include "weft/base/export.hpp"
#include "weft/sync/internal/pool_core.hpp"

namespace weft {

template <class T>
class pool {
  static_assert(std::is_object_v<T> && !std::is_array_v<T>, "weft: pool<T>: T is an object type");
  static_assert(std::is_nothrow_destructible_v<T>, "weft: pool<T>: ~T() must not throw");

 public:
  class lease;

  /// Without a factory: get() returns null when the pool has nothing.
  constexpr pool() noexcept : core_(drop) {}
  /// `make()` returns a T, also one that cannot be moved, or a std::unique_ptr<T>. It is called
  /// from many goroutines at once; it may park and throw.
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, pool> && std::is_invocable_v<F&>)
  explicit pool(F make) : core_(drop), make_(new factory(adapt(std::move(make)))) {}
  /// Destroys what is in it. Nobody may use it any more; a static one therefore at exit.
  ~pool() { delete make_; }
  pool(const pool&) WEFT_DELETED("weft: a pool is not copied: refer to it");
  pool& operator=(const pool&) = delete;

  /// An object of the pool's, or a new one from the factory; null without a factory. Which one:
  /// any, most likely what this P put last. Parks only if the factory does, but may let others run
  /// if this goroutine has computed for long. Throws what the factory throws.
  /// O(1) for what this P put; O(Ps) when it has to look at others' places.
  [[nodiscard]] std::unique_ptr<T> get() {
    if (void* item = core_.get(); item != nullptr) [[likely]]
      return std::unique_ptr<T>(static_cast<T*>(item));
    return make_ != nullptr ? (*make_)() : nullptr;
  }
  /// Gives an object to the pool, which it need not be from; null is ignored. The pool may destroy
  /// it at any time, also at once. Never parks, unless ~T() does. O(1) amortized.
  void put(std::unique_ptr<T> object) noexcept {
    if (T* item = object.release(); item != nullptr) core_.put(item);
  }
  /// get(), and put() at the end of a scope.
  [[nodiscard]] lease borrow() { return lease(*this, get()); }

 private:
  using factory = rt::callable<std::unique_ptr<T>>;

  static void drop(void* item) noexcept { delete static_cast<T*>(item); }

  template <class F>
  static factory adapt(F make) {
    using made = std::invoke_result_t<F&>;
    if constexpr (std::is_convertible_v<made, std::unique_ptr<T>>) {
      return factory(std::move(make));
    } else {
      static_assert(std::is_same_v<std::remove_cv_t<made>, T>,
                    "weft: pool<T>: the factory returns a T or a std::unique_ptr<T>");
      if constexpr (std::is_same_v<std::remove_cv_t<made>, T>)
        return factory(
            [make = std::move(make)]() mutable { return std::unique_ptr<T>(new T(make())); });
    }
  }

  rt::pool_core core_;
  factory* make_ = nullptr;
};

/// Holds an object of a pool, which must outlive it, and puts it back. Movable.
template <class T>
class [[nodiscard]] pool<T>::lease {
 public:
  lease(lease&& other) noexcept = default;
  lease& operator=(lease&& other) noexcept {
    if (this != &other) {
      give_back();
      from_ = other.from_;
      object_ = std::move(other.object_);
    }
    return *this;
  }
  ~lease() { give_back(); }

  [[nodiscard]] T& operator*() const noexcept { return *object_; }
  [[nodiscard]] T* operator->() const noexcept { return object_.get(); }
  [[nodiscard]] T* get() const noexcept { return object_.get(); }
  /// False: the pool had none and has no factory, or it was kept or moved from.
  [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }
  /// The object does not go back: it is the caller's from now on.
  [[nodiscard]] std::unique_ptr<T> keep() noexcept { return std::move(object_); }

 private:
  friend class pool;
  lease(pool& from, std::unique_ptr<T> object) noexcept
      : from_(&from), object_(std::move(object)) {}
  void give_back() noexcept {
    if (object_ != nullptr) from_->put(std::move(object_));
  }

  pool* from_;
  std::unique_ptr<T> object_;
};

/// How often what lies in pools grows older by a step: long enough that what a service needs
/// again within seconds stays, short enough that a burst's memory is free half a minute later.
inline constexpr int64_t pool_epoch_ns = 10'000'000'000;

namespace rt {
/// One such step at once, for all pools: by the collector after each cycle, by the memory limit.
/// Runs destructors of pooled objects on the caller's goroutine; call it outside sections.
WEFT_API void pool_memory_epoch() noexcept;
}  // namespace rt

}  // namespace weft
