// SPDX-License-Identifier: Apache-2.0
// A goroutine that can be joined: spawn(f) gives a task, join() its result or exception.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

#include "weft/base/atomic.hpp"
#include "weft/base/callable.hpp"
#include "weft/base/export.hpp"
#include "weft/base/panic.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/heap_object.hpp"

namespace weft {

namespace rt {

/// Shared by the task and its goroutine; whoever lets go last deletes it.
class WEFT_API task_state_base : public heap_object {
 public:
  task_state_base() noexcept = default;
  task_state_base(const task_state_base&) = delete;
  task_state_base& operator=(const task_state_base&) = delete;
  /// Marks it done and wakes the joiner. Called once, by the goroutine.
  void complete() noexcept;
  /// Parks until complete(). Called once.
  void wait() noexcept;
  [[nodiscard]] bool done() const noexcept;
  [[nodiscard]] bool drop() noexcept;  // true: that was the last reference

  std::exception_ptr exception;

 private:
  void wait_until_done() noexcept;

  // running -> done, or running -> (goroutine that waits) -> done. Release by complete(), acquire
  // by wait(): the result is visible to the joiner.
  atomic<uintptr_t> word_{0};
  atomic<uint32_t> references_{2};
};

struct no_value {};

template <class R>
struct task_state : task_state_base {
  std::optional<std::conditional_t<std::is_void_v<R>, no_value, R>> value;
};

}  // namespace rt

/// Handle of a spawned goroutine. Movable; dropping it lets the goroutine run on by itself, and an
/// exception it ends with is then lost, as with std::future.
template <class R>
class [[nodiscard]] task {
 public:
  task() noexcept = default;
  task(const task&) WEFT_DELETED("weft: a task is joined once: move it, or refer to it");
  task(task&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  task& operator=(task&& other) noexcept {
    if (this != &other) {
      drop();
      state_ = std::exchange(other.state_, nullptr);
    }
    return *this;
  }
  ~task() { drop(); }

  /// Parks until the goroutine has ended; returns its result or rethrows its exception. Once: a
  /// second join, or one of an empty task, panics.
  R join() {
    if (state_ == nullptr) panic("weft::task: join of a task that is empty or was joined");
    state_->wait();
    struct dropper {
      task& self;
      ~dropper() { self.drop(); }
    };
    const dropper at_end{*this};
    if (state_->exception) std::rethrow_exception(std::move(state_->exception));
    if constexpr (!std::is_void_v<R>) return std::move(*state_->value);
  }
  /// True while there is something to join.
  [[nodiscard]] bool joinable() const noexcept { return state_ != nullptr; }
  /// True once the goroutine has ended: join() will not park.
  [[nodiscard]] bool done() const noexcept { return state_ != nullptr && state_->done(); }

  explicit task(rt::task_state<R>* state) noexcept : state_(state) {}

 private:
  void drop() noexcept {
    rt::task_state<R>* state = std::exchange(state_, nullptr);
    if (state != nullptr && state->drop()) delete state;
  }
  rt::task_state<R>* state_ = nullptr;
};

namespace rt {

/// Stands for a task whose error was said.
struct no_task {
  void join() {}
};

template <class R, class F>
__attribute__((always_inline)) inline task<R> spawn_task(const go_options& options, F&& f) {
  auto owned = std::make_unique<task_state<R>>();
  task_state<R>* state = owned.get();
  go_with(options, [state, body = std::decay_t<F>(std::forward<F>(f))]() mutable {
    try {
      if constexpr (std::is_void_v<R>)
        body();
      else
        state->value.emplace(body());
    } catch (...) {
      state->exception = std::current_exception();
    }
    state->complete();
    if (state->drop()) delete state;
  });
  return task<R>(owned.release());
}

}  // namespace rt

/// Starts a goroutine whose result, or exception, join() delivers.
template <class F>
__attribute__((always_inline)) inline auto spawn(const go_options& options, F&& f) {
  using closure = std::decay_t<F>;
  WEFT_CHECK_FUNCTION(spawn(f), closure);
  if constexpr (std::is_invocable_v<closure&>) {
    using R = std::invoke_result_t<closure&>;
    static_assert(!std::is_reference_v<R>,
                  "weft: spawn(f): f must return a value or a pointer, not a reference");
    if constexpr (!std::is_reference_v<R>)
      return rt::spawn_task<R>(options, std::forward<F>(f));
    else
      return rt::no_task{};
  } else {
    return rt::no_task{};
  }
}
template <class F>
__attribute__((always_inline)) inline auto spawn(F&& f) {
  return spawn(go_options{}, std::forward<F>(f));
}

}  // namespace weft
