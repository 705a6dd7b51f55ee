// SPDX-License-Identifier: Apache-2.0
// Birth and death of goroutines: cells, warm stacks, ids, and slow trimming of cold stacks.
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

/// New cells with new stacks, one batch. Null when there are none.
goroutine* carve(size_t stack_bytes, uint32_t wanted, const char*& why) noexcept {
  stack_slot slots[batch_len];
  stack_error error = stack_error::none;
  const auto got = static_cast<uint32_t>(stack_take(stack_bytes, slots, wanted, error));
  if (got == 0) {
    why = stack_error_text(error);
    return nullptr;
  }
  uint32_t first = sched.cells_used.load(relaxed);
  do {
    if (first + got > goroutines_max) {
      for (uint32_t i = 0; i < got; ++i) stack_give(slots[i]);
      why = "more than 16777216 goroutines (goroutines_max): something spawns without end";
      return nullptr;
    }
  } while (!sched.cells_used.compare_exchange(first, first + got, acq_rel, relaxed));
  goroutine* head = nullptr;
  for (uint32_t i = got; i-- > 0;) {
    goroutine* gp = &sched.cells[first + i];
    gp->status.store(static_cast<uint32_t>(g_status::dead), relaxed);
    attach_stack(gp, slots[i]);
    if (stack_bytes == sched.stack_bytes) gp->flags = flag_small_pool;
    gp->link = head;
    head = gp;
  }
  return head;
}

/// Cells whose stack had another size: they wait here without a stack.
goroutine* bare_cells = nullptr;
futex_mutex bare_lock{lock_rank::g_pool};

goroutine* take_special(size_t stack_bytes, const char*& why) noexcept {
  goroutine* gp = nullptr;
  {
    kept_lock_scope hold(bare_lock);
    gp = bare_cells;
    if (gp != nullptr) bare_cells = gp->link;
  }
  if (gp == nullptr) return carve(stack_bytes, 1, why);
  stack_slot slot;
  stack_error error = stack_error::none;
  if (stack_take(stack_bytes, &slot, 1, error) == 1) {
    attach_stack(gp, slot);
    return gp;
  }
  why = stack_error_text(error);
  kept_lock_scope hold(bare_lock);
  gp->link = bare_cells;
  bare_cells = gp;
  return nullptr;
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

void prepare(goroutine* gp) noexcept {
  // Trimmed: its pages went, so the descriptor is made anew. The slot was noted in the cell.
  if (gp->top == nullptr) attach_stack(gp, {gp->sp, reinterpret_cast<uintptr_t>(gp->wait_on)});
  goroutine_top* top = gp->top;
  gp->flags &= flag_small_pool;
  gp->reason = wait_reason::none;
  gp->wait_on = nullptr;
  gp->saved_errno = 0;
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
    gp = take_special(stack_class_bytes(stack_bytes), why);
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
  gp->link = nullptr;
  prepare(gp);
  return gp;
}

void give_goroutine(goroutine* gp) noexcept {
  gp->status.store(static_cast<uint32_t>(g_status::dead), relaxed);
  if ((gp->flags & flag_small_pool) == 0) {
    const stack_slot slot{gp->top->stack_lo, gp->top->stack_hi};
    gp->top = nullptr;
    stack_discard(slot);
    stack_give(slot);
    kept_lock_scope hold(bare_lock);
    gp->link = bare_cells;
    bare_cells = gp;
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
  if (goroutine* parent = mp->cur.load(relaxed); parent != nullptr) top->parent_id = parent->id;
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
  const uintptr_t limit = top->closure_lo != 0 ? top->closure_lo : reinterpret_cast<uintptr_t>(top);
  gp->sp = make_context(limit & ~uintptr_t{15});
  arch::save_fp_control(gp->fp);  // a goroutine inherits its creator's rounding mode
  fiber_create(gp);
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
  goroutine* next = pp != nullptr && !mp->sim ? pick_local(mp, *pp) : nullptr;
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
