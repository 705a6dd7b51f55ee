// SPDX-License-Identifier: Apache-2.0
// Birth and death of goroutines: cells, birth records, ids.
//
// A spawned goroutine is a cell and a birth record. give_birth() gives it a stack when it first
// runs, the hottest of its P (warm_stacks.cpp). So as many stacks are in use as goroutines have
// begun and not ended, however many are queued, and the hottest is used again and again.
#include "weft/sched/internal/goroutine.hpp"

#include <cstring>
#include <new>

#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/heap/internal/stack.hpp"
#include "weft/sched/internal/debug_door.hpp"
#include "weft/sched/internal/label_set.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/internal/trace.hpp"
#include "weft/sched/local.hpp"

namespace weft::rt {

namespace {

inline constexpr uint32_t batch_len = 32;
inline constexpr uint64_t id_block = 16;  // as Go: one contended add per 16 spawns

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

/// A cell without a stack; null when all are in use.
goroutine* take_bare(processor* pp) noexcept {
  if (goroutine* gp = pop_bare_of(pp); gp != nullptr) return gp;
  uint32_t got = 0;
  goroutine* list = take_bare_list(pp != nullptr ? batch_len : 1, got);
  if (list == nullptr) {
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

/// What every new goroutine begins with, whether it has a stack or not.
void prepare_cell(goroutine* gp) noexcept {
  gp->link = nullptr;
  gp->reason = wait_reason::none;
  gp->wait_on = nullptr;
  gp->saved_errno = 0;
}

}  // namespace

goroutine* take_goroutine(size_t stack_bytes, const char*& why) noexcept {
  goroutine* gp = take_bare(this_machine()->p);
  if (gp == nullptr) {
    why = "more than 16777216 goroutines (goroutines_max): something spawns without end";
    return nullptr;
  }
  goroutine_top* top = take_stack(stack_bytes, why);
  if (top == nullptr) {
    push_bare(this_machine()->p, gp);
    return nullptr;
  }
  // Its accesses would look like races with those of the one that had the stack before.
  sanitizer::forget(top->stack_lo, top->stack_hi - top->stack_lo);
  prepare_cell(gp);
  gp->flags = 0;
  gp->top = top;
  top->cell = gp;
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
  // A fiber begins with what its creator did so far, so it is made by the creator.
  if constexpr (sanitizer::thread) return nullptr;
  if (!stack_supply_ample() || sched.births == nullptr) return nullptr;
  const machine* mp = this_machine();
  // A birth record has no room for labels: who inherits some is born at once.
  if (const goroutine* creator = mp->cur.load(relaxed);
      creator != nullptr && (creator->flags & flag_labels) != 0) [[unlikely]]
    return nullptr;
  goroutine* gp = take_bare(mp->p);
  if (gp == nullptr) return nullptr;
  prepare_cell(gp);
  gp->top = nullptr;
  gp->flags = flag_unborn;
  gp->sp = reinterpret_cast<uintptr_t>(&unborn_frame);
  return gp;
}

void give_birth(goroutine* gp) noexcept {
  const char* why = nullptr;
  goroutine_top* top = take_stack(0, why);
  if (top == nullptr) [[unlikely]]
    fatal(why);
  const birth_record& birth = birth_of(gp);
  top->cell = gp;
  top->entry = birth.entry;
  top->closure = const_cast<unsigned char*>(birth.closure);
  top->creation_pc = birth.creation_pc;
  top->parent_id = birth.parent_id;
  gp->top = top;
  gp->flags &= static_cast<uint8_t>(~flag_unborn);
  gp->sp = make_context(reinterpret_cast<uintptr_t>(top) & ~uintptr_t{15});
  top->fiber.create(top->stack_lo, top->stack_hi, top->creation_pc, gp->id);
}

void give_goroutine(goroutine* gp) noexcept {
  gp->status.store(static_cast<uint32_t>(g_status::dead), relaxed);
  if (goroutine_top* top = gp->top; top != nullptr) {
    gp->top = nullptr;
    give_stack(top);
  }
  push_bare(this_machine()->p, gp);
}

namespace {

/// An id, a parent, and for one with a stack its first frame. Inlined: each spawn does it.
[[gnu::always_inline]] inline void introduce(goroutine* gp) noexcept {
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
    top->fiber.create(top->stack_lo, top->stack_hi, top->creation_pc, gp->id);
  }
}

}  // namespace

goroutine* take_waiting(void (*entry)(void*), void* argument, const arch::fp_control& fp) noexcept {
  const auto pc = reinterpret_cast<uintptr_t>(entry) + 1;  // names are looked up one byte before
  goroutine* gp = take_unborn();
  if (gp != nullptr) {
    birth_record& birth = birth_of(gp);
    birth.creation_pc = pc;
    birth.entry = entry;
    std::memcpy(birth.closure, &argument, sizeof argument);
  } else {
    const char* why = nullptr;
    gp = take_goroutine(0, why);
    if (gp == nullptr) fatal(why);
    goroutine_top& top = *gp->top;
    top.creation_pc = pc;
    top.entry = entry;
    top.closure_lo = (reinterpret_cast<uintptr_t>(&top) - sizeof argument) & ~uintptr_t{15};
    top.closure = reinterpret_cast<void*>(top.closure_lo);
    std::memcpy(top.closure, &argument, sizeof argument);
  }
  introduce(gp);
  gp->fp = fp;
  gp->reason = wait_reason::io_wait;
  gp->status.store(static_cast<uint32_t>(g_status::waiting), relaxed);
  return gp;
}

namespace {

[[gnu::always_inline]] inline void submit(goroutine* gp, bool watched) noexcept {
  machine* mp = this_machine();
  processor* pp = mp->p;
  introduce(gp);
  if (watched) probe_ready(gp, probes.now(), true);
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

__attribute__((noinline)) void submit_watched(goroutine* gp) noexcept { submit(gp, true); }

}  // namespace

void submit_goroutine(goroutine* gp) noexcept {
  if (probes.now() != 0) [[unlikely]]
    return submit_watched(gp);
  submit(gp, false);
}

namespace {
bool commit_end(goroutine* gp, void*) noexcept {
  gp->top->fiber.destroy();
  give_goroutine(gp);
  return true;
}
}  // namespace

void end_goroutine() {
  run_local_destructors();
  enter_section(leaf);  // left by the goroutine that runs next
  machine* mp = this_machine();
  goroutine* gp = mp->cur.load(relaxed);
  if ((gp->flags & flag_labels) != 0) [[unlikely]]
    drop_labels(gp);
  processor* pp = mp->p;
  if ((gp->flags & flag_system) == 0) {
    if (pp != nullptr)
      pp->finished.store(pp->finished.load(relaxed) + 1, relaxed);
    else
      sched.created_without_p.fetch_sub(1, relaxed);
  }
  if ((probes.now() & probe_trace) != 0) [[unlikely]]
    trace_ended(gp);
  gp->status.store(static_cast<uint32_t>(g_status::dead), relaxed);
  if constexpr (race_enabled)
    if (mp->sim) sim_blocks();
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

void flush_free_lists(processor& pp) noexcept {
  flush_free_stacks(pp);
  while (goroutine* gp = pop_bare_of(&pp)) push_bare(nullptr, gp);
}

namespace {
const char* try_start(void (*entry)(void*), void* closure, const char* name, uint8_t flags,
                      uintptr_t creation_pc) noexcept {
  const char* why = nullptr;
  goroutine* gp = take_goroutine(0, why);
  if (gp == nullptr) return why;
  gp->flags |= flags;
  gp->top->entry = entry;
  gp->top->closure = closure;
  gp->top->creation_pc = creation_pc;
  std::strncpy(gp->top->name, name, sizeof gp->top->name - 1);
  submit_goroutine(gp);
  return nullptr;
}
}  // namespace

const char* try_start_goroutine(void (*entry)(void*), void* closure, const char* name) noexcept {
  return try_start(entry, closure, name, 0,
                   reinterpret_cast<uintptr_t>(__builtin_return_address(0)));
}

const char* try_start_system_goroutine(void (*entry)(void*), void* closure,
                                       const char* name) noexcept {
  const section entered(leaf);
  return try_start(entry, closure, name, flag_system,
                   reinterpret_cast<uintptr_t>(__builtin_return_address(0)));
}

void start_goroutine(void (*entry)(void*), void* closure, const char* name) noexcept {
  if (const char* why = try_start_goroutine(entry, closure, name); why != nullptr) fatal(why);
}

}  // namespace weft::rt
