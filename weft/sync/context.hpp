// SPDX-License-Identifier: Apache-2.0
// context: a request's deadline, its cancellation, and values that belong to it; Go's package
// context.
//
//   auto [ctx, cancel] = weft::with_timeout(parent, 800ms);
//   weft::select(weft::on_recv(answer, ...), weft::on_done(ctx, [&] { why = ctx.err(); }));
//
// Contexts form a tree. Cancelling one cancels all below it, before cancel() returns. A handle is a
// counted reference; a default-constructed one is nil and may only be assigned and compared.
// Deadlines are weft::now()'s time points. Functions here never park unless they say so.
//
// Lifetime: cancel_func cancels when it is destroyed, so a context ends with the scope that made
// it; move the cancel_func out to prolong it.
#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <variant>

#include "weft/base/chrono.hpp"
#include "weft/base/error.hpp"
#include "weft/base/export.hpp"
#include "weft/sched/heap_object.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/internal/duration.hpp"
#include "weft/sync/select.hpp"
#include "weft/sync/timer.hpp"

namespace weft {

/// What ctx.err() is after a cancellation: `context canceled`.
WEFT_API extern const error& canceled;
/// After a deadline: `context deadline exceeded`; timeout() is true.
WEFT_API extern const error& deadline_exceeded;

/// A channel that is only ever closed.
using done_chan = recv_chan<std::monostate>;

/// A key for values of type T. Identity is the object, which must outlive the contexts that use it:
/// make it a global. The name shows in ctx.string().
template <class T>
class context_key {
 public:
  constexpr explicit context_key(const char* name) noexcept : name_(name) {}
  context_key(const context_key&) WEFT_DELETED("weft: a key is its address: refer to the one");
  context_key& operator=(const context_key&) = delete;
  [[nodiscard]] constexpr const char* name() const noexcept { return name_; }

