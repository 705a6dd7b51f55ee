// SPDX-License-Identifier: Apache-2.0
// Birth and death of goroutines: cells, warm stacks, ids, and slow trimming of cold stacks.
//
// A spawned goroutine is a cell without a stack (a bare cell) and a birth record; give_birth()
// takes a dead goroutine off the P's list when the new one first runs, gives its stack to it, and
// keeps the dead one's cell as a bare one. So as many stacks are in use as goroutines have begun
// and not ended, however many are queued, and the hottest stack is used again and again.
//
// A dead goroutine keeps its stack (of the default size) and waits, hottest first, on its P's list;
// surplus goes in batches to one pool. The pool is a stack of batches: reuse takes from the top,
// trimming gives back pages from the bottom, so what is warm stays warm. Giving a page back and
// touching it again costs more than 50 spawns, hence a batch is trimmed only after trim_age_ns
// without use, and only a few batches a second.
#include "weft/sched/internal/goroutine.hpp"

#include <cstring>
#include <new>

#include "weft/base/panic.hpp"
#include "weft/heap/internal/stack.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/local.hpp"

namespace weft::rt {

namespace {

inline constexpr uint32_t batch_len = 32;
// Ten seconds: long against a burst, short against an operator's patience.
inline constexpr int64_t trim_age_ns = 10'000'000'000;
inline constexpr uint32_t trim_batches_max = 16;
inline constexpr uint64_t id_block = 16;  // as Go: one contended add per 16 spawns

/// Batches of dead goroutines; a batch is linked through goroutine::link.
struct goroutine_pool {
  futex_mutex lock{lock_rank::g_pool};
  struct batch {
    goroutine* head = nullptr;
    int64_t since_ns = 0;
  };
  // batches[0..top). Trimmed ones stay below untrimmed ones.
  batch* batches = nullptr;
  uint32_t top = 0;
  uint32_t trimmed = 0;  // batches[0..trimmed) have no pages
};
goroutine_pool pool;
inline constexpr uint32_t batches_max = goroutines_max / batch_len + 1;

bool pool_push(goroutine* head) noexcept {
  kept_lock_scope hold(pool.lock);
  if (pool.batches == nullptr) {
    pool.batches = static_cast<goroutine_pool::batch*>(
        os::reserve_writable(batches_max * sizeof(goroutine_pool::batch)));
    if (pool.batches == nullptr) return false;
  }
  WEFT_ASSERT(pool.top < batches_max);
  pool.batches[pool.top++] = {head, sched.coarse_now.load(relaxed)};
  return true;
}

goroutine* pool_pop() noexcept {
  kept_lock_scope hold(pool.lock);
  if (pool.top == 0) return nullptr;
  goroutine* head = pool.batches[--pool.top].head;
  if (pool.trimmed > pool.top) pool.trimmed = pool.top;
  return head;
}

/// Places the descriptor at the top of the stack. Colours spread the tops over 16 cache lines:
/// slots are a power of two apart and would all fall into one set.
void attach_stack(goroutine* gp, stack_slot slot) noexcept {
  const uint32_t index = static_cast<uint32_t>(gp - sched.cells);
  const uintptr_t colour = (index % 16) * 64;
  uintptr_t at = (slot.hi - colour - sizeof(goroutine_top)) & ~uintptr_t{63};
  auto* top = new (reinterpret_cast<void*>(at)) goroutine_top{};
  top->cell = gp;
  top->stack_lo = slot.lo;
  top->stack_hi = slot.hi;
  gp->top = top;
}

/// Claims `count` cells that were never used. False: there are none left.
bool claim_cells(uint32_t count, uint32_t& first) noexcept {
  first = sched.cells_used.load(relaxed);
  do {
    if (first + count > goroutines_max) return false;
  } while (!sched.cells_used.compare_exchange(first, first + count, acq_rel, relaxed));
  return true;
}

/// Cells without a stack that no P keeps: a list of single ones, through link.
struct bare_cells_pool {
  futex_mutex lock{lock_rank::g_pool};
  goroutine* head = nullptr;
};
bare_cells_pool bare;

goroutine* pop_bare_of(processor* pp) noexcept {
  if (pp == nullptr || pp->bare_list == nullptr) return nullptr;
  goroutine* gp = pp->bare_list;
  pp->bare_list = gp->link;
  --pp->bare_count;
  return gp;
}

/// Takes up to `count` cells out of the pool, as a list.
goroutine* take_bare_list(uint32_t count, uint32_t& got) noexcept {
  kept_lock_scope hold(bare.lock);
  got = 0;
  goroutine* head = bare.head;
  goroutine** at = &head;
  while (*at != nullptr && got < count) {
    at = &(*at)->link;
    ++got;
  }
  bare.head = *at;
  *at = nullptr;
  return head;
}

void push_bare(processor* pp, goroutine* gp) noexcept {
  if (pp == nullptr) {
    kept_lock_scope hold(bare.lock);
    gp->link = bare.head;
    bare.head = gp;
    return;
  }
  gp->link = pp->bare_list;
  pp->bare_list = gp;
  if (++pp->bare_count <= bare_list_max) return;
  // The older half goes to the pool: one P spawns what another one runs.
  goroutine* last_kept = pp->bare_list;
  for (uint32_t i = 1; i < bare_list_max / 2; ++i) last_kept = last_kept->link;
  goroutine* rest = last_kept->link;
  last_kept->link = nullptr;
  pp->bare_count = bare_list_max / 2;
  goroutine* last = rest;
  while (last->link != nullptr) last = last->link;
  kept_lock_scope hold(bare.lock);
  last->link = bare.head;
  bare.head = rest;
}

/// True if dead goroutines with stacks wait somewhere.
bool any_dead(const processor* pp) noexcept {
  if (pp != nullptr && pp->free_list != nullptr) return true;
  kept_lock_scope hold(pool.lock);
  return pool.top != 0;
}

/// A cell without a stack; null when all are in use, or, unless `new_ones`, when none was left by a
/// goroutine but there are dead ones with stacks: those are to be used again first.
goroutine* take_bare(processor* pp, bool new_ones) noexcept {
  if (goroutine* gp = pop_bare_of(pp); gp != nullptr) return gp;
  uint32_t got = 0;
  goroutine* list = take_bare_list(pp != nullptr ? batch_len : 1, got);
  if (list == nullptr) {
    if (!new_ones && any_dead(pp)) return nullptr;
    uint32_t first = 0;
    got = pp != nullptr ? batch_len : 1;
    if (!claim_cells(got, first)) return nullptr;
    for (uint32_t i = got; i-- > 0;) {
      sched.cells[first + i].status.store(static_cast<uint32_t>(g_status::dead), relaxed);
      sched.cells[first + i].link = list;
      list = &sched.cells[first + i];
    }
  }
  goroutine* gp = list;
  if (pp != nullptr) {
    pp->bare_list = gp->link;
    pp->bare_count = got - 1;
  }
  return gp;
}

/// New stacks, one batch, each with a cell to hold it. Null when there are none.
goroutine* carve(size_t stack_bytes, uint32_t wanted, const char*& why) noexcept {
  stack_slot slots[batch_len];
  stack_error error = stack_error::none;
  const auto got = static_cast<uint32_t>(stack_take(stack_bytes, slots, wanted, error));
  if (got == 0) {
    why = stack_error_text(error);
    return nullptr;
  }
  processor* pp = this_machine()->p;
  goroutine* head = nullptr;
  for (uint32_t i = got; i-- > 0;) {
    goroutine* gp = take_bare(pp, true);
    if (gp == nullptr) {  // the stacks made so far are kept; the rest goes back
      for (uint32_t j = 0; j <= i; ++j) stack_give(slots[j]);
      if (head == nullptr)
        why = "more than 16777216 goroutines (goroutines_max): something spawns without end";
      return head;
    }
    gp->status.store(static_cast<uint32_t>(g_status::dead), relaxed);
    attach_stack(gp, slots[i]);
    gp->flags = 0;
    if (stack_bytes == sched.stack_bytes) gp->flags = flag_small_pool;
    gp->link = head;
    head = gp;
  }
  return head;
}

void refill(processor& pp, const char*& why) noexcept {
  goroutine* head = pool_pop();
  if (head == nullptr) head = carve(sched.stack_bytes, batch_len, why);
  for (goroutine* gp = head; gp != nullptr; gp = gp->link) ++pp.free_count;
  pp.free_list = head;
}

/// Half of an overfull list goes to the pool: the older half.
void spill_free_list(processor& pp) noexcept {
  goroutine* last_kept = pp.free_list;
  for (uint32_t i = 1; i < free_list_max - batch_len; ++i) last_kept = last_kept->link;
  goroutine* rest = last_kept->link;
  last_kept->link = nullptr;
  pp.free_count = free_list_max - batch_len;
  (void)pool_push(rest);
}

/// What every new goroutine begins with, whether it has a stack or not.
void prepare_cell(goroutine* gp) noexcept {
  gp->link = nullptr;
  gp->reason = wait_reason::none;
  gp->wait_on = nullptr;
  gp->saved_errno = 0;
}

void prepare(goroutine* gp) noexcept {
  // Trimmed: its pages went, so the descriptor is made anew. The slot was noted in the cell.
  if (gp->top == nullptr) attach_stack(gp, {gp->sp, reinterpret_cast<uintptr_t>(gp->wait_on)});
  goroutine_top* top = gp->top;
  gp->flags &= flag_small_pool;
  top->closure = nullptr;
  top->closure_lo = 0;
  top->wake_value = nullptr;
  top->name[0] = '\0';
}

}  // namespace

goroutine* take_goroutine(size_t stack_bytes, const char*& why) noexcept {
  machine* mp = this_machine();
  goroutine* gp = nullptr;
  const bool usual = stack_bytes == 0 || stack_class_bytes(stack_bytes) == sched.stack_bytes;
  if (!usual) {
    gp = carve(stack_class_bytes(stack_bytes), 1, why);
  } else if (processor* pp = mp->p; pp != nullptr) {
    if (pp->free_list == nullptr) refill(*pp, why);
    gp = pp->free_list;
    if (gp != nullptr) {
      pp->free_list = gp->link;
      --pp->free_count;
    }
  } else {
    // A guest or a robbed M: a batch from the pool, one of it used, the rest put back.
    gp = pool_pop();
    if (gp == nullptr) gp = carve(sched.stack_bytes, batch_len, why);
    if (gp != nullptr && gp->link != nullptr) {
      (void)pool_push(gp->link);
    }
  }
  if (gp == nullptr) return nullptr;
  prepare(gp);
  prepare_cell(gp);
  return gp;
}

namespace {
// Where an unborn goroutine's saved stack pointer leads: debuggers that read a pc there see that it
// has not begun. Nothing is ever loaded from it. Written once, before the first goroutine.
constinit arch::saved_frame unborn_frame{};
}  // namespace

void initialize_births() noexcept {
  unborn_frame.pc = reinterpret_cast<uintptr_t>(&weft_goroutine_entry);
  // Half a page off: a cell and its record at the same offset of a page look like the same word to
  // the CPU's store buffer.
  constexpr size_t shift = os::page_bytes / 2 / sizeof(birth_record);
  auto* records = static_cast<birth_record*>(
      os::reserve_writable((size_t{goroutines_max} + shift) * sizeof(birth_record)));
  // Refused: goroutines get their stacks when they are spawned.
  if (records != nullptr) sched.births = records + shift;
}

goroutine* take_unborn() noexcept {
  if (!stack_supply_ample() || sched.births == nullptr) return nullptr;
  goroutine* gp = take_bare(this_machine()->p, false);
  if (gp == nullptr) return nullptr;
  prepare_cell(gp);
  gp->flags = flag_unborn;
  gp->sp = reinterpret_cast<uintptr_t>(&unborn_frame);
  return gp;
}

void give_birth(machine* mp, goroutine* gp) noexcept {
  processor& pp = *mp->p;
  if (pp.free_list == nullptr) [[unlikely]] {
    const char* why = nullptr;
    refill(pp, why);
    if (pp.free_list == nullptr) fatal(why);
  }
  goroutine* donor = pp.free_list;
  pp.free_list = donor->link;
  --pp.free_count;
  prepare(donor);
  goroutine_top* top = donor->top;
  donor->top = nullptr;
  push_bare(&pp, donor);

  birth_record& birth = birth_of(gp);
  top->cell = gp;
  top->entry = birth.entry;
  top->closure = birth.closure;
  top->creation_pc = birth.creation_pc;
  top->parent_id = birth.parent_id;
  gp->top = top;
  gp->flags = static_cast<uint8_t>((gp->flags & ~flag_unborn) | flag_small_pool);
  gp->sp = make_context(reinterpret_cast<uintptr_t>(top) & ~uintptr_t{15});
  fiber_create(gp);
}

void give_goroutine(goroutine* gp) noexcept {
  gp->status.store(static_cast<uint32_t>(g_status::dead), relaxed);
  if ((gp->flags & flag_unborn) != 0) {
    push_bare(this_machine()->p, gp);
    return;
  }
  if ((gp->flags & flag_small_pool) == 0) {
    const stack_slot slot{gp->top->stack_lo, gp->top->stack_hi};
    gp->top = nullptr;
    stack_discard(slot);
    stack_give(slot);
    push_bare(this_machine()->p, gp);
    return;
  }
  if (processor* pp = this_machine()->p; pp != nullptr) {
    gp->link = pp->free_list;
    pp->free_list = gp;
    if (++pp->free_count > free_list_max) spill_free_list(*pp);
    return;
  }
  gp->link = nullptr;
  (void)pool_push(gp);
}

void submit_goroutine(goroutine* gp) noexcept {
  machine* mp = this_machine();
  processor* pp = mp->p;
  goroutine_top* top = gp->top;
  const bool born = (gp->flags & flag_unborn) == 0;
  if (const goroutine* parent = mp->cur.load(relaxed); parent != nullptr)
    (born ? top->parent_id : birth_of(gp).parent_id) = parent->id;
  if (pp != nullptr) {
    if (pp->id_next == pp->id_end) {
      pp->id_next = sched.ids.fetch_add(id_block, relaxed);
      pp->id_end = pp->id_next + id_block;
    }
    gp->id = pp->id_next++;
    if ((gp->flags & flag_system) == 0) pp->created.store(pp->created.load(relaxed) + 1, relaxed);
  } else {
    gp->id = sched.ids.fetch_add(1, relaxed);
    if ((gp->flags & flag_system) == 0) sched.created_without_p.fetch_add(1, relaxed);
  }
  if (born) {
    const uintptr_t limit =
        top->closure_lo != 0 ? top->closure_lo : reinterpret_cast<uintptr_t>(top);
    gp->sp = make_context(limit & ~uintptr_t{15});
    fiber_create(gp);
  }
  arch::save_fp_control(gp->fp);  // a goroutine inherits its creator's rounding mode
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  if (mp->sim) {
    gp->flags |= flag_sim;
    sim_ready(gp);
  } else if (pp != nullptr) {
    run_queue_put(*pp, gp, true);
    wake_p_published();
  } else {
    global_put(gp);
    wake_p();
  }
}

namespace {
bool commit_end(goroutine* gp, void*) noexcept {
  fiber_destroy(gp);
  give_goroutine(gp);
  return true;
}
}  // namespace

void end_goroutine() {
  run_local_destructors();
  enter_section(leaf);  // left by the goroutine that runs next
  machine* mp = this_machine();
  goroutine* gp = mp->cur.load(relaxed);
  processor* pp = mp->p;
  if ((gp->flags & flag_system) == 0) {
    if (pp != nullptr)
      pp->finished.store(pp->finished.load(relaxed) + 1, relaxed);
    else
      sched.created_without_p.fetch_sub(1, relaxed);
  }
  gp->status.store(static_cast<uint32_t>(g_status::dead), relaxed);
  mp->commit = commit_end;
  mp->commit_g = gp;
  goroutine* next = pp != nullptr && !mp->sim ? pick_next(mp, *pp) : nullptr;
  transfer_last(mp, gp, next);
}

uint64_t count_goroutines() noexcept {
  if (sim_enabled) return sim_goroutines();
  int64_t total = sched.created_without_p.load(relaxed);
  const uint32_t made = sched.p_made.load(acquire);
  // Finished first: a goroutine that ends while we count is then counted once, never minus once.
  for (uint32_t i = 0; i < made; ++i)
    total -= static_cast<int64_t>(sched.all_p[i]->finished.load(acquire));
  for (uint32_t i = 0; i < made; ++i)
    total += static_cast<int64_t>(sched.all_p[i]->created.load(acquire));
  return total > 0 ? static_cast<uint64_t>(total) : 0;
}

void flush_free_list(processor& pp) noexcept {
  if (pp.free_list != nullptr) (void)pool_push(pp.free_list);
  pp.free_list = nullptr;
  pp.free_count = 0;
  while (goroutine* gp = pop_bare_of(&pp)) push_bare(nullptr, gp);
}

void trim_stacks(int64_t now) noexcept {
  for (uint32_t done = 0; done < trim_batches_max; ++done) {
    goroutine* head = nullptr;
    {
      kept_lock_scope hold(pool.lock);
      if (pool.trimmed >= pool.top) return;
      goroutine_pool::batch& oldest = pool.batches[pool.trimmed];
      if (now - oldest.since_ns < trim_age_ns) return;
      // Out of the pool while its pages go: nobody may start a goroutine on them meanwhile.
      head = oldest.head;
      oldest = pool.batches[--pool.top];
    }
    // attach_stack() writes the descriptor anew after the discard: one page each stays.
    for (goroutine* gp = head; gp != nullptr; gp = gp->link) {
      // A trimmed batch may have been taken for a few spawns, and its rest given back.
      if (gp->top == nullptr) continue;
      const stack_slot slot{gp->top->stack_lo, gp->top->stack_hi};
      gp->top = nullptr;
      gp->sp = slot.lo;
      gp->wait_on = reinterpret_cast<const void*>(slot.hi);
      stack_discard(slot);
    }
    kept_lock_scope hold(pool.lock);
    WEFT_ASSERT(pool.top < batches_max);
    // Below all untrimmed ones: swap with the first of those.
    pool.batches[pool.top] = pool.batches[pool.trimmed];
    pool.batches[pool.trimmed] = {head, now};
    ++pool.top;
    ++pool.trimmed;
  }
}

void start_goroutine(void (*entry)(void*), void* closure, const char* name) noexcept {
  const char* why = nullptr;
  goroutine* gp = take_goroutine(0, why);
  if (gp == nullptr) fatal(why);
  gp->top->entry = entry;
  gp->top->closure = closure;
  gp->top->creation_pc = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
  std::strncpy(gp->top->name, name, sizeof gp->top->name - 1);
  submit_goroutine(gp);
}

}  // namespace weft::rt
