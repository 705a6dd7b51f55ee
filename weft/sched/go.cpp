// SPDX-License-Identifier: Apache-2.0
// Untyped halves of go, spawn and local: what the templates call.
#include "weft/sched/go.hpp"

#include <cstring>

#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"
#include "weft/base/sanitizer.hpp"
#include "weft/sched/internal/label_set.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/local.hpp"
#include "weft/sched/task.hpp"

namespace weft::rt {

static_assert(closure_at_birth_max == birth_closure_bytes);

namespace {

void before_spawn() {
  // A foreign thread before the first weft::run: the goroutine waits for it.
  if (sched.cells == nullptr) [[unlikely]]
    initialize_runtime(true);
  if (sim_enabled) [[unlikely]]
    sim_allocation();
}

[[noreturn]] __attribute__((noinline)) void panic_without_stack(const char* why) {
  panic(std::string("weft::go: ") + (why != nullptr ? why : "no stack"));
}

void set_name(goroutine_top& top, std::string_view name) noexcept {
  const size_t length = name.size() < sizeof top.name ? name.size() : sizeof top.name - 1;
  std::memcpy(top.name, name.data(), length);
  top.name[length] = '\0';
}

void inherit_from_current(goroutine* gp) noexcept {
  const goroutine* creator = current();
  if (creator != nullptr && (creator->flags & flag_labels) != 0) inherit_labels(gp, creator);
}

/// Room for the closure right below the top of the new stack.
void* closure_space(goroutine_top& top, size_t bytes, size_t alignment) noexcept {
  top.closure_lo = (reinterpret_cast<uintptr_t>(&top) - bytes) & ~(uintptr_t{alignment} - 1);
  // With the context that submit_goroutine() puts below it.
  constexpr size_t below = 2 * sizeof(arch::saved_frame) + 256;
  sanitizer::unpoison(top.closure_lo - below, bytes + below);
  return reinterpret_cast<void*>(top.closure_lo);
}

}  // namespace

goroutine* begin_born(const go_options& options, uintptr_t creation_pc) {
  const char* why = nullptr;
  goroutine* gp = nullptr;
  {
    const section entered(leaf);
    gp = take_goroutine(options.stack, why);
    if (gp != nullptr) inherit_from_current(gp);
  }
  if (gp == nullptr) [[unlikely]]
    panic_without_stack(why);
  gp->top->creation_pc = creation_pc;
  if (!options.name.empty()) set_name(*gp->top, options.name);
  return gp;
}

__attribute__((noinline)) void* begin_go(goroutine*& gp, const go_options& options, size_t bytes,
                                         size_t alignment) {
  const auto pc = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
  before_spawn();
  gp = nullptr;
  if (options.stack == 0 && options.name.empty() && bytes <= closure_at_birth_max &&
      alignment <= alignof(void*)) {
    const section entered(leaf);
    gp = take_unborn();
  }
  if (gp != nullptr) {
    birth_of(gp).creation_pc = pc;
    return birth_of(gp).closure;
  }
  gp = begin_born(options, pc);
  return closure_space(*gp->top, bytes, alignment);
}

void abandon_go(goroutine* gp) noexcept {
  const section entered(leaf);
  if ((gp->flags & flag_labels) != 0) drop_labels(gp);
  give_goroutine(gp);
}

void finish_go(goroutine* gp, void (*entry)(void*), void* closure) noexcept {
  if ((gp->flags & flag_unborn) != 0) {
    birth_of(gp).entry = entry;
  } else {
    gp->top->entry = entry;
    gp->top->closure = closure;
  }
  const section entered(leaf);
  submit_goroutine(gp);
}

__attribute__((noinline)) void go_copied(void (*entry)(void*), const closure_words& closure) {
  before_spawn();
  const char* why = nullptr;
  {
    const section entered(leaf);
    if (goroutine* gp = take_unborn(); gp != nullptr) [[likely]] {
      birth_record& birth = birth_of(gp);
      birth.creation_pc = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
      birth.entry = entry;
      std::memcpy(birth.closure, &closure, sizeof closure);
      submit_goroutine(gp);
      return;
    }
    if (goroutine* gp = take_goroutine(0, why); gp != nullptr) {
      goroutine_top& top = *gp->top;
      inherit_from_current(gp);
      top.creation_pc = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
      top.entry = entry;
      top.closure = closure_space(top, sizeof closure, alignof(closure_words));
      std::memcpy(top.closure, &closure, sizeof closure);
      submit_goroutine(gp);
      return;
    }
  }
  panic_without_stack(why);
}

// --- tasks ---

namespace {
inline constexpr uintptr_t task_running = 0;
inline constexpr uintptr_t task_done = 1;
}  // namespace

void task_state_base::complete() noexcept {
  race_release(&word_);
  const section entered(leaf);
  const uintptr_t before = word_.exchange(task_done, acq_rel);
  if (before != task_running) ready(reinterpret_cast<goroutine*>(before));
}

void task_state_base::wait() noexcept {
  wait_until_done();
  race_acquire(&word_);
}

void task_state_base::wait_until_done() noexcept {
  const section entered(may_park);
  if (word_.load(acquire) == task_done) return;
  park(
      [](goroutine* gp, void* argument) noexcept {
        auto* self = static_cast<task_state_base*>(argument);
        uintptr_t running = task_running;
        // release: the goroutine is parked; partner: complete()'s exchange.
        return self->word_.compare_exchange(running, reinterpret_cast<uintptr_t>(gp), acq_rel,
                                            acquire);
      },
      this, wait_reason::join, this);
}

bool task_state_base::done() const noexcept {
  if (word_.load(acquire) != task_done) return false;
  race_acquire(&word_);
  return true;
}

bool task_state_base::drop() noexcept {
  race_release(&references_);
  if (references_.fetch_sub(1, acq_rel) != 1) return false;
  race_acquire(&references_);
  return true;
}

// --- locals ---

namespace {
/// The current goroutine's top: its own, so no section is needed to keep it.
__attribute__((noinline)) goroutine_top& this_top() noexcept {
  const section entered(leaf);
  return *current()->top;
}
}  // namespace

local_entry* find_local(const void* key) noexcept {
  for (local_entry* entry = this_top().locals; entry != nullptr; entry = entry->next)
    if (entry->key == key) return entry;
  return nullptr;
}

void add_local(local_entry* entry) noexcept {
  goroutine_top& top = this_top();
  entry->next = top.locals;
  top.locals = entry;
}

void destroy_locals(goroutine_top& top) noexcept {
  // A destructor may make new values: they are ended too, as thread_local does it.
  while (local_entry* entry = top.locals) {
    top.locals = entry->next;
    entry->destroy(entry);
  }
}

void run_local_destructors() noexcept {
  goroutine_top& top = *this_machine()->cur.load(relaxed)->top;
  if (top.locals != nullptr) destroy_locals(top);
}

}  // namespace weft::rt
