// SPDX-License-Identifier: Apache-2.0
// defer: runs something when the scope ends, however it ends.
#pragma once

#include <type_traits>
#include <utility>

namespace weft {

/// Runs a function when the scope ends: by return, by break, by an exception.
///
///   weft::defer cleanup([&] { file.close(); });
///
/// Defers run in reverse order of their declaration. Unlike Go's they belong to the block, not to
/// the function. An exception from the function leaves the scope as any other; while another
/// exception is already unwinding through the scope it ends the process (std::terminate), since
/// C++ cannot carry two. The function may park.
template <class F>
class [[nodiscard("a defer without a name runs at once")]] defer {
 public:
  explicit defer(F f) noexcept(std::is_nothrow_move_constructible_v<F>) : f_(std::move(f)) {}
  ~defer() noexcept(noexcept(std::declval<F&>()())) { f_(); }
  defer(const defer&) = delete;
  defer& operator=(const defer&) = delete;

 private:
  F f_;
};

}  // namespace weft
