// SPDX-License-Identifier: Apache-2.0
// Warm stacks: the stacks of goroutines that have ended, kept with their pages for those that
// begin.
//
// A free stack is known by the descriptor at its top, which also links it. Each P keeps a list,
// hottest first; surplus goes in batches to one pool. The pool is a stack of batches: reuse takes
// from the top, trimming gives back pages from the bottom, so what is warm stays warm. Giving a
// page back and touching it again costs more than 50 spawns, hence a batch is trimmed only after
// trim_age_ns without use, and only a few batches a second. A trimmed stack is no descriptor any
// more: it goes back to heap/stack.cpp, which keeps its links apart from the pages.
#include <cstring>
#include <new>

#include "weft/heap/internal/stack.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

namespace {

inline constexpr uint32_t batch_len = 32;
// Ten seconds: long against a burst, short against an operator's patience.
inline constexpr int64_t trim_age_ns = 10'000'000'000;
inline constexpr uint32_t trim_batches_max = 16;

/// Batches of free stacks, linked through goroutine_top::link.
struct stack_pool {
  futex_mutex lock{lock_rank::g_pool};
  struct batch {
    goroutine_top* head = nullptr;
    int64_t since_ns = 0;
  };
  // batches[bottom..top), oldest first.
  batch* batches = nullptr;
  uint32_t bottom = 0;
  uint32_t top = 0;
};
stack_pool pool;
// A batch holds one stack at least, and there are no more stacks than cells.
inline constexpr uint32_t batches_max = goroutines_max;

/// False: no room for the list; the stacks stay where they are, unused.
bool pool_push(goroutine_top* head) noexcept {
  kept_lock_scope hold(pool.lock);
  if (pool.batches == nullptr) {
    pool.batches = static_cast<stack_pool::batch*>(
        os::reserve_writable(size_t{batches_max} * sizeof(stack_pool::batch)));
    if (pool.batches == nullptr) return false;
  }
  if (pool.top == batches_max) {  // trimming has left room below
    std::memmove(pool.batches, pool.batches + pool.bottom,
                 (pool.top - pool.bottom) * sizeof(stack_pool::batch));
    pool.top -= pool.bottom;
    pool.bottom = 0;
    WEFT_ASSERT(pool.top < batches_max);
  }
  pool.batches[pool.top++] = {head, sched.coarse_now.load(relaxed)};
  return true;
}

goroutine_top* pool_pop() noexcept {
  kept_lock_scope hold(pool.lock);
  if (pool.top == pool.bottom) return nullptr;
  goroutine_top* head = pool.batches[--pool.top].head;
  if (pool.top == pool.bottom) pool.top = pool.bottom = 0;
  return head;
}

/// Places the descriptor at the top of the stack. Colours spread the tops over 16 cache lines:
/// slots are a power of two apart and would all fall into one set.
goroutine_top* place_top(stack_slot slot) noexcept {
  const uintptr_t number = slot.hi / (slot.hi - slot.lo + os::page_bytes);
  const uintptr_t colour = (number % 16) * 64;
  const uintptr_t at = (slot.hi - colour - sizeof(goroutine_top)) & ~uintptr_t{63};
  auto* top = new (reinterpret_cast<void*>(at)) goroutine_top{};
  top->stack_lo = slot.lo;
  top->stack_hi = slot.hi;
  return top;
}

/// New stacks, at most one batch. Null when there are none, and `why` says so.
goroutine_top* make_stacks(size_t stack_bytes, uint32_t wanted, const char*& why) noexcept {
  stack_slot slots[batch_len];
  stack_error error = stack_error::none;
  const auto got = static_cast<uint32_t>(stack_take(stack_bytes, slots, wanted, error));
  if (got == 0) why = stack_error_text(error);
  goroutine_top* head = nullptr;
  for (uint32_t i = got; i-- > 0;) {
    goroutine_top* top = place_top(slots[i]);
    top->link = head;
    head = top;
  }
  return head;
}

/// Half of an overfull list goes to the pool: the older half.
void spill(processor& pp) noexcept {
  goroutine_top* last_kept = pp.free_stacks;
  for (uint32_t i = 1; i < free_stacks_max - batch_len; ++i) last_kept = last_kept->link;
  goroutine_top* rest = last_kept->link;
  last_kept->link = nullptr;
  pp.free_stack_count = free_stacks_max - batch_len;
  (void)pool_push(rest);
}

goroutine_top* take_usual(processor* pp, const char*& why) noexcept {
  if (pp != nullptr && pp->free_stacks != nullptr) [[likely]] {
    goroutine_top* top = pp->free_stacks;
    pp->free_stacks = top->link;
    --pp->free_stack_count;
    return top;
  }
  goroutine_top* top = pool_pop();
  if (top == nullptr) top = make_stacks(sched.stack_bytes, batch_len, why);
  if (top == nullptr || top->link == nullptr) return top;
  // The rest of the batch: for this P, or, on a guest or a robbed M, for whoever comes.
  if (pp == nullptr) {
    (void)pool_push(top->link);
    return top;
  }
  pp->free_stacks = top->link;
  for (const goroutine_top* t = top->link; t != nullptr; t = t->link) ++pp->free_stack_count;
  return top;
}

}  // namespace

goroutine_top* take_stack(size_t stack_bytes, const char*& why) noexcept {
  const bool usual = stack_bytes == 0 || stack_class_bytes(stack_bytes) == sched.stack_bytes;
  goroutine_top* top = usual ? take_usual(this_machine()->p, why)
                             : make_stacks(stack_class_bytes(stack_bytes), 1, why);
  if (top == nullptr) return nullptr;
  top->link = nullptr;
  top->closure = nullptr;
  top->closure_lo = 0;
  top->wake_value = nullptr;
  top->name[0] = '\0';
  return top;
}

void give_stack(goroutine_top* top) noexcept {
  const stack_slot slot{top->stack_lo, top->stack_hi};
  if (slot.hi - slot.lo + os::page_bytes != sched.stack_bytes) {
    stack_discard(slot);
    stack_give(slot);
    return;
  }
  if (processor* pp = this_machine()->p; pp != nullptr) {
    top->link = pp->free_stacks;
    pp->free_stacks = top;
    if (++pp->free_stack_count > free_stacks_max) spill(*pp);
    return;
  }
  top->link = nullptr;
  (void)pool_push(top);
}

void flush_free_stacks(processor& pp) noexcept {
  if (pp.free_stacks != nullptr) (void)pool_push(pp.free_stacks);
  pp.free_stacks = nullptr;
  pp.free_stack_count = 0;
}

void trim_stacks(int64_t now) noexcept {
  for (uint32_t done = 0; done < trim_batches_max; ++done) {
    goroutine_top* head = nullptr;
    {
      kept_lock_scope hold(pool.lock);
      if (pool.bottom == pool.top) return;
      const stack_pool::batch& oldest = pool.batches[pool.bottom];
      if (now - oldest.since_ns < trim_age_ns) return;
      // Out of the pool while its pages go: nobody may start a goroutine on them meanwhile.
      head = oldest.head;
      if (++pool.bottom == pool.top) pool.top = pool.bottom = 0;
    }
    while (head != nullptr) {
      const stack_slot slot{head->stack_lo, head->stack_hi};
      head = head->link;
      stack_discard(slot);
      stack_give(slot);
    }
  }
}

}  // namespace weft::rt
