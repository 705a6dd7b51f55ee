// SPDX-License-Identifier: Apache-2.0
// rw_mutex: everything that involves a writer happens under one internal lock; readers alone need
// only a counter: the word, or one of their P's.
//
// A writer subtracts readers_max from the word: from then on every arriving and leaving reader
// sees a large negative number and comes to the slow path, where it queues, or counts itself out of
// readers_to_leave_. unlock() adds readers_max back: what the word then shows are the readers
// that came meanwhile, and all of them are in. If another writer waits it is the owner-to-be at
// once, and waits for exactly these readers.
//
// Spread, readers count themselves in and out of two numbers of their P's, in a section, so with
// plain instructions. Nobody remembers where a reader came in: it may leave on another P, or by the
// word when the lock has been gathered meanwhile. Only the sum counts:
//
//   inside = readers in the word + came - went - base
//
//   reader, coming: ++came; light fence; still spread?       writer: gathered; in the list of those
//   reader, going:  ++went; light fence; anybody draining?           that drain; heavy fence; sum
//
// A reader that finds the lock gathered counts itself out again and takes the other way. So the sum
// may be too large for a moment, never too small: `went` is read before `came`. When it is zero the
// writer is in, and until the lock is spread anew the counts do not matter: base is what they say.
// The word may then be below zero by readers that came by a count and left by the word; the writer
// puts that right (settle()). So "negative" alone does not mean a writer: has_writer() does.
//
// Lifetime: whoever gives the lock away by a counter does so as its only step, or still holds
// lock_; the destructor takes lock_, so it waits for the latter. A reader that leaves a spread lock
// looks for a draining writer in a table that is not the lock's; it finds one by the lock's
// address, which may be another one's by now: then it wakes a writer for nothing, who looks again.
//
// Rejected: Go's structure, a mutex for writers plus two semaphores. Its Unlock releases the
// writers' mutex last, when the readers it has let in may already have destroyed the object. A
// table of readers that all locks share (D. Dice and A. Kogan, "BRAVO", 2019): a compare-and-swap
// each, and a writer looks at thousands of places. Always spread: 64 bytes a P for every lock, and
// a membarrier for every writer.
#include "weft/sync/rw_mutex.hpp"

#include <algorithm>
#include <utility>

#include "weft/base/panic.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/internal/parking.hpp"
#include "weft/sync/internal/reader_counts.hpp"

