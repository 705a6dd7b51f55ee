// SPDX-License-Identifier: Apache-2.0
// Starts the production scheduler in a scenario, and stands in for the parts that scenarios leave
// out: stacks from the arena, no reports, no deterministic mode, no schedtrace.
#include "world.hpp"

#include "tests/model/checker/engine.hpp"
#include "weft/base/held_locks.hpp"
#include "weft/heap/internal/cache_owner.hpp"
#include "weft/heap/internal/stack.hpp"
#include "weft/sched/heap_object.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace model {

using namespace weft::rt;

void start_runtime(uint32_t procs) {
  sched.stack_bytes = stack_class_bytes(0);
  sched.global.initialize();
  sched.cells = static_cast<goroutine*>(os::reserve_writable(128 * sizeof(goroutine)));
  refresh_coarse(os::monotonic_ns());
  sched.last_poll.store(os::monotonic_ns(), weft::rt::relaxed);
  sched.stopping.store(1, weft::rt::relaxed);
  if (netpoll_init() != 0) fail("netpoll_init");
  const section entered(leaf);
  start_the_world(procs);
}

void countdown::done() noexcept {
  if (left_.fetch_sub(1, weft::rt::acq_rel) == 1) os::futex_wake(left_, 1);
}

void countdown::wait() noexcept {
  for (;;) {
    const uint32_t left = left_.load(weft::rt::acquire);
    if (left == 0) return;
    (void)os::futex_wait(left_, left, -1);
  }
}

}  // namespace model

namespace weft::rt {

// --- heap ---

// The checker's own frames, and printf's in a trace, lie on goroutines' stacks too.
inline constexpr size_t stack_bytes = 64 * 1024;
size_t stack_class_bytes(size_t) noexcept { return stack_bytes; }
size_t stack_take(size_t, stack_slot* out, size_t count, stack_error&) noexcept {
  constexpr size_t most = 3;  // goroutines of a scenario are few, and each costs its setup
  const model::inside in;
  const size_t n = count < most ? count : most;
  for (size_t i = 0; i < n; ++i) {
    const auto lo = reinterpret_cast<uintptr_t>(model::arena_raw(stack_bytes, 64));
    out[i] = {lo, lo + stack_bytes};
  }
  return n;
}
bool stack_supply_ample() noexcept { return false; }
void stack_give(stack_slot) noexcept {}
void stack_discard(stack_slot) noexcept {}
const char* stack_error_text(stack_error) noexcept { return "no stack"; }

void heap_attach_cache(mcache*&) noexcept {}
void heap_detach_cache(mcache*&) noexcept {}
void heap_drop_cache() noexcept {}
void heap_retire_cache(mcache*&) noexcept {}
int heap_threads() noexcept { return 0; }
void* object_new(size_t bytes, size_t alignment) {
  return ::operator new(bytes, std::align_val_t{alignment});
}
void object_delete(void* object, size_t alignment) noexcept {
  ::operator delete(object, std::align_val_t{alignment});
}

// --- deterministic mode: none ---

bool sim_enabled = false;
void sim_point() noexcept {}
void sim_allocation() {}
int64_t sim_now() noexcept { return 0; }
void sim_ready(goroutine*) noexcept {}
void sim_enter(machine*, section_kind) noexcept {}
void sim_call(void (*)(void*), void*) noexcept {}
uint64_t sim_goroutines() noexcept { return 0; }

// --- reports, traces ---

size_t held_locks() noexcept { return 0; }
void report_held_locks(const goroutine*, bool) noexcept {}

void prepare_signal_stack() noexcept {}
void release_signal_stack(machine*) noexcept {}
void print_schedtrace(bool) noexcept {}
void initialize_runtime(bool) { model::fail("the scenario has not started the runtime"); }

}  // namespace weft::rt
