// SPDX-License-Identifier: Apache-2.0
// Untyped halves of go, spawn and local: what the templates call.
#include "weft/sched/go.hpp"

#include <cstring>

#include "weft/base/panic.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/local.hpp"
#include "weft/sched/task.hpp"

namespace weft::rt {

__attribute__((noinline)) goroutine* begin_go(const go_options& options) {
  const char* why = nullptr;
  goroutine* gp = nullptr;
  // A foreign thread before the first weft::run: the goroutine waits for it.
  if (sched.cells == nullptr) [[unlikely]]
    initialize_runtime(true);
  if (sim_enabled) [[unlikely]]
    sim_allocation();
  {
    const section entered(leaf);
    gp = take_goroutine(options.stack, why);
  }
  if (gp == nullptr) [[unlikely]]
    panic(std::string("weft::go: ") + (why != nullptr ? why : "no stack"));
  goroutine_top* top = gp->top;
  top->creation_pc = reinterpret_cast<uintptr_t>(__builtin_return_address(0));
  if (!options.name.empty()) {
    const size_t length =
        options.name.size() < sizeof top->name ? options.name.size() : sizeof top->name - 1;
    std::memcpy(top->name, options.name.data(), length);
    top->name[length] = '\0';
  }
  return gp;
}

void* closure_space(goroutine* gp, size_t bytes, size_t alignment) noexcept {
  goroutine_top* top = gp->top;
  top->closure_lo = (reinterpret_cast<uintptr_t>(top) - bytes) & ~(uintptr_t{alignment} - 1);
  return reinterpret_cast<void*>(top->closure_lo);
}

void abandon_go(goroutine* gp) noexcept {
  const section entered(leaf);
  give_goroutine(gp);
}

void finish_go(goroutine* gp, void (*entry)(void*), void* closure) noexcept {
  gp->top->entry = entry;
  gp->top->closure = closure;
  const section entered(leaf);
  submit_goroutine(gp);
}

// --- tasks ---

namespace {
inline constexpr uintptr_t task_running = 0;
inline constexpr uintptr_t task_done = 1;
}  // namespace

void task_state_base::complete() noexcept {
  const section entered(leaf);
  const uintptr_t before = word_.exchange(task_done, acq_rel);
  if (before != task_running) ready(reinterpret_cast<goroutine*>(before));
}

void task_state_base::wait() noexcept {
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

bool task_state_base::done() const noexcept { return word_.load(acquire) == task_done; }

bool task_state_base::drop() noexcept { return references_.fetch_sub(1, acq_rel) == 1; }

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
