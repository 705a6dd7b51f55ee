// SPDX-License-Identifier: Apache-2.0
// The pool: where items lie, who may touch what, and how they grow old.
//
// A pool has a *place* for each P and a few for guests. An operation is a section; in it this
// thread holds its P, and no other thread does, so the place is its own: `kept` (one item) and the
// owner's end of `items` need no locked instruction. What a robbed M must not do, a section does
// not let it do: enter_section() finds that the P is gone, and the operation is a guest's. Guests
// (foreign and robbed threads, deterministic mode) share places of which each has a lock; its
// holder is the owner.
//
//   get:  kept -> own items (head) -> others' items (tail) -> victims of all -> nothing
//   put:  kept, if that is empty -> own items (head)
//
// Growing old (rotate()): what lies in a place becomes its victims, which anyone may take and
// nobody adds to; what were its victims are destroyed. For that the pool is frozen for a moment:
//
//   operation:  busy = 1; light fence; frozen?      rotate:  frozen = 1; heavy fence; any busy?
//
// One of the two sees the other. An operation that finds the pool frozen touches nothing: get() has
// found nothing, put() drops its item; a pool may do that at any time. If rotate() finds a place
// busy for long (its thread was stopped by the kernel in the middle) it does nothing until the
// next time. Otherwise nobody is inside any part of the pool, thieves too, for they are busy in
// their own place: so rings are freed there and then, and no other scheme of reclamation is needed.
//
// Lifetime: rotate() runs under the registry's lock, which the destructor takes to leave it. What
// is to be destroyed is taken out there, and destroyed after the lock: that is user code.
//
// Rejected: stopping the world as Go does (100 us, for every pool and P, needed or not); each P
// rotating its own place at its next operation (a pool that nobody uses would keep everything); an
// exchange for `kept` (two locked instructions a pair: four times the cost).
#include "weft/sync/pool.hpp"

#include <cstring>

#include "weft/base/futex_mutex.hpp"
#include "weft/base/race.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/internal/pool_chain.hpp"

namespace weft::rt {

namespace {
// Threads without a P that meet in a pool at once; more would wait for each other for the length
// of an operation. Each costs a place.
constexpr uint32_t guest_places = 4;
// A busy place is left within some 50 instructions, or its thread does not run.
constexpr int busy_looks = 1000;
}  // namespace

struct alignas(128) pool_place {
  /// 1 while its owner is inside. Owner writes, rotate() reads.
  atomic<uint32_t> busy{0};
  /// A guest's place: owner is who holds it.
  futex_mutex guests{lock_rank::leaf};
  /// The item that was put last. Owner; rotate().
  atomic<void*> kept{nullptr};
  pool_chain items;
  /// What `kept` was. Anyone takes it; only rotate() puts something there.
  atomic<void*> victim{nullptr};
  /// What `items` were. Anyone steals; nobody pushes or pops.
  pool_chain victims;
};

struct pool_table {
  uint32_t procs;        // Ps that have places here
  uint32_t count;        // of `at`
  pool_table* previous;  // it has the places that this one did not make
  pool_place* made;      // places that were allocated with this table
  uint32_t made_count;
  /// Places of guests first, then those of Ps by their number.
  [[nodiscard]] pool_place*& at(uint32_t i) noexcept {
    return reinterpret_cast<pool_place**>(this + 1)[i];
  }
  [[nodiscard]] pool_place& at(uint32_t i) const noexcept {
    return *reinterpret_cast<pool_place* const*>(this + 1)[i];
  }
};
constinit pool_table no_places{};

/// What rotate() took out of a pool, to be destroyed outside the section.
class pool_rest {
 public:
  pool_rest() noexcept = default;
  ~pool_rest() {
    delete[] items_;
    delete[] rings_;
  }
  pool_rest(const pool_rest&) = delete;
  pool_rest& operator=(const pool_rest&) = delete;

