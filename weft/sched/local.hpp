// SPDX-License-Identifier: Apache-2.0
// Goroutine-local values: like thread_local, but they move with the goroutine.
#pragma once

#include <type_traits>
#include <utility>

#include "weft/base/callable.hpp"
#include "weft/base/export.hpp"
#include "weft/sched/heap_object.hpp"

namespace weft {

namespace rt {

struct goroutine_top;

/// One value of one goroutine. Only its own goroutine touches it.
struct local_entry {
  const void* key = nullptr;
  local_entry* next = nullptr;
  void (*destroy)(local_entry*) noexcept = nullptr;
};
/// The current goroutine's entry for `key`, or null.
WEFT_API local_entry* find_local(const void* key) noexcept;
WEFT_API void add_local(local_entry* entry) noexcept;
/// Ends every local value of the current goroutine, newest first; values made meanwhile too.
void run_local_destructors() noexcept;
/// The same for a foreign thread that ends.
void destroy_locals(goroutine_top& top) noexcept;

}  // namespace rt

/// A value per goroutine, made on first use and destroyed when the goroutine ends (on a foreign
/// thread: when the thread ends). Declare it static or global: its address is the key, and it must
/// outlive the goroutines that use it. Access is O(number of locals the goroutine uses).
template <class T>
class local {
 public:
  local() = default;
  /// `make()` gives the first value in each goroutine.
  template <class Make>
    requires std::is_invocable_r_v<T, Make&>
  explicit local(Make make) : make_(std::move(make)) {}
  local(const local&) WEFT_DELETED("weft: a local is its address: make it static");
  local& operator=(const local&) = delete;

  /// This goroutine's value. The reference is valid until the goroutine ends.
  [[nodiscard]] T& get() {
    if (auto* found = static_cast<node*>(rt::find_local(this))) return found->value;
    auto* made = make_ ? new node(make_()) : new node();
    made->key = this;
    made->destroy = [](rt::local_entry* entry) noexcept { delete static_cast<node*>(entry); };
    rt::add_local(made);
    return made->value;
  }
  [[nodiscard]] T& operator*() { return get(); }
  [[nodiscard]] T* operator->() { return &get(); }

 private:
  struct node : rt::local_entry, rt::heap_object {
    node() = default;
    explicit node(T&& initial) : value(std::move(initial)) {}
    T value{};
  };
  rt::callable<T> make_;
};

}  // namespace weft
