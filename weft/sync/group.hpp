// SPDX-License-Identifier: Apache-2.0
// group: goroutines that work on one thing and may fail; golang.org/x/sync/errgroup.
//
//   auto [g, ctx] = weft::with_group(parent);
//   for (auto& part : parts) g.go([&, ctx] -> weft::result<void> { return fetch(ctx, part); });
//   if (auto done = g.wait(); !done) return done;
//
// The first error wins and, with a context, cancels it with that error as the cause; the others are
// dropped. Functions return result<void>, error, or nothing. An exception that leaves one ends the
// process, as with weft::go.
#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "weft/base/atomic.hpp"
#include "weft/base/error.hpp"
#include "weft/base/export.hpp"
#include "weft/sync/context.hpp"
#include "weft/sync/mutex.hpp"
#include "weft/sync/wait_group.hpp"

namespace weft {

struct group_and_context;

class WEFT_API group {
 public:
  group() : state_(new state) {}
  group(const group&) WEFT_DELETED("weft: a group is not copied: refer to it");
  group(group&&) noexcept = default;
  group& operator=(group&&) noexcept = default;

  /// Runs `f` in a goroutine. Parks while limit() goroutines are at work.
  template <class F>
  void go(F f) {
    check<F>();
    if constexpr (runs<F>) {
      state_->enter();
      start(std::move(f));
    }
  }
  /// The same, or false when the limit is reached. Never parks.
  template <class F>
  [[nodiscard]] bool try_go(F f) {
    check<F>();
    if constexpr (runs<F>) {
      if (!state_->try_enter()) return false;
      start(std::move(f));
    }
    return true;
  }
  /// At most `n` goroutines at once; negative: no limit; 0: none may start. Panics while some run.
  void limit(int n);
  /// Parks until all have returned; then cancels the context. The first error, if any.
  result<void> wait();

 private:
  friend WEFT_API group_and_context with_group(const context& parent);

  struct WEFT_API state {
    wait_group running;
    chan<std::monostate> tokens;  // one for each goroutine at work; nil: no limit
    cancel_cause_func cancel;
    mutex lock;
    error first;  // under lock
    /// The group and its goroutines.
    rt::atomic<uint32_t> refs{1};

    void enter();
    [[nodiscard]] bool try_enter();
    /// A goroutine has returned with `outcome`.
    void leave(error outcome);
  };

  /// A counted pointer. Not std::shared_ptr: copying one orders those who do it, and starting a
  /// goroutine of a group must not order it after those that have ended.
  class WEFT_API state_handle {
   public:
    explicit state_handle(state* owned) noexcept : state_(owned) {}
    state_handle(const state_handle& other) noexcept;
    state_handle(state_handle&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    state_handle& operator=(state_handle other) noexcept {
      std::swap(state_, other.state_);
      return *this;
    }
    ~state_handle();
    state* operator->() const noexcept { return state_; }

   private:
    state* state_;
  };
  /// What F returns says how it went, or nothing.
  template <class F>
  static constexpr bool runs = requires(F& f) {
    requires std::is_void_v<decltype(f())> || std::is_convertible_v<decltype(f()), error> ||
                 std::is_convertible_v<decltype(f().error()), error>;
  };
  template <class F>
  static constexpr void check() {
    static_assert(runs<F>,
                  "weft: group::go(f): f must be callable without arguments and return "
                  "weft::result<void>, weft::error or nothing");
  }

  template <class F>
  static error outcome_of(F& f) {
    using R = std::invoke_result_t<F&>;
    if constexpr (std::is_void_v<R>) {
      f();
      return {};
    } else if constexpr (std::is_convertible_v<R, error>) {
      return f();
    } else {
      auto outcome = f();
      return outcome ? error{} : std::move(outcome).error();
    }
  }

  template <class F>
  void start(F f) {
    try {
      weft::go([s = state_, f = std::move(f)]() mutable { s->leave(outcome_of(f)); });
    } catch (...) {  // no stack left
      state_->leave(error{});
      throw;
    }
  }

  state_handle state_;
};

/// For `auto [g, ctx] = with_group(parent)`.
struct [[nodiscard]] group_and_context {
  group g;
  context ctx;
};

/// A group with a context that ends at the first error, or when wait() returns.
WEFT_API group_and_context with_group(const context& parent);

}  // namespace weft