  /// Makes room for that many places. Not in a section.
  [[nodiscard]] bool reserve(uint32_t places) noexcept {
    if (places <= room_) return true;
    delete[] items_;
    delete[] rings_;
    items_ = new (std::nothrow) void*[places];
    rings_ = new (std::nothrow) pool_ring*[places];
    room_ = items_ != nullptr && rings_ != nullptr ? places : 0;
    return room_ != 0;
  }
  [[nodiscard]] uint32_t room() const noexcept { return room_; }
  void add(void* item) noexcept {
    if (item != nullptr) items_[item_count_++] = item;
  }
  void add(pool_ring* rings) noexcept {
    if (rings != nullptr) rings_[ring_count_++] = rings;
  }
  void clear(pool_core::drop_function drop) noexcept {
    const auto destroy = [drop](void* item) noexcept {
      race_acquire(item);
      drop(item);
    };
    while (item_count_ != 0) destroy(items_[--item_count_]);
    while (ring_count_ != 0) pool_chain::clear(rings_[--ring_count_], destroy);
  }

 private:
  void** items_ = nullptr;
  pool_ring** rings_ = nullptr;
  uint32_t room_ = 0;
  uint32_t item_count_ = 0;
  uint32_t ring_count_ = 0;
};

/// All pools that have places; those whose last epoch was longest ago come first.
class pool_registry {
 public:
  void enter(pool_core& pool) noexcept WEFT_REQUIRES(lock) {
    pool.epoch_ = epoch_;
    push_back(pool);
  }
  void leave(pool_core& pool) noexcept WEFT_REQUIRES(lock) { remove(pool); }

  void advance() noexcept;
  [[nodiscard]] bool all_empty() noexcept;

  futex_mutex lock{lock_rank::leaf};

 private:
  void push_back(pool_core& pool) noexcept WEFT_REQUIRES(lock) {
    pool.previous_ = last_;
    pool.next_ = nullptr;
    (last_ != nullptr ? last_->next_ : first_) = &pool;
    last_ = &pool;
  }
  void remove(pool_core& pool) noexcept WEFT_REQUIRES(lock) {
    (pool.previous_ != nullptr ? pool.previous_->next_ : first_) = pool.next_;
    (pool.next_ != nullptr ? pool.next_->previous_ : last_) = pool.previous_;
  }
  enum class step : uint8_t { done, more, room_wanted };
  step rotate_one(uint64_t epoch, pool_rest& rest, uint32_t& wanted, pool_core*& served) noexcept;

  pool_core* first_ WEFT_GUARDED_BY(lock) = nullptr;
  pool_core* last_ WEFT_GUARDED_BY(lock) = nullptr;
  uint64_t epoch_ WEFT_GUARDED_BY(lock) = 0;
};

namespace {

constinit pool_registry registry;

void grow_older(void*) { pool_memory_epoch(); }

/// When pools grew older by themselves. The monitor's; atomic because tests play the monitor.
constinit atomic<int64_t> aged_at{0};

/// On the monitor's thread.
void every_second_for_pools(int64_t now) noexcept {
  const int64_t last = aged_at.load(relaxed);
  if (last != 0 && now - last < pool_epoch_ns) return;
  aged_at.store(now, relaxed);
  if (last == 0) return;
  if (registry.all_empty()) return;
  // Without a stack for it, ten seconds later.
  (void)try_start_goroutine(grow_older, nullptr, "pool_epoch");
}

/// Another place to look at, after `start`.
uint32_t next_place(uint32_t start, uint32_t round, uint32_t count) noexcept {
  const uint32_t i = start + round;
  return i < count ? i : i - count;
}

}  // namespace

/// This thread's way into a pool; needs a section. entered(): it owns place().
class pool_visit {
 public:
  pool_visit(pool_core& pool, const pool_table& table) noexcept : table_(table) {
    const machine* mp = this_machine();
    has_p_ = mp->p != nullptr && !mp->sim;
    if (has_p_ && mp->p_id < table.procs) {
      index_ = guest_places + mp->p_id;
    } else {
      index_ = mp->id % guest_places;
      lock(table.at(index_));
    }
    pool_place& own = table.at(index_);
    own.busy.store(1, relaxed);
    os::light_fence();  // partner: heavy_fence() in rotate()
    // acquire: partner: the release in rotate(), which changed the places.
    entered_ = pool.frozen_.load(acquire) == 0;
  }
  ~pool_visit() {
    pool_place& own = table_.at(index_);
    own.busy.store(0, release);  // partner: the acquire in rotate()
    if (index_ < guest_places) unlock(own);
  }
  pool_visit(const pool_visit&) = delete;
  pool_visit& operator=(const pool_visit&) = delete;

