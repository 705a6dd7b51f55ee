// SPDX-License-Identifier: Apache-2.0
// Expected failures are values: result<T> carries a T or an error; an error carries a code, a
// message and a chain of causes.
#pragma once

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "weft/base/export.hpp"

namespace weft {

/// A value that says what went wrong; default-constructed: nothing did. Copying is a reference
/// count. Identity follows Go's errors package: a sentinel equals only itself, is() walks causes.
class WEFT_API error {
 public:
  error() noexcept = default;
  error(const error& other) noexcept : node_(other.node_) {
    if (node_ != nullptr) retain(*node_);
  }
  error(error&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  error& operator=(error other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~error() {
    if (node_ != nullptr) release(node_);
  }
  /// A new, distinct error, e.g. for sentinels.
  explicit error(std::string message);
  /// An error with a code (errno values: std::generic_category / system_category). An empty message
  /// stands for the code's own text.
  error(std::error_code code, std::string message);
  /// `message: cause`, keeping the cause in the chain. The code is the cause's.
  [[nodiscard]] static error wrap(std::string message, error cause);

  /// True when something went wrong.
  [[nodiscard]] explicit operator bool() const noexcept { return node_ != nullptr; }
  /// The whole text, causes included; "" when nothing went wrong.
  [[nodiscard]] std::string message() const;
  [[nodiscard]] std::error_code code() const noexcept;
  /// The next error in the chain, or a false error.
  [[nodiscard]] error unwrap() const noexcept;
  /// True if this error, or one in its chain, is `target` (same node, or same non-zero code).
  [[nodiscard]] bool is(const error& target) const noexcept;
  [[nodiscard]] bool is(std::error_code code) const noexcept;
  /// The payload of type T attached by with(), of this error or one in its chain; else null.
  template <class T>
  [[nodiscard]] const T* as() const noexcept;
  /// A copy of this error that carries `value` and has this one as its cause.
  template <class T>
  [[nodiscard]] error with(T value) const;
  /// True for deadline_exceeded, os timeouts and what wraps them.
  [[nodiscard]] bool timeout() const noexcept;

  /// Same node: two errors made separately differ, even with equal texts.
  friend bool operator==(const error& a, const error& b) noexcept { return a.node_ == b.node_; }

  struct node;  // error.cpp

 private:
  explicit error(const node* n) noexcept : node_(n) {}  // takes over one reference
  static void retain(const node& n) noexcept;
  static void release(const node* n) noexcept;
  [[nodiscard]] const void* find(const void* type) const noexcept;
  [[nodiscard]] error attach(const void* type, std::shared_ptr<const void> value) const;
  template <class T>
  static const void* type_key() noexcept {
    static const char key = 0;
    return &key;
  }
  const node* node_ = nullptr;
};

template <class T>
const T* error::as() const noexcept {
  return static_cast<const T*>(find(type_key<T>()));
}
template <class T>
error error::with(T value) const {
  return attach(type_key<T>(), std::make_shared<const T>(std::move(value)));
}

namespace rt {
/// From here on errors that exist are never freed: sentinels outlive the destructors of static
/// objects, at the end of a process that goroutines are left behind in. The start of the runtime.
void static_errors_last() noexcept;
}  // namespace rt

/// A T, or why there is none.
template <class T>
using result = std::expected<T, error>;

/// For returning an error from a function that returns result<T>.
[[nodiscard]] inline std::unexpected<error> fail(error why) {
  return std::unexpected<error>(std::move(why));
}

}  // namespace weft
