// SPDX-License-Identifier: Apache-2.0
// What base offers to production code, for simulated threads: memory from the arena, the simulated
// clock, threads; and the ways to die, which fail the execution.
#include "weft/base/os/os.hpp"

#include <cstdio>
#include <string>

#include "tests/model/checker/engine.hpp"
#include "weft/base/futex_mutex.hpp"
#include "weft/base/lock_rank_check.hpp"
#include "weft/base/panic.hpp"
#include "weft/base/settings.hpp"
#include "weft/base/thread_slot.hpp"

namespace weft::rt {

namespace os {

bool membarrier_active = true;

bool membarrier_register(bool force_plain) noexcept {
  membarrier_active = !force_plain;
  return membarrier_active;
}

int64_t monotonic_ns() noexcept { return model::now_ns(); }
int64_t realtime_ns() noexcept { return model::now_ns(); }

int start_thread(void (*entry)(void*), void* argument, size_t, const char*, bool) noexcept {
  const model::inside in;
  model::point();
  (void)model::new_thread([entry, argument] { entry(argument); }, false);
  return 0;
}

int32_t thread_id() noexcept { return model::the_engine->current + 1; }
int thread_count() noexcept { return model::the_engine->thread_count; }
void yield_thread() noexcept { model::yield(); }
void sleep_ns(int64_t duration_ns) noexcept {
  const model::inside in;
  model::block(model::thread_state::futex, nullptr, model::the_engine->now + duration_ns);
}
char thread_state(int32_t, int&) noexcept { return 'S'; }
void close_fd(int) noexcept {}
int on_fork_in_child(void (*)()) noexcept { return 0; }

/// Of a huge reservation models touch the beginning only.
void* reserve_writable(size_t bytes) noexcept {
  constexpr size_t huge = 64 * 1024, beginning = 4 * 1024;
  const model::inside in;
  return model::arena_allocate(bytes <= huge ? bytes : beginning, page_bytes);
}
void* reserve(size_t bytes) noexcept { return reserve_writable(bytes); }
void write_all(int, const void*, size_t) noexcept {}

}  // namespace os

void set_thread_slot(void* value) noexcept { model::self().slot = value; }
void on_thread_exit(void (*)(void*)) noexcept {}

// --- dying ---

namespace {
[[noreturn]] void die(const char* kind, const char* message) {
  char text[300];
  std::snprintf(text, sizeof text, "%s: %s", kind, message);
  model::fail(text);
}
}  // namespace

void fatal(const char* message) noexcept { die("fatal", message); }
void fatal(const char* message, int64_t, int64_t, int64_t) noexcept { die("fatal", message); }
void bug(const char* message) noexcept { die("bug", message); }
void bug(const char* message, int64_t, int64_t, int64_t) noexcept { die("bug", message); }

const settings& process_settings() noexcept {
  static const settings all;
  return all;
}

// --- lock ranks: what each simulated thread holds ---

namespace {
held_locks held[model::threads_max];
}
void lock_rank_acquire(lock_rank rank, const void* lock) noexcept {
  if (!model::the_engine->running) return;
  const model::inside in;
  held[model::the_engine->current].acquire(rank, lock);
}
void lock_rank_release(lock_rank rank, const void* lock) noexcept {
  if (!model::the_engine->running) return;
  const model::inside in;
  held[model::the_engine->current].release(rank, lock);
}

}  // namespace weft::rt

namespace weft {
void panic(std::string_view message) { rt::die("panic", std::string(message).c_str()); }
}  // namespace weft
