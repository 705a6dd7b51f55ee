// SPDX-License-Identifier: Apache-2.0
// The spread part of an rw_mutex: readers that came and went, counted for each P on a line of its
// own. Who may use it when: rw_mutex.cpp.
#pragma once

#include <cstdint>
#include <new>

#include "weft/base/atomic.hpp"
#include "weft/base/race.hpp"

namespace weft::rt {

struct alignas(64) reader_count {
  /// Both only grow, and wrap. Written by whoever holds the P, in a section; read by writers.
  atomic<uint32_t> came{0};
  atomic<uint32_t> went{0};
};

struct alignas(64) reader_counts {
  uint32_t procs;
  /// What came - went is when nobody is inside. Under the mutex's lock, as all below.
  uint32_t base = 0;
  /// Nobody has come by these counts since base was set, and nobody can.
  bool settled = true;
  /// So often readers ask in vain that the lock be spread again; and how often next time.
  uint32_t patience = 0;
  uint32_t patience_next = 0;
  /// All that had come when the lock was spread.
  uint32_t came_before = 0;
  /// Smaller ones, from when there were fewer Ps: a reader may still be about to look at one.
  reader_counts* previous = nullptr;

  /// Null when there is no memory. Not in a section.
  [[nodiscard]] static reader_counts* make(uint32_t procs) noexcept {
    void* room = ::operator new(sizeof(reader_counts) + procs * sizeof(reader_count),
                                std::align_val_t{alignof(reader_counts)}, std::nothrow);
    if (room == nullptr) return nullptr;
    race_release(room);  // it may be freed by anyone
    auto* counts = new (room) reader_counts{.procs = procs};
    for (uint32_t i = 0; i < procs; ++i) new (&counts->of(i)) reader_count;
    return counts;
  }
  static void destroy(reader_counts* counts) noexcept {
    race_acquire(counts);
    ::operator delete(counts, std::align_val_t{alignof(reader_counts)});
  }

  [[nodiscard]] reader_count& of(uint32_t p_id) noexcept {
    return reinterpret_cast<reader_count*>(this + 1)[p_id];
  }
  [[nodiscard]] uint32_t came() noexcept {
    uint32_t sum = 0;
    for (uint32_t i = 0; i < procs; ++i) sum += of(i).came.load(acquire);
    return sum;
  }
  [[nodiscard]] uint32_t went() noexcept {
    uint32_t sum = 0;
    // acquire: partner: the release of leaving readers. Who is seen to have gone is seen to have
    // come, in a look at came() that follows.
    for (uint32_t i = 0; i < procs; ++i) sum += of(i).went.load(acquire);
    return sum;
  }
};

}  // namespace weft::rt
