// SPDX-License-Identifier: Apache-2.0
// A plain hash table with chains, for use under a lock: what is under sharded_map. (Not
// std::unordered_map: its header would cost everyone who includes weft.hpp a quarter of a second.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <utility>

namespace weft::rt {

template <class K, class V>
class plain_table {
 public:
  struct entry {
    template <class... Args>
    explicit entry(uint64_t h, K&& k, Args&&... args)
        : hash(h), key(std::move(k)), value(std::forward<Args>(args)...) {}
    entry* next = nullptr;
    const uint64_t hash;  // remembered: growing calls no user
    const K key;
    V value;
  };

  plain_table() = default;
  ~plain_table() {
    each([](entry& e) {
      delete &e;
      return true;
    });
    delete[] buckets_;
  }
  plain_table(const plain_table&) = delete;
  plain_table& operator=(const plain_table&) = delete;

  /// The link to the entry with this hash that `matches(key)`, or null.
  template <class Matches>
  [[nodiscard]] entry** find(uint64_t hash, const Matches& matches) const {
    if (buckets_ == nullptr) return nullptr;
    for (entry** link = &buckets_[hash & mask_]; *link != nullptr; link = &(*link)->next)
      if ((*link)->hash == hash && matches((*link)->key)) return link;
    return nullptr;
  }
  /// Takes over an entry whose key is not there. May throw std::bad_alloc, and has not, then.
  void insert(entry* e) {
    if (count_ >= bucket_count()) grow();
    put(e);
    ++count_;
  }
  /// The caller owns it then.
  [[nodiscard]] entry* unlink(entry** link) noexcept {
    --count_;
    return std::exchange(*link, (*link)->next);
  }
  /// Calls `f(entry&)`, which may delete it, until it returns false.
  template <class F>
  void each(F&& f) const {
    for (size_t b = 0; b < bucket_count(); ++b)
      for (entry* e = buckets_[b]; e != nullptr;)
        if (!f(*std::exchange(e, e->next))) return;
  }
  [[nodiscard]] size_t size() const noexcept { return count_; }
  void swap(plain_table& other) noexcept {
    std::swap(buckets_, other.buckets_);
    std::swap(mask_, other.mask_);
    std::swap(count_, other.count_);
  }

 private:
  static constexpr size_t first_buckets = 8;

  [[nodiscard]] size_t bucket_count() const noexcept { return buckets_ != nullptr ? mask_ + 1 : 0; }
  void put(entry* e) noexcept {
    entry*& head = buckets_[e->hash & mask_];
    e->next = head;
    head = e;
  }
  /// A full table without memory gets longer chains; an empty one cannot do without.
  void grow() {
    const size_t old_count = bucket_count();
    const size_t wanted = old_count != 0 ? 2 * old_count : first_buckets;
    auto** more = new (std::nothrow) entry*[wanted]();
    if (more == nullptr) {
      if (old_count == 0) throw std::bad_alloc();
      return;
    }
    entry** old = std::exchange(buckets_, more);
    mask_ = wanted - 1;
    for (size_t b = 0; b < old_count; ++b)
      for (entry* e = old[b]; e != nullptr;) put(std::exchange(e, e->next));
    delete[] old;
  }

  entry** buckets_ = nullptr;
  size_t mask_ = 0;
  size_t count_ = 0;
};

}  // namespace weft::rt
