// SPDX-License-Identifier: Apache-2.0
// Functions without arguments whose type is not known: `callable` owns one, `callable_ref` refers
// to one. For public headers: <functional> costs every file that includes weft.hpp 0.1 s.
#pragma once

#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

/// Fails with one line when F, a parameter of `call`, is not called without arguments.
#define WEFT_CHECK_FUNCTION(call, F)                                                \
  static_assert(std::is_invocable_v<F&>, "weft: " #call                             \
                                         ": f must be callable without arguments; " \
                                         "what it needs it captures: [=] { f(a, b); }")

namespace weft::rt {

/// Owns a function, or is empty. Movable. Small functions are kept inside.
template <class R>
class callable {
 public:
  callable() noexcept = default;
  template <class F>
    requires(!std::is_same_v<F, callable> && std::is_invocable_r_v<R, F&>)
  explicit callable(F f) {
    if constexpr (fits<F>) {
      new (room_) F(std::move(f));
      ops_ = &inline_ops<F>;
    } else {
      new (room_) F*(new F(std::move(f)));
      ops_ = &heap_ops<F>;
    }
  }
  callable(callable&& other) noexcept : ops_(std::exchange(other.ops_, nullptr)) {
    if (ops_ != nullptr) ops_->relocate(room_, other.room_);
  }
  callable& operator=(callable&& other) noexcept {
    if (this != &other) {
      reset();
      ops_ = std::exchange(other.ops_, nullptr);
      if (ops_ != nullptr) ops_->relocate(room_, other.room_);
    }
    return *this;
  }
  ~callable() { reset(); }

  [[nodiscard]] explicit operator bool() const noexcept { return ops_ != nullptr; }
  /// Not of an empty one.
  R operator()() { return ops_->call(room_); }

 private:
  struct operations {
    R (*call)(void* room);
    void (*relocate)(void* to, void* from) noexcept;
    void (*destroy)(void* room) noexcept;
  };
  // Four words: a closure of a few handles and references.
  static constexpr size_t room_bytes = 4 * sizeof(void*);
  template <class F>
  static constexpr bool fits = sizeof(F) <= room_bytes && alignof(F) <= alignof(void*) &&
                               std::is_nothrow_move_constructible_v<F>;
  template <class F>
  static constexpr operations inline_ops = {
      [](void* room) -> R { return (*static_cast<F*>(room))(); },
      [](void* to, void* from) noexcept {
        new (to) F(std::move(*static_cast<F*>(from)));
        static_cast<F*>(from)->~F();
      },
      [](void* room) noexcept { static_cast<F*>(room)->~F(); }};
  template <class F>
  static constexpr operations heap_ops = {
      [](void* room) -> R { return (**static_cast<F**>(room))(); },
      [](void* to, void* from) noexcept { new (to) F*(*static_cast<F**>(from)); },
      [](void* room) noexcept { delete *static_cast<F**>(room); }};

  void reset() noexcept {
    const operations* ops = std::exchange(ops_, nullptr);
    if (ops != nullptr) ops->destroy(room_);
  }

  const operations* ops_ = nullptr;
  alignas(void*) std::byte room_[room_bytes];
};

/// Refers to a function that lives longer: a parameter's type.
class callable_ref {
 public:
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, callable_ref> && std::is_invocable_v<F&>)
  callable_ref(F&& f) noexcept  // NOLINT(google-explicit-constructor): functions are passed as such
      : object_((void*)__builtin_addressof(f)),  // C's cast: functions have addresses, too
        call_([](void* object) { (*(std::remove_reference_t<F>*)object)(); }) {}
  void operator()() const { call_(object_); }

 private:
  void* object_;
  void (*call_)(void*);
};

}  // namespace weft::rt
