// SPDX-License-Identifier: Apache-2.0
// A doubly linked list whose links live in the elements: no allocation, O(1) erase, FIFO or LIFO.
//
// A null-terminated list with a head and a tail, not a ring with a sentinel: an empty list is all
// zeros, may be constant-initialized, and may be moved bytewise.
#pragma once

#include "weft/base/panic.hpp"

namespace weft::rt {

/// The links of an element; one hook for each list that it can be on at the same time.
template <class T>
struct list_hook {
  T* next = nullptr;
  T* prev = nullptr;
};

/// Owns nothing; whoever guards the list guards the hooks of its elements. An element is on at most
/// one list through one hook; a list does not know whether an element is on another one.
template <class T, list_hook<T> T::*Hook>
class intrusive_list {
 public:
  constexpr intrusive_list() noexcept = default;
  intrusive_list(const intrusive_list&) = delete;
  intrusive_list& operator=(const intrusive_list&) = delete;

  [[nodiscard]] bool empty() const noexcept { return head_ == nullptr; }
  [[nodiscard]] T* front() const noexcept { return head_; }
  [[nodiscard]] T* back() const noexcept { return tail_; }
  [[nodiscard]] static T* next(const T* element) noexcept { return (element->*Hook).next; }

  void push_back(T* element) noexcept { link(tail_, element, nullptr); }
  void push_front(T* element) noexcept { link(nullptr, element, head_); }

  /// Takes the first element off; null if there is none.
  T* pop_front() noexcept {
    T* first = head_;
    if (first != nullptr) erase(first);
    return first;
  }

  /// Takes `element` off; it must be on this list.
  void erase(T* element) noexcept {
    list_hook<T>& hook = element->*Hook;
    WEFT_ASSERT(hook.prev != nullptr || head_ == element);
    WEFT_ASSERT(hook.next != nullptr || tail_ == element);
    (hook.prev != nullptr ? (hook.prev->*Hook).next : head_) = hook.next;
    (hook.next != nullptr ? (hook.next->*Hook).prev : tail_) = hook.prev;
    hook = {};
  }

 private:
  void link(T* before, T* element, T* after) noexcept {
    list_hook<T>& hook = element->*Hook;
    WEFT_ASSERT(hook.next == nullptr && hook.prev == nullptr);
    hook = {.next = after, .prev = before};
    (before != nullptr ? (before->*Hook).next : head_) = element;
    (after != nullptr ? (after->*Hook).prev : tail_) = element;
  }

  T* head_ = nullptr;
  T* tail_ = nullptr;
};

}  // namespace weft::rt
