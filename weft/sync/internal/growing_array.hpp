// SPDX-License-Identifier: Apache-2.0
// A growing array for entries that sync_map::range() copies under a lock and shows without it.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <utility>

namespace weft::rt {

template <class T>
class growing_array {
 public:
  growing_array() = default;
  ~growing_array() {
    clear();
    ::operator delete(items_, std::align_val_t{alignof(T)});
  }
  growing_array(const growing_array&) = delete;
  growing_array& operator=(const growing_array&) = delete;

  /// Appends T{args...}. What it throws changes nothing.
  template <class... Args>
  void add(Args&&... args) {
    if (count_ == capacity_) grow();
    ::new (static_cast<void*>(items_ + count_)) T{std::forward<Args>(args)...};
    ++count_;
  }
  void clear() noexcept {
    std::destroy_n(items_, count_);
    count_ = 0;
  }
  [[nodiscard]] size_t size() const noexcept { return count_; }
  [[nodiscard]] const T* begin() const noexcept { return items_; }
  [[nodiscard]] const T* end() const noexcept { return items_ + count_; }

 private:
  void grow() {
    const size_t more = capacity_ != 0 ? 2 * capacity_ : 32;
    auto* moved = static_cast<T*>(::operator new(more * sizeof(T), std::align_val_t{alignof(T)}));
    size_t done = 0;
    try {
      for (; done < count_; ++done)
        ::new (static_cast<void*>(moved + done)) T(std::move(items_[done]));
    } catch (...) {
      std::destroy_n(moved, done);
      ::operator delete(moved, std::align_val_t{alignof(T)});
      throw;
    }
    std::destroy_n(items_, count_);
    ::operator delete(items_, std::align_val_t{alignof(T)});
    items_ = moved;
    capacity_ = more;
  }

  T* items_ = nullptr;
  size_t count_ = 0;
  size_t capacity_ = 0;
};

}  // namespace weft::rt
