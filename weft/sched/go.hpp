// SPDX-License-Identifier: Apache-2.0
// The go statement.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "weft/base/callable.hpp"
#include "weft/base/export.hpp"
#include "weft/sched/heap_object.hpp"

namespace weft {

/// How a goroutine is started.
struct go_options {
  /// Shown in dumps, traces and debuggers; cut after 31 bytes.
  std::string_view name{};
  /// Bytes of stack; rounded up to a power of two from 16 KiB to 1 GiB. 0: WEFT_STACK (256 KiB).
  /// Only touched pages cost memory, so a generous one is cheap.
  size_t stack = 0;
};

namespace rt {

struct goroutine;

/// First half: a goroutine, and room for its closure: on its new stack, or, for a small closure in
/// a goroutine without a name and of the usual size, in its birth record, and it gets its stack
/// when it first runs. Panics when there is no stack to be had.
WEFT_API void* begin_go(goroutine*& gp, const go_options& options, size_t bytes, size_t alignment);
/// The closure could not be made: gives the goroutine back.
WEFT_API void abandon_go(goroutine* gp) noexcept;
/// Second half: it is runnable from here on.
WEFT_API void finish_go(goroutine* gp, void (*entry)(void*), void* closure) noexcept;

/// Closures that fit a birth record.
inline constexpr size_t closure_at_birth_max = 40;
struct closure_words {
  alignas(void*) unsigned char bytes[closure_at_birth_max];
};
/// Both halves at once for a closure that may be copied byte by byte.
WEFT_API void go_copied(void (*entry)(void*), const closure_words& closure);
template <class Closure>
inline constexpr bool copied_at_birth =
    sizeof(Closure) <= closure_at_birth_max && alignof(Closure) <= alignof(void*) &&
    std::is_trivially_copyable_v<Closure>;

/// Larger closures go to the heap: they would eat the small stacks.
inline constexpr size_t closure_on_stack_max = 1024;

template <class Closure>
void run_closure(void* memory) {
  struct destroyer {
    Closure* closure;
    ~destroyer() { closure->~Closure(); }
  };
  const destroyer at_end{static_cast<Closure*>(memory)};
  (*at_end.closure)();
}

/// Calls a closure that is too large for a stack.
template <class Closure>
struct heap_closure {
  std::unique_ptr<boxed<Closure>> made;
  void operator()() { made->value(); }
};

template <class F>
__attribute__((always_inline)) inline void go_with(const go_options& options, F&& f) {
  using closure = std::decay_t<F>;
  if constexpr (copied_at_birth<closure>) {
    if (options.stack == 0 && options.name.empty()) {
      const closure& copied = f;
      closure_words words;
      __builtin_memcpy(&words, &copied, sizeof(closure));
      go_copied(&run_closure<closure>, words);
      return;
    }
  }
  if constexpr (sizeof(closure) > closure_on_stack_max) {
    go_with(options, heap_closure<closure>{std::make_unique<boxed<closure>>(std::forward<F>(f))});
  } else {
    goroutine* gp = nullptr;
    void* memory = begin_go(gp, options, sizeof(closure), alignof(closure));
    if constexpr (std::is_nothrow_constructible_v<closure, F&&>) {
      new (memory) closure(std::forward<F>(f));
    } else {
      try {
        new (memory) closure(std::forward<F>(f));
      } catch (...) {
        abandon_go(gp);
        throw;
      }
    }
    finish_go(gp, &run_closure<closure>, memory);
  }
}

}  // namespace rt

/// Starts a goroutine that runs `f()`; returns at once. An exception that leaves `f` ends the
/// process with Go's report. From any thread. Does not park.
///
/// Everything captured by reference must outlive the goroutine: join it (spawn, wait_group) or
/// capture by value. Panics if no stack is left (the message names the limit to raise). Where
/// stacks are not scarce, one is attached at the first run: it is fatal if there is none then.
template <class F>
__attribute__((always_inline)) inline void go(F&& f) {
  WEFT_CHECK_FUNCTION(go(f), std::decay_t<F>);
  if constexpr (std::is_invocable_v<std::decay_t<F>&>)
    rt::go_with(go_options{}, std::forward<F>(f));
}

/// The same with a name or a stack size: `weft::go({.name = "worker", .stack = 1 << 20}, f)`.
template <class F>
__attribute__((always_inline)) inline void go(const go_options& options, F&& f) {
  WEFT_CHECK_FUNCTION(go(options, f), std::decay_t<F>);
  if constexpr (std::is_invocable_v<std::decay_t<F>&>) rt::go_with(options, std::forward<F>(f));
}

template <class F, class... Arguments>
  requires(sizeof...(Arguments) > 0 && !std::is_convertible_v<F, const go_options&>)
void go(F&&, Arguments&&...) {
  static_assert(sizeof...(Arguments) == 0, "weft: go(f) passes no arguments: go([=] { f(a, b); })");
}

}  // namespace weft
