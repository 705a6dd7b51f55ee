// SPDX-License-Identifier: Apache-2.0
// rw_mutex: many readers or one writer; std lockable and shared lockable.
//
// Writers are preferred: once lock() waits, new readers wait until that writer has run; readers
// that are in finish first. At unlock() all readers that wait enter before the next writer. So a
// reader must not lock again what it holds: a writer in between makes that a deadlock. There is
// no upgrade. Unlocking what is not locked is fatal, if it is noticed (see below).
//
// Readers cost one locked instruction each way, until thousands of several Ps have come with no
// writer in between. From then on the lock is *spread*: each P counts its readers on a line of its
// own, with plain instructions, and readers on several CPUs do not slow each other down. The next
// writer gathers it in again, for a membarrier (1 us alone, some 10 us beside busy threads): so one
// write in thousands costs nearly nothing, and locks that are written more often are never spread.
// A spread lock has 64 bytes a P beside it, until it is destroyed; 4096 locks at most have that.
// While it is spread a wrong unlock_shared() is noticed by the next writer, or not at all.
//
// Choose it when reading takes longer than the lock (some 10 ns), or reads are most of what is
// done; for short sections with many writes a mutex is quicker. Not to be held for reading across
// calls that wait for a writer.
//
// May be destroyed as soon as nobody holds it or waits for it.
#pragma once

#include <cstdint>

#include "weft/base/atomic.hpp"
#include "weft/base/export.hpp"
#include "weft/base/futex_mutex.hpp"
#include "weft/base/race.hpp"
#include "weft/sync/internal/waiter.hpp"

namespace weft {
namespace rt {
extern atomic<uint32_t> attention;  // sched/internal/section.hpp
void attend() noexcept;
struct reader_counts;
struct reader_drain;
}  // namespace rt

class WEFT_API rw_mutex {
 public:
  constexpr rw_mutex() noexcept = default;
  ~rw_mutex();
  rw_mutex(const rw_mutex&) WEFT_DELETED("weft: a rw_mutex is not copied: refer to it");
  rw_mutex& operator=(const rw_mutex&) = delete;

  /// May park.
  void lock() noexcept;
  /// Never parks. May fail although nobody holds it when a reader comes or goes at that moment.
  [[nodiscard]] bool try_lock() noexcept;
  /// Never parks. Fatal `sync: Unlock of unlocked RWMutex`.
  void unlock() noexcept;

  /// May park.
  void lock_shared() noexcept {
    if constexpr (rt::race_enabled) return lock_shared_seen();
    if (rt::attention.load(rt::relaxed) != 0) [[unlikely]]
      rt::attend();
    if ((spread_.load(rt::relaxed) & gathered) == 0 && lock_spread()) return;
    lock_counted();
  }
  /// Never parks. False while a writer holds it or waits for it.
  [[nodiscard]] bool try_lock_shared() noexcept;
  /// Never parks. Fatal `sync: RUnlock of unlocked RWMutex`.
  void unlock_shared() noexcept {
    if constexpr (rt::race_enabled) return unlock_shared_seen();
    if ((spread_.load(rt::relaxed) & gathered) == 0 && unlock_spread()) return;
    unlock_counted();
  }

 private:
  // word_: readers in the upper half; below, what else one instruction shall tell.
  static constexpr int64_t one_reader = int64_t{1} << 32;
  static constexpr int32_t readers_max = 1 << 30;            // Go's limit
  static constexpr int64_t ever_spread = int64_t{1} << 31;   // the lock has counts
  static constexpr int64_t arrivals_mask = ever_spread - 1;  // readers since the last writer
  // As many readers in a row as pay for gathering: 2048 times what a reader saves, 5 to 50 ns.
  // Fewer: locks that are written now and then would be spread in vain. More: later.
  static constexpr int64_t many_arrivals = rt::often(1 << 11);
  static constexpr int64_t sign = INT64_MIN;
  static constexpr uintptr_t gathered = 1;  // of spread_

  static int32_t readers(int64_t word) noexcept { return static_cast<int32_t>(word >> 32); }
  /// A writer held it, or waited for readers, when this was the word. Without one the number may be
  /// a little below zero: see rw_mutex.cpp.
  static bool has_writer(int64_t word) noexcept { return readers(word) < -(readers_max / 2); }

  void lock_counted() noexcept {
    // acquire: partner: the release in unlock().
    const int64_t now = word_.fetch_add(one_reader + 1, rt::acquire) + one_reader + 1;
    if ((now & (sign | many_arrivals)) != 0) [[unlikely]]
      lock_shared_slow(now);
  }
  void unlock_counted() noexcept {
    // release: partner: the acquire in lock() and try_lock().
    const int64_t left = word_.fetch_sub(one_reader, rt::release) - one_reader;
    if (left < 0) [[unlikely]]
      unlock_shared_slow(left);
  }
  // What the detector sees are edges, and not the words: rw_mutex.cpp.
  void lock_shared_seen() noexcept;
  void unlock_shared_seen() noexcept;
  void lock_to_write() noexcept;
  void lock_shared_slow(int64_t now) noexcept;
  void unlock_shared_slow(int64_t left) noexcept;
  /// By the counts of this thread's P. False: not done; it has no P, or the lock is gathered.
  bool lock_spread() noexcept;
  bool unlock_spread() noexcept;
  void consider_spreading() noexcept;
  bool spread_out(rt::reader_counts*& fresh, uint32_t procs) noexcept WEFT_REQUIRES(lock_);
  [[nodiscard]] rt::reader_counts* counts() const noexcept;
  [[nodiscard]] int32_t readers_left() noexcept WEFT_REQUIRES(lock_);
  [[nodiscard]] bool is_spread() const noexcept WEFT_REQUIRES(lock_);
  void gather(rt::reader_drain& drain) noexcept WEFT_REQUIRES(lock_);
  void settle() noexcept WEFT_REQUIRES(lock_);
  [[nodiscard]] bool try_lock_spread() noexcept WEFT_REQUIRES(lock_);

  /// Readers that are in or wait; minus readers_max while a writer holds it or waits for readers.
  rt::atomic<int64_t> word_{0};
  /// The counts, and `gathered`. Written under lock_, read by readers.
  rt::atomic<uintptr_t> spread_{gathered};
  rt::futex_mutex lock_{rt::lock_rank::sync};
  /// A writer holds it, or waits for readers in `draining_`.
  bool writer_ WEFT_GUARDED_BY(lock_) = false;
  /// Readers that the writer still waits for, those beside that the counts tell.
  int32_t readers_to_leave_ WEFT_GUARDED_BY(lock_) = 0;
  /// Readers that unlock() has let in before they had queued.
  int32_t admitted_ WEFT_GUARDED_BY(lock_) = 0;
  /// Which P's reader was the last of many in a row, plus one; 0: none yet.
  uint32_t asked_by_ WEFT_GUARDED_BY(lock_) = 0;
  rt::sudog* draining_ WEFT_GUARDED_BY(lock_) = nullptr;
  rt::wait_queue waiting_readers_ WEFT_GUARDED_BY(lock_);
  rt::wait_queue waiting_writers_ WEFT_GUARDED_BY(lock_);
};

}  // namespace weft