namespace weft {
namespace rt {

/// A writer that waits for readers of a spread lock; on its stack. Under the list's lock.
struct reader_drain {
  const void* of;
  futex_mutex* lock;  // of that lock
  sudog* writer;
  reader_drain* next = nullptr;
  /// It has parked: who takes this out of the list wakes it.
  bool parked = false;
  /// Taken out of the list before it had parked: it does not park.
  bool called = false;
};

namespace {

// Locks that have counts at most: a bound on what they cost together, 64 bytes a P each.
constexpr uint32_t spread_locks_max = 4096;
atomic<uint32_t> spread_locks{0};
// Readers of one spread phase that are worth gathering; fewer, and the lock is spread less often.
constexpr uint32_t readers_worth_it = often(4096);
constexpr uint32_t patience_max = 255;

/// Writers that drain, by a hash of the lock's address.
struct alignas(64) drain_list {
  /// Length of the list. Written under `lock`; read by readers that leave.
  atomic<uint32_t> length{0};
  futex_mutex lock{lock_rank::leaf};
  reader_drain* first WEFT_GUARDED_BY(lock) = nullptr;
};
// Readers of locks that share one with a lock that drains look into it in vain. Fewer than 64
// locks drain at any time.
constexpr uint32_t drain_lists = 64;
constinit drain_list draining_locks[drain_lists] = {};

drain_list& drain_list_of(const void* lock) noexcept {
  const auto scattered = (reinterpret_cast<uintptr_t>(lock) >> 4) * 0x9e3779b97f4a7c15ULL;
  return draining_locks[scattered >> 58];
}

void drain_enter(reader_drain& drain) noexcept {
  drain_list& list = drain_list_of(drain.of);
  const kept_lock_scope held(list.lock);
  drain.parked = drain.called = false;
  drain.next = list.first;
  list.first = &drain;
  list.length.fetch_add(1, relaxed);
}

/// Calls the writer that drains `lock`: it is taken out, and to be woken by the caller if it has
/// parked. Null: nobody is to be woken.
sudog* drain_call(const void* lock) noexcept {
  drain_list& list = drain_list_of(lock);
  const kept_lock_scope held(list.lock);
  for (reader_drain** at = &list.first; *at != nullptr; at = &(*at)->next)
    if (reader_drain* drain = *at; drain->of == lock) {
      *at = drain->next;
      list.length.fetch_sub(1, relaxed);
      drain->called = true;
      return drain->parked ? drain->writer : nullptr;
    }
  return nullptr;
}

/// park_commit of a writer that drains: from now on it can be woken, unless it was called already.
bool drain_commit(goroutine*, void* argument) noexcept WEFT_UNCHECKED {
  auto& drain = *static_cast<reader_drain*>(argument);
  futex_mutex& lock = *drain.lock;
  bool parks = false;
  {
    drain_list& list = drain_list_of(drain.of);
    const kept_lock_scope held(list.lock);
    parks = drain.parked = !drain.called;
  }
  lock.unlock();
  return parks;
}

/// A reader has left the spread `lock`, of which only the address may be used.
bool somebody_drains(const void* lock) noexcept {
  return drain_list_of(lock).length.load(relaxed) != 0;
}
__attribute__((noinline)) void wake_draining(const void* lock) noexcept {
  const section entered(leaf);
  if (sudog* writer = drain_call(lock); writer != nullptr) wake(writer, false);
}

}  // namespace
}  // namespace rt

rt::reader_counts* rw_mutex::counts() const noexcept {
  return reinterpret_cast<rt::reader_counts*>(spread_.load(rt::relaxed) & ~gathered);
}

WEFT_UNCHECKED rw_mutex::~rw_mutex() {
  {
    const rt::section s;
    lock_.lock();
    lock_.unlock();
  }
  for (rt::reader_counts* each = counts(); each != nullptr;) {
    rt::spread_locks.fetch_sub(1, rt::relaxed);
    rt::reader_counts::destroy(std::exchange(each, each->previous));
  }
}

// Readers are not ordered among themselves: what they did is released at one address, for writers,
// and what writers did at another, for all. As in Go.
void rw_mutex::lock() noexcept {
  lock_to_write();
  rt::race_acquire(&word_);
  rt::race_acquire(&lock_);
}

void rw_mutex::lock_shared_seen() noexcept {
  if (rt::attention.load(rt::relaxed) != 0) rt::attend();
  if ((spread_.load(rt::relaxed) & gathered) != 0 || !lock_spread()) lock_counted();
  rt::race_acquire(&word_);
}

void rw_mutex::unlock_shared_seen() noexcept {
  rt::race_release(&lock_);
  if ((spread_.load(rt::relaxed) & gathered) != 0 || !unlock_spread()) unlock_counted();
}

// --- spread readers ---

bool rw_mutex::lock_spread() noexcept {
  rt::machine* mp = rt::try_enter_on_p();
  if (mp == nullptr) return false;
  const uintptr_t spread = spread_.load(rt::acquire);  // partner: spread_out(): the counts are made
  auto* counts = reinterpret_cast<rt::reader_counts*>(spread);
  if ((spread & gathered) != 0 || mp->p_id >= counts->procs) {
    rt::leave_section_on(mp);
    return false;
  }
  rt::reader_count& own = counts->of(mp->p_id);
  own.came.store(own.came.load(rt::relaxed) + 1, rt::relaxed);
  rt::compiler_fence();  // light_fence() here; partner: heavy_fence() in gather()
  // acquire: partner: spread_out(): what writers did before.
  const bool in = spread_.load(rt::acquire) == spread;
  bool drained = false;
  if (!in) [[unlikely]] {
    own.went.store(own.went.load(rt::relaxed) + 1, rt::release);
    rt::compiler_fence();  // as in unlock_spread()
    drained = rt::somebody_drains(this);
  }
  rt::leave_section_on(mp);
  if (drained) [[unlikely]]
    rt::wake_draining(this);
  return in;
}

bool rw_mutex::unlock_spread() noexcept {
  rt::machine* mp = rt::try_enter_on_p();
  if (mp == nullptr) return false;
  const uintptr_t spread = spread_.load(rt::acquire);  // partner: as in lock_spread()
  auto* counts = reinterpret_cast<rt::reader_counts*>(spread);
  if ((spread & gathered) != 0 || mp->p_id >= counts->procs) {
    rt::leave_section_on(mp);
    return false;
  }
  rt::reader_count& own = counts->of(mp->p_id);
  // release: partner: the acquire in reader_counts::went(). After this the lock may be gone.
  own.went.store(own.went.load(rt::relaxed) + 1, rt::release);
  rt::compiler_fence();  // light_fence() here; partner: heavy_fence() in gather()
  const bool drained = rt::somebody_drains(this);
  rt::leave_section_on(mp);
  if (drained) [[unlikely]]
    rt::wake_draining(this);
  return true;
}

/// Many readers have come, this one last, and no writer.
WEFT_UNCHECKED void rw_mutex::consider_spreading() noexcept {
  rt::reader_counts* fresh = nullptr;
  bool room_wanted = false;
  bool several = false;
  uint32_t procs_wanted = 0;
  do {
    if (room_wanted) {
      room_wanted = false;
      if (rt::spread_locks.fetch_add(1, rt::relaxed) >= rt::spread_locks_max ||
          (fresh = rt::reader_counts::make(procs_wanted)) == nullptr) {
        rt::spread_locks.fetch_sub(1, rt::relaxed);
        return;
      }
    }
    const rt::section entered(rt::leaf);
    const rt::machine* mp = rt::this_machine();
    lock_.lock();
    // Ours to subtract: arrivals grow by themselves only, and get smaller under the lock.
    word_.fetch_sub(word_.load(rt::relaxed) & arrivals_mask, rt::relaxed);
    // A thread without a P has nothing of it; nor has a lock that only one P reads.
    if (mp->p != nullptr && !mp->sim) {
      several = several || (asked_by_ != 0 && asked_by_ != mp->p_id + 1);
      asked_by_ = mp->p_id + 1;
      procs_wanted = std::max(mp->p_id + 1, static_cast<uint32_t>(maxprocs(0)));
      if (several && !writer_ && (spread_.load(rt::relaxed) & gathered) != 0)
        room_wanted = !spread_out(fresh, procs_wanted);
    }
    lock_.unlock();  // we are a reader: it lives on
  } while (room_wanted);
  if (fresh != nullptr) {
    rt::spread_locks.fetch_sub(1, rt::relaxed);
    rt::reader_counts::destroy(fresh);
  }
}

/// False: there are no counts, or not for all Ps, and no `fresh` ones either.
bool rw_mutex::spread_out(rt::reader_counts*& fresh, uint32_t procs) noexcept {
  rt::reader_counts* counts = this->counts();
  if (counts == nullptr || counts->procs < procs) {
    if (fresh == nullptr) return false;
    fresh->previous = counts;
    counts = std::exchange(fresh, nullptr);
    word_.fetch_or(ever_spread, rt::relaxed);
  }
  if (counts->patience != 0) {
    --counts->patience;
    spread_.store(reinterpret_cast<uintptr_t>(counts) | gathered, rt::release);
    return true;
  }
  counts->settled = false;
  counts->came_before = counts->came();
  // release: partner: the acquire of readers. What writers did happens before, through lock_.
  spread_.store(reinterpret_cast<uintptr_t>(counts), rt::release);
  return true;
}

// --- writers and the counts ---

bool rw_mutex::is_spread() const noexcept {
  const rt::reader_counts* counts = this->counts();
  return counts != nullptr && !counts->settled;
}

/// Whom the writer waits for. May be too many for a moment: then somebody wakes it again.
int32_t rw_mutex::readers_left() noexcept {
  if (!is_spread()) return readers_to_leave_;
  rt::reader_counts* counts = this->counts();
  const uint32_t went = counts->went();  // first: see the top
  const int32_t left =
      readers_to_leave_ + static_cast<int32_t>(counts->came() - went - counts->base);
  if (left < 0) rt::fatal("sync: RUnlock of unlocked RWMutex");
  return left;
}

/// From now on readers use the word, and those that leave by the counts wake the writer.
void rw_mutex::gather(rt::reader_drain& drain) noexcept {
  spread_.store(spread_.load(rt::relaxed) | gathered, rt::relaxed);
  rt::drain_enter(drain);
  rt::os::heavy_fence();  // partner: the light fences of spread readers
}

/// Nobody is inside: what is left in the word was left behind by readers of both kinds.
void rw_mutex::settle() noexcept {
  if (!is_spread()) return;
  rt::reader_counts& counts = *this->counts();
  word_.fetch_sub(readers_to_leave_ * one_reader, rt::relaxed);
  counts.base -= static_cast<uint32_t>(readers_to_leave_);
  readers_to_leave_ = 0;
  counts.settled = true;
  const bool worth_it = counts.came() - counts.came_before >= rt::readers_worth_it;
  uint32_t& next = counts.patience_next;
  next = worth_it ? next / 2 : next >= rt::patience_max / 2 ? rt::patience_max : next * 2 + 1;
  counts.patience = next;
}

// --- writers ---

WEFT_UNCHECKED void rw_mutex::lock_to_write() noexcept {
  rt::section s(rt::may_park);
  lock_.lock();
  rt::sudog self;
  if (writer_) {
    self.g = rt::current();
    waiting_writers_.push_back(&self);
    rt::park_unlock(lock_, rt::wait_reason::rw_mutex_lock, this);
    return;  // unlock() has made us the writer, and the readers have left
  }
  writer_ = true;
  rt::reader_drain drain{.of = this, .lock = &lock_, .writer = &self};
  const bool spread = is_spread();
  if (spread) gather(drain);
  // acquire: partner: the release in unlock_shared() and unlock().
  readers_to_leave_ += readers(word_.fetch_sub(readers_max * one_reader, rt::acquire));
  self.g = rt::current();
  while (readers_left() != 0) {
    draining_ = &self;
    self.success = false;
    if (spread)
      rt::park(rt::drain_commit, &drain, rt::wait_reason::rw_mutex_lock, this);
    else
      rt::park_unlock(lock_, rt::wait_reason::rw_mutex_lock, this);
    if (self.success) return;  // woken by the last reader, who has settled everything
    lock_.lock();
    draining_ = nullptr;
    gather(drain);
  }
  if (spread) {
    (void)rt::drain_call(this);  // we do not park
    settle();
  }
  lock_.unlock();
}

WEFT_UNCHECKED bool rw_mutex::try_lock() noexcept {
  rt::section s;
  lock_.lock();
  bool taken = false;
  if (!writer_ && is_spread()) {
    taken = try_lock_spread();
  } else if (!writer_) {
    int64_t now = word_.load(rt::relaxed);
    // Ends: each failure means that a reader came or went. acquire: as in lock().
    while (!taken && readers(now) == 0)
      taken = word_.compare_exchange(now, now - readers_max * one_reader, rt::acquire, rt::relaxed);
  }
  if (taken) writer_ = true;
  lock_.unlock();
  if (taken) {
    rt::race_acquire(&word_);
    rt::race_acquire(&lock_);
  }
  return taken;
}

bool rw_mutex::try_lock_spread() noexcept {
  rt::reader_counts& counts = *this->counts();
  const auto inside = [&](int64_t& now) {
    const uint32_t went = counts.went();  // first: see the top
    now = word_.load(rt::acquire);
    return readers(now) + static_cast<int32_t>(counts.came() - went - counts.base);
  };
  int64_t now = 0;
  if (inside(now) != 0) return false;  // mostly, without a fence
  const uintptr_t spread = spread_.load(rt::relaxed);
  spread_.store(spread | gathered, rt::relaxed);
  rt::os::heavy_fence();  // partner: as in gather()
  // Readers come by the word only. If it is still what it was, nobody has.
  if (inside(now) == 0 &&
      word_.compare_exchange(now, (now & (one_reader - 1)) - readers_max * one_reader, rt::acquire,
                             rt::relaxed)) {
    readers_to_leave_ = 0;
    counts.base = counts.base - static_cast<uint32_t>(readers(now));
    counts.settled = true;
    return true;
  }
  spread_.store(spread, rt::release);  // as in spread_out()
  return false;
}

WEFT_UNCHECKED void rw_mutex::unlock() noexcept {
  rt::section s;
  lock_.lock();
  if (!writer_ || draining_ != nullptr) {
    lock_.unlock();
    rt::fatal("sync: Unlock of unlocked RWMutex");
  }
  rt::race_release(&word_);
  // Arrivals are counted from here.
  const int64_t arrivals = word_.load(rt::relaxed) & arrivals_mask;
  // release: partner: the acquire in lock_shared() and lock_to_write(). All who have come are in
  // now.
  const int32_t came =
      readers(word_.fetch_add(readers_max * one_reader - arrivals, rt::release)) + readers_max;
  rt::sudog* waiting = nullptr;
  rt::sudog** tail = &waiting;
  int32_t queued = 0;
  while (rt::sudog* sg = waiting_readers_.dequeue()) {
    *tail = sg;
    tail = &sg->next;
    ++queued;
  }
  admitted_ += came - queued;  // on their way to lock_shared_slow()

  rt::sudog* next_writer = waiting_writers_.dequeue();
  writer_ = next_writer != nullptr;
  if (next_writer != nullptr) {
    // Readers have come by the word only: while there are writers the lock is not spread.
    readers_to_leave_ += readers(word_.fetch_sub(readers_max * one_reader, rt::acquire));
    if (readers_to_leave_ != 0) {
      draining_ = next_writer;
      next_writer = nullptr;
    }
  }
  lock_.unlock();
  while (waiting != nullptr) {
    rt::sudog* sg = waiting;
    waiting = sg->next;
    rt::wake(sg, true);
  }
  if (next_writer != nullptr) rt::wake(next_writer, true);
}

// --- readers by the word ---

WEFT_UNCHECKED void rw_mutex::lock_shared_slow(int64_t now) noexcept {
  if (!has_writer(now)) {  // we are in
    if ((now & many_arrivals) != 0) consider_spreading();
    return;
  }
  rt::section s(rt::may_park);
  lock_.lock();
  if (admitted_ > 0) {
    --admitted_;
    lock_.unlock();
    return;
  }
  rt::sudog self;
  self.g = rt::current();
  waiting_readers_.push_back(&self);
  rt::park_unlock(lock_, rt::wait_reason::rw_mutex_rlock, this);
}

bool rw_mutex::try_lock_shared() noexcept {
  if (rt::sim_enabled) [[unlikely]]
    rt::sim_point();
  bool taken = (spread_.load(rt::relaxed) & gathered) == 0 && lock_spread();
  int64_t now = word_.load(rt::relaxed);
  // Ends: each failure means that somebody else's step succeeded. acquire: as in lock_shared().
  while (!taken && !has_writer(now))
    taken = word_.compare_exchange(now, now + one_reader, rt::acquire, rt::relaxed);
  if (taken) rt::race_acquire(&word_);
  return taken;
}

WEFT_UNCHECKED void rw_mutex::unlock_shared_slow(int64_t left) noexcept {
  const bool came_by_word = (left & ever_spread) == 0;
  if (came_by_word && (readers(left) == -1 || readers(left) == -readers_max - 1))
    rt::fatal("sync: RUnlock of unlocked RWMutex");
  if (!has_writer(left)) return;  // it came by a count; the lock may be gone
  rt::section s;
  lock_.lock();
  --readers_to_leave_;
  rt::sudog* writer = nullptr;
  if (draining_ != nullptr && readers_left() == 0) {
    // If a reader has called it already, it looks for itself, and finds nobody left.
    writer = is_spread() ? rt::drain_call(this) : draining_;
    if (writer != nullptr) {
      settle();
      draining_ = nullptr;
    }
  }
  lock_.unlock();
  if (writer != nullptr) rt::wake(writer, true);
}

}  // namespace weft