 private:
  const char* name_;
};

namespace rt {

struct context_node;
struct cancel_node;

template <class K>
inline constexpr bool is_context_key = false;
template <class T>
inline constexpr bool is_context_key<context_key<T>> = true;

WEFT_API void retain_context(context_node* n) noexcept;
WEFT_API void release_context(context_node* n) noexcept;

/// A key as the tree compares it: equal types and equal values.
struct context_key_base : heap_object {
  virtual ~context_key_base() = default;
  [[nodiscard]] virtual const std::type_info& type() const noexcept = 0;
  [[nodiscard]] virtual const void* address() const noexcept = 0;
  [[nodiscard]] virtual bool equals(const context_key_base& other) const = 0;
};

template <class K>
struct context_key_of final : context_key_base {
  explicit context_key_of(K k) : key(std::move(k)) {}
  [[nodiscard]] const std::type_info& type() const noexcept override { return typeid(K); }
  [[nodiscard]] const void* address() const noexcept override { return &key; }
  [[nodiscard]] bool equals(const context_key_base& other) const override {
    return other.type() == typeid(K) && *static_cast<const K*>(other.address()) == key;
  }
  K key;
};

/// Type-erased value with what string() shows of it.
struct context_value {
  std::shared_ptr<const void> value;
  const std::type_info* type;
  std::string text;
};

template <class V>
[[nodiscard]] context_value erase_value(V value) {
  context_value erased;
  if constexpr (std::convertible_to<const V&, std::string_view>)
    erased.text = std::string(std::string_view(value));
  erased.type = &typeid(V);
  erased.value = std::allocate_shared<const V>(heap_allocator<V>(), std::move(value));
  return erased;
}

/// What a context key is stored as: literals by their text, the rest by value.
template <class K>
using stored_key = std::conditional_t<std::convertible_to<const K&, std::string_view>, std::string,
                                      std::decay_t<K>>;

}  // namespace rt

class WEFT_API context {
 public:
  /// nil.
  constexpr context() noexcept = default;
  context(const context& other) noexcept : node_(other.node_) {
    if (node_ != nullptr) rt::retain_context(node_);
  }
  context(context&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  context& operator=(context other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~context() {
    if (node_ != nullptr) rt::release_context(node_);
  }

  /// Closed when the context is cancelled; nil if it never can be. The same channel each time.
  [[nodiscard]] done_chan done() const;
  /// False while live; then canceled or deadline_exceeded. Never before done() is closed, always
  /// after.
  [[nodiscard]] error err() const noexcept;
  /// The time at which it ends by itself, if any.
  [[nodiscard]] std::optional<time_point> deadline() const noexcept;

  /// The nearest value of this key, going up; null if there is none. Valid as long as a context
  /// that has it.
  template <class T>
  [[nodiscard]] const T* value(const context_key<T>& key) const noexcept {
    return static_cast<const T*>(find(&key));
  }
  /// The nearest value of type V under an ordinary key (equal type, equal value).
  template <class V, std::equality_comparable K>
  [[nodiscard]] const V* value(const K& key) const {
    const rt::context_key_of<rt::stored_key<K>> wanted{rt::stored_key<K>(key)};
    return static_cast<const V*>(find(wanted, typeid(V)));
  }
  /// As Go prints it: context.Background.WithCancel.WithDeadline(TIME [REMAINING]).WithValue(K, v)
  [[nodiscard]] std::string string() const;

  [[nodiscard]] explicit operator bool() const noexcept { return node_ != nullptr; }
  friend bool operator==(const context& a, const context& b) noexcept { return a.node_ == b.node_; }

  /// For Weft's own code. The channel of done(), without a reference.
  [[nodiscard]] rt::hchan* done_raw() const;
  [[nodiscard]] rt::context_node* node() const noexcept { return node_; }
  [[nodiscard]] static context adopt(rt::context_node* n) noexcept {
    context made;
    made.node_ = n;
    return made;
  }

 private:
  [[nodiscard]] const void* find(const void* key) const noexcept;
  [[nodiscard]] const void* find(const rt::context_key_base& key,
                                 const std::type_info& value_type) const;
  rt::context_node* node_ = nullptr;
};

/// Never cancelled, no values, no deadline: the root of every tree.
[[nodiscard]] WEFT_API context background() noexcept;
/// The same, where it is not clear yet which context to use.
[[nodiscard]] WEFT_API context todo() noexcept;

/// Cancels its context when called or destroyed; later calls do nothing. Movable.
class WEFT_API cancel_func {
 public:
  cancel_func() noexcept = default;
  explicit cancel_func(context ctx) noexcept : ctx_(std::move(ctx)) {}
  cancel_func(cancel_func&&) noexcept = default;
  cancel_func(const cancel_func&) WEFT_DELETED("weft: a cancel_func has one owner: move it");
  cancel_func& operator=(cancel_func&& other) noexcept {
    if (this != &other) {
      (*this)();
      ctx_ = std::move(other.ctx_);
    }
    return *this;
  }
  ~cancel_func() { (*this)(); }
  /// From any thread, also at the same time. Err becomes canceled, and so does the cause.
  void operator()() const noexcept;

 private:
  context ctx_;
};

/// The same with a cause. The first call wins; a false error stands for canceled.
class WEFT_API cancel_cause_func {
 public:
  cancel_cause_func() noexcept = default;
  explicit cancel_cause_func(context ctx) noexcept : ctx_(std::move(ctx)) {}
  cancel_cause_func(cancel_cause_func&&) noexcept = default;
  cancel_cause_func(const cancel_cause_func&) WEFT_DELETED("weft: it has one owner: move it");
  cancel_cause_func& operator=(cancel_cause_func&& other) noexcept {
    if (this != &other) {
      (*this)(error{});
      ctx_ = std::move(other.ctx_);
    }
    return *this;
  }
  ~cancel_cause_func() { (*this)(error{}); }
  void operator()(error cause) const noexcept;

 private:
  context ctx_;
};

/// What the with_ functions return, for `auto [ctx, cancel] = ...`.
struct [[nodiscard]] context_and_cancel {
  context ctx;
  cancel_func cancel;
};
struct [[nodiscard]] context_and_cancel_cause {
  context ctx;
  cancel_cause_func cancel;
};

/// A child that cancel() ends. All with_ functions panic `cannot create context from nil parent`.
WEFT_API context_and_cancel with_cancel(const context& parent);
WEFT_API context_and_cancel_cause with_cancel_cause(const context& parent);
/// A child that ends at `when`, if its parent does not end earlier. `cause` is what cause() tells
/// after the deadline; default: deadline_exceeded.
WEFT_API context_and_cancel with_deadline(const context& parent, time_point when, error cause = {});
template <class Rep, class Period>
context_and_cancel with_timeout(const context& parent, std::chrono::duration<Rep, Period> d,
                                error cause = {}) {
  const int64_t now_ns = now().time_since_epoch().count();
  const int64_t ns = rt::saturating_ns(d);
  const int64_t when =
      ns <= 0 ? now_ns + (ns < -now_ns ? -now_ns : ns) : rt::deadline_after(now_ns, ns);
  return with_deadline(parent, time_point(std::chrono::nanoseconds(when)), std::move(cause));
}
template <rt::number N>
context_and_cancel with_timeout(const context&, N) {
  static_assert(!rt::number<N>, "weft: a time needs a unit: with_timeout(ctx, 5s)");
  return {};
}
/// A child that is never cancelled, has no deadline, and keeps the values.
[[nodiscard]] WEFT_API context without_cancel(const context& parent);

namespace rt {
[[nodiscard]] WEFT_API context with_typed_value(const context& parent, const void* key,
                                                const char* name, context_value value);
[[nodiscard]] WEFT_API context with_any_value(const context& parent,
                                              std::unique_ptr<context_key_base> key,
                                              context_value value);
[[noreturn]] WEFT_API void panic_nil_key();
}  // namespace rt

/// A child in which `key` has `value`.
template <class T>
[[nodiscard]] context with_value(const context& parent, const context_key<T>& key,
                                 std::type_identity_t<T> value) {
  return rt::with_typed_value(parent, &key, key.name(), rt::erase_value<T>(std::move(value)));
}
/// The same with an ordinary key; a type of your own keeps packages apart. Keys must be equality
/// comparable (checked at compile time). Panics `nil key` for null pointers.
template <std::equality_comparable K, class V>
[[nodiscard]] context with_value(const context& parent, const K& key, V value) {
  if constexpr (std::is_null_pointer_v<K>) {
    rt::panic_nil_key();
  } else {
    if constexpr (std::is_pointer_v<K>)
      if (key == nullptr) rt::panic_nil_key();
    using stored = rt::stored_key<K>;
    return rt::with_any_value(parent, std::make_unique<rt::context_key_of<stored>>(stored(key)),
                              rt::erase_value<std::decay_t<V>>(std::move(value)));
  }
}

template <class T, class V>
  requires(!std::is_convertible_v<V, T>)
context with_value(const context&, const context_key<T>&, V&&) {
  static_assert(std::is_convertible_v<V, T>,
                "weft: with_value(ctx, key, v): v does not convert to the key's type");
  return {};
}
template <class K, class V>
  requires(!std::equality_comparable<K> && !rt::is_context_key<K>)
context with_value(const context&, const K&, V&&) {
  static_assert(std::equality_comparable<K>,
                "weft: with_value(ctx, key, v): a key must be comparable with ==");
  return {};
}

/// Why it was cancelled: the cause given to the first cancellation on the way up, else err().
[[nodiscard]] WEFT_API error cause(const context& ctx);

namespace rt {
struct context_callback;
WEFT_API void release_callback(context_callback* c) noexcept;
[[nodiscard]] WEFT_API context_callback* add_callback(const context& ctx, callback_function f);
WEFT_API bool stop_callback(context_callback* c) noexcept;
struct callback_deleter {
  void operator()(context_callback* c) const noexcept { release_callback(c); }
};
}  // namespace rt

/// Prevents an after_func. Dropping it does not.
class [[nodiscard]] stop_func {
 public:
  stop_func() noexcept = default;
  explicit stop_func(rt::context_callback* c) noexcept : callback_(c) {}
  /// True if the function will not run because of this call. Does not wait for it.
  bool operator()() const noexcept {
    return callback_ != nullptr && rt::stop_callback(callback_.get());
  }

 private:
  std::unique_ptr<rt::context_callback, rt::callback_deleter> callback_;
};

/// Runs `f` in a goroutine of its own once `ctx` is done; at once if it is.
template <class F>
stop_func after_func(const context& ctx, F f) {
  WEFT_CHECK_FUNCTION(after_func(ctx, f), F);
  if constexpr (!std::is_invocable_v<F&>)
    return stop_func();
  else
    return stop_func(rt::add_callback(ctx, rt::callback_function(std::move(f))));
}

/// A select case: ready once `ctx` is done. `f()`. The context must outlive the select.
template <class F = rt::nothing>
[[nodiscard]] auto on_done(const context& ctx, F f = {}) {
  static_assert(std::invocable<F&>, "weft: on_done(ctx, f): f is called without arguments");
  if constexpr (std::invocable<F&>)
    return rt::recv_case<std::monostate, F>(ctx.done_raw(), {}, std::move(f));
  else
    return rt::no_case{};
}
template <class F = rt::nothing>
[[nodiscard]] auto on_done(context&& ctx, F f = {}) {
  static_assert(std::invocable<F&>, "weft: on_done(ctx, f): f is called without arguments");
  if constexpr (std::invocable<F&>)
    return rt::recv_case<std::monostate, F>(ctx.done_raw(), ctx.done().handle(), std::move(f));
  else
    return rt::no_case{};
}

}  // namespace weft
