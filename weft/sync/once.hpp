// SPDX-License-Identifier: Apache-2.0
// once: runs something exactly once, whoever comes first; the others wait until it has returned.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "weft/base/atomic.hpp"
#include "weft/base/callable.hpp"
#include "weft/sched/heap_object.hpp"
#include "weft/sync/mutex.hpp"

namespace weft {

class once {
 public:
  constexpr once() noexcept = default;
  once(const once&) WEFT_DELETED("weft: a once is not copied: refer to it");
  once& operator=(const once&) = delete;

  /// Runs `f` if this is the first call; returns when it has returned. An exception that leaves `f`
  /// reaches this caller only and counts as done. Calling it from `f` deadlocks. May park.
  template <class F>
  void call(F&& f) {
    WEFT_CHECK_FUNCTION(once::call(f), F);
    // acquire: partner: the release below; what f did is visible.
    if (done_.load(rt::acquire) == 0) [[unlikely]] {
      if constexpr (std::is_invocable_v<F&>) call_slow(std::forward<F>(f));
    }
  }

 private:
  struct holder {
    mutex& m;
    explicit holder(mutex& locked) : m(locked) { m.lock(); }
    ~holder() { m.unlock(); }
  };
  template <class F>
  void call_slow(F&& f) {
    const holder held{mutex_};
    if (done_.load(rt::relaxed) != 0) return;
    // Set when f has returned or thrown, not before: a caller that sees it must see f's effects.
    struct set_at_end {
      rt::atomic<uint32_t>& done;
      ~set_at_end() { done.store(1, rt::release); }
    };
    const set_at_end at_end{done_};
    std::forward<F>(f)();
  }

  rt::atomic<uint32_t> done_{0};
  mutex mutex_;
};

namespace rt {

template <class F>
struct once_state {
  using R = std::invoke_result_t<F&>;
  using stored = std::conditional_t<std::is_void_v<R>, std::monostate, R>;

  explicit once_state(F function) : f(std::move(function)) {}

  void run() {
    first.call([this] {
      try {
        if constexpr (std::is_void_v<R>)
          (*f)();
        else
          value.emplace((*f)());
      } catch (...) {
        exception = std::current_exception();
      }
      f.reset();  // what it captured is not needed any more
    });
    if (exception) std::rethrow_exception(exception);
  }

  once first;
  std::optional<F> f;
  std::optional<stored> value;
  std::exception_ptr exception;
};

}  // namespace rt

/// A copyable function that runs `f` on its first call only. If `f` threw, every call throws that.
template <class F>
[[nodiscard]] auto once_func(F f) {
  WEFT_CHECK_FUNCTION(once_func(f), F);
  if constexpr (std::is_invocable_v<F&>)
    return [state = std::allocate_shared<rt::once_state<F>>(rt::heap_allocator<rt::once_state<F>>(),
                                                            std::move(f))] { state->run(); };
}

/// The same for a function with a result, which every call returns by reference.
template <class F>
[[nodiscard]] auto once_value(F f) {
  WEFT_CHECK_FUNCTION(once_value(f), F);
  if constexpr (std::is_invocable_v<F&>) {
    constexpr bool has_value = !std::is_void_v<std::invoke_result_t<F&>>;
    static_assert(has_value,
                  "weft: once_value(f): f must return a value; once_func(f) if it has "
                  "none");
    if constexpr (has_value)
      return [state = std::allocate_shared<rt::once_state<F>>(
                  rt::heap_allocator<rt::once_state<F>>(), std::move(f))]() -> const auto& {
        state->run();
        return *state->value;
      };
  }
}

}  // namespace weft