  [[nodiscard]] bool entered() const noexcept { return entered_; }
  [[nodiscard]] uint32_t index() const noexcept { return index_; }
  [[nodiscard]] pool_place& place() const noexcept { return table_.at(index_); }
  /// The thread has a P that has no place here yet.
  [[nodiscard]] bool lacks_place() const noexcept { return has_p_ && index_ < guest_places; }

 private:
  WEFT_UNCHECKED static void lock(pool_place& place) noexcept { place.guests.lock(); }
  WEFT_UNCHECKED static void unlock(pool_place& place) noexcept { place.guests.unlock_kept(); }

  const pool_table& table_;
  uint32_t index_ = 0;
  bool has_p_ = false;
  bool entered_ = false;
};

void* pool_core::get() noexcept {
  if (machine* mp = try_enter_on_p(); mp != nullptr) [[likely]] {
    const pool_table& table = *table_.load(acquire);  // partner: make_places()
    if (mp->p_id < table.procs) [[likely]] {
      pool_place& own = table.at(guest_places + mp->p_id);
      own.busy.store(1, relaxed);
      compiler_fence();  // light_fence() here; this and what follows: as in pool_visit
      if (frozen_.load(acquire) == 0) [[likely]] {
        if (void* item = own.kept.load(relaxed); item != nullptr) [[likely]] {
          own.kept.store(nullptr, relaxed);
          own.busy.store(0, release);
          leave_section_on(mp);
          race_acquire(item);
          return item;
        }
      }
      own.busy.store(0, release);
    }
    leave_section_on(mp);
  }
  return get_slow();
}

void pool_core::put(void* item) noexcept {
  race_release(item);
  if (machine* mp = try_enter_on_p(); mp != nullptr) [[likely]] {
    const pool_table& table = *table_.load(acquire);  // partner: make_places()
    if (mp->p_id < table.procs) [[likely]] {
      pool_place& own = table.at(guest_places + mp->p_id);
      own.busy.store(1, relaxed);
      compiler_fence();  // light_fence() here; this and what follows: as in pool_visit
      if (frozen_.load(acquire) == 0 && own.kept.load(relaxed) == nullptr) [[likely]] {
        own.kept.store(item, relaxed);
        own.busy.store(0, release);
        leave_section_on(mp);
        return;
      }
      own.busy.store(0, release);
    }
    leave_section_on(mp);
  }
  put_slow(item);
}

void* pool_core::get_slow() noexcept {
  const section entered(may_park);  // it does not park, but gives way if that was asked of it
  const pool_table& table = *table_.load(acquire);  // partner: make_places()
  if (table.count == 0) return nullptr;
  void* item = nullptr;
  {
    const pool_visit visit(*this, table);
    if (visit.entered()) item = take(table, visit.index());
  }
  if (item != nullptr) race_acquire(item);
  return item;
}

void* pool_core::take(const pool_table& table, uint32_t own) noexcept {
  pool_place& place = table.at(own);
  if (void* item = place.kept.load(relaxed); item != nullptr) {
    place.kept.store(nullptr, relaxed);
    return item;
  }
  if (void* item = place.items.pop(); item != nullptr) return item;
  if (void* item = steal(table, own); item != nullptr) return item;
  return victims_.load(relaxed) != 0 ? take_victim(table, own) : nullptr;
}

void* pool_core::steal(const pool_table& table, uint32_t start) noexcept {
  for (uint32_t i = 1; i < table.count; ++i) {
    pool_place& other = table.at(next_place(start, i, table.count));
    if (void* item = other.items.steal(); item != nullptr) return item;
  }
  return nullptr;
}

void* pool_core::take_victim(const pool_table& table, uint32_t start) noexcept {
  for (uint32_t i = 0; i < table.count; ++i) {
    pool_place& place = table.at(next_place(start, i, table.count));
    if (place.victim.load(relaxed) != nullptr)
      if (void* item = place.victim.exchange(nullptr, acquire); item != nullptr) return item;
    if (void* item = place.victims.steal(); item != nullptr) return item;
  }
  // None is added until rotate(), which waits for us: nobody needs to look again before.
  victims_.store(0, relaxed);
  return nullptr;
}

void pool_core::put_slow(void* item) noexcept {
  pool_ring* spare = nullptr;
  bool kept = false;
  for (;;) {  // ends: a place and a ring are made at most once each, unless Ps or owners change
    uint32_t ring_wanted = 0;
    uint32_t procs_wanted = 0;
    bool place_wanted = false;
    {
      const section entered(leaf);
      const pool_table& table = *table_.load(acquire);  // partner: make_places()
      const machine* mp = this_machine();
      place_wanted = table.count == 0 || (mp->p != nullptr && !mp->sim && mp->p_id >= table.procs);
      if (place_wanted) {
        procs_wanted = mp->p != nullptr && !mp->sim ? mp->p_id + 1 : 0;
      } else {
        const pool_visit visit(*this, table);
        if (visit.entered()) {
          pool_place& own = visit.place();
          if (own.kept.load(relaxed) == nullptr)
            own.kept.store(item, relaxed);
          else
            ring_wanted = own.items.push(item, spare);
          kept = ring_wanted == 0;
        }
      }
    }
    if (place_wanted) {
      if (!make_places(procs_wanted)) break;
    } else if (ring_wanted != 0) {
      pool_ring::destroy(spare);
      spare = pool_ring::make(ring_wanted);
      if (spare == nullptr) break;
    } else {
      break;
    }
  }
  pool_ring::destroy(spare);
  if (!kept) drop_(item);  // no memory, or frozen
}

bool pool_core::make_places(uint32_t procs) noexcept {
  if (const int now = maxprocs(0); procs != 0 && now > static_cast<int>(procs))
    procs = static_cast<uint32_t>(now);
  const pool_table* before = table_.load(acquire);
  if (before->count != 0 && procs <= before->procs) return true;
  const uint32_t count = guest_places + procs;
  void* room = ::operator new(sizeof(pool_table) + count * sizeof(pool_place*), std::nothrow);
  auto* places = new (std::nothrow) pool_place[count - before->count];
  if (room == nullptr || places == nullptr) {
    ::operator delete(room);
    delete[] places;
    return false;
  }
  race_release(&table_);  // whoever destroys the pool frees what we have made
  auto* table = new (room) pool_table{procs, count, nullptr, places, count - before->count};
  bool published = false;
  {
    const section entered(leaf);
    const kept_lock_scope held(registry.lock);
    pool_table* current = table_.load(relaxed);
    published = current == before;
    if (published) {
      for (uint32_t i = 0; i < count; ++i)
        table->at(i) =
            i < current->count ? &std::as_const(*current).at(i) : &places[i - current->count];
      table->previous = current;
      if (current->count == 0) registry.enter(*this);
      table_.store(table, release);  // partner: the loads of operations
      every_second.store(every_second_for_pools, release);
    }
  }
  if (published) return true;
  delete[] places;
  ::operator delete(room);
  return true;  // somebody else made some
}

bool pool_core::empty() const noexcept {
  const pool_table& table = *table_.load(relaxed);
  for (uint32_t i = 0; i < table.count; ++i) {
    const pool_place& place = table.at(i);
    if (place.kept.load(relaxed) != nullptr || place.victim.load(relaxed) != nullptr ||
        !place.items.unused() || !place.victims.unused())
      return false;
  }
  return true;
}

bool pool_core::rotate(pool_rest& rest) noexcept {
  const pool_table& table = *table_.load(relaxed);
  frozen_.store(1, relaxed);
  os::heavy_fence();  // partner: light_fence() of operations
  bool alone = true;
  for (uint32_t i = 0; i < table.count && alone; ++i) {
    alone = false;
    for (int look = 0; look < arch::spin_rounds(busy_looks) && !alone; ++look) {
      alone = table.at(i).busy.load(acquire) == 0;  // partner: the release at an operation's end
      if (!alone) arch::spin_hint();
    }
  }
  for (uint32_t i = 0; i < table.count && alone; ++i) {
    pool_place& place = table.at(i);
    rest.add(place.victim.load(relaxed));
    rest.add(place.victims.detach());
    place.victim.store(place.kept.load(relaxed), relaxed);
    place.kept.store(nullptr, relaxed);
    place.victims.take_over(place.items);
  }
  if (alone) victims_.store(1, relaxed);
  frozen_.store(0, release);  // partner: the acquire of operations
  return alone;
}

pool_core::~pool_core() {
  pool_table* table = table_.load(acquire);
  if (table->count == 0) return;
  {
    const section entered(leaf);
    const kept_lock_scope held(registry.lock);
    registry.leave(*this);
  }
  // Objects that grew old are destroyed without the lock, by whoever began the epoch: what their
  // destructors use may end right after this pool. acquire: partner: advance().
  while (dropping_.load(acquire) != 0) weft::yield();
  race_acquire(&table_);
  const auto destroy = [this](void* item) noexcept {
    race_acquire(item);
    drop_(item);
  };
  for (uint32_t i = 0; i < table->count; ++i) {
    pool_place& place = *table->at(i);
    if (void* item = place.kept.load(relaxed); item != nullptr) destroy(item);
    if (void* item = place.victim.load(relaxed); item != nullptr) destroy(item);
    pool_chain::clear(place.items.detach(), destroy);
    pool_chain::clear(place.victims.detach(), destroy);
  }
  while (table->count != 0) {
    pool_table* previous = table->previous;
    delete[] table->made;
    ::operator delete(table);
    table = previous;
  }
}

bool pool_registry::all_empty() noexcept {
  const kept_lock_scope held(lock);
  for (const pool_core* pool = first_; pool != nullptr; pool = pool->next_)
    if (!pool->empty()) return false;
  return true;
}

pool_registry::step pool_registry::rotate_one(uint64_t epoch, pool_rest& rest, uint32_t& wanted,
                                              pool_core*& served) noexcept {
  const section entered(leaf);
  const kept_lock_scope held(lock);
  pool_core* pool = first_;
  if (pool == nullptr || pool->epoch_ >= epoch) return step::done;
  wanted = pool->table_.load(relaxed)->count;
  if (wanted > rest.room()) return step::room_wanted;
  remove(*pool);
  push_back(*pool);
  pool->epoch_ = epoch;
  served = pool;
  pool->dropping_.fetch_add(1, relaxed);  // under the lock that ~pool_core() takes before it looks
  if (!pool->empty()) (void)pool->rotate(rest);
  return step::more;
}

void pool_registry::advance() noexcept {
  uint64_t epoch = 0;
  {
    const section entered(leaf);
    const kept_lock_scope held(lock);
    epoch = ++epoch_;
  }
  pool_rest rest;
  for (;;) {  // ends: each round serves a pool that this epoch has not served, or makes room
    uint32_t wanted = 0;
    pool_core* served = nullptr;
    const step next = rotate_one(epoch, rest, wanted, served);
    if (next == step::done) return;
    if (next == step::room_wanted) {
      if (!rest.reserve(wanted)) return;
    } else {
      rest.clear(served->drop_);
      served->dropping_.fetch_sub(1, release);  // the last that is done with it: it may end now
    }
  }
}

void pool_memory_epoch() noexcept { registry.advance(); }

}  // namespace weft::rt
