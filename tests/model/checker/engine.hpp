// SPDX-License-Identifier: Apache-2.0
// The checker's inside: simulated threads on one kernel thread, the memory model, the choices.
//
// Threads are contexts of the production switch. Before every atomic operation, fence and futex
// call the search chooses who runs. Memory is a history of stores per location; a load may read any
// store that is not hidden by one the thread knows of. What a thread knows is a clock:
//   hb    what happens before here (data races are judged by it)
//   view  what it must not read older than: hb, and what seq_cst fences have ordered before
// Both are vectors of event counts, one per thread; component `sc` of a view counts seq_cst
// operations, for their total order.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <source_location>
#include <string>
#include <vector>

#include "checker.hpp"

namespace model {

inline constexpr int threads_max = 7;
inline constexpr int sc = threads_max;  // the component of seq_cst operations
inline constexpr uint32_t never_seen = UINT32_MAX;

struct clock {
  uint32_t at[threads_max + 1] = {};
  void join(const clock& other) noexcept {
    for (int i = 0; i <= threads_max; ++i)
      if (other.at[i] > at[i]) at[i] = other.at[i];
  }
};

struct store_record {
  uint64_t value;
  uint32_t first_seen[threads_max + 1];  // the event by which each thread first knew it
  clock hb, view;                        // what an acquire load of it learns
  uint64_t sequence;
  int writer;
  bool by_rmw;
};

inline constexpr int history_max = 12;
struct location {
  const void* address;
  uint32_t bytes;
  int count;
  store_record* history[history_max];  // oldest first
  uint32_t access[threads_max];        // last atomic access of each thread
  uint32_t number;                     // in order of appearance, for traces
};

/// Plain accesses to some bytes of an eight-byte word.
struct plain_cell {
  uint8_t offset, bytes;
  uint16_t next;
  int16_t writer;
  uint32_t write_event;
  uint32_t read_event[threads_max];
};

struct granule {
  uintptr_t word;
  uint32_t generation;
  uint16_t cells;
  uint16_t locations[8];
};

enum class thread_state : uint8_t { none, runnable, futex, join, events, done };

struct held_store {
  void* address;
  uint32_t bytes;
  uint64_t value;
  std::memory_order order;
  bool pending;
};

struct thread {
  uintptr_t sp;
  thread_state state;
  bool yielded;
  bool test_thread;  // join_all() waits for it
  wait_end end;
  const void* waits_on;
  int64_t deadline;  // < 0: none
  void* slot;        // what rt::thread_slot() reads
  uint64_t floor;    // stores up to this number are known: a spinning thread sees news at last
  int spins;
  clock hb, view;
  clock pending_hb, pending_view;  // learnt by relaxed loads: an acquire fence joins them
  clock release_hb, release_view;  // as of the last release fence
  int priority;
  held_store held;
  std::function<void()>* body;
  std::byte* stack;
};

/// Where in the source an operation stands.
using site = std::source_location;

enum class op : uint8_t { none, load, store, exchange, compare_exchange, fetch, fence, wait, wake };

/// A mutant, resolved to lines and columns.
struct target {
  const char* text;
  const char* file;
  uint32_t line_from, column_from, line_to, column_to;
  op what;
  change how;
};

inline constexpr size_t thread_stack_bytes = 128 * 1024;
inline constexpr size_t arena_bytes = size_t{64} << 20;
inline constexpr uint32_t granules = 1u << 15;
inline constexpr uint32_t stores = 1u << 16;
inline constexpr uint32_t cells_max = 60000;
inline constexpr uint32_t locations_max = 60000;
inline constexpr int outcomes_max = 64;

struct choice {
  uint16_t taken, of;
};

/// Everything that must survive the reset between executions: it is not among the statics.
struct engine {
  // --- this execution
  bool running = false;  // a simulated thread is
  bool busy = false;     // ... and it is inside the checker
  bool failed = false;
  bool tracing = false;
  bool reached = false;
  bool setup = false;  // no choices yet
  int current = 0;
  int thread_count = 0;
  thread threads[threads_max];
  uintptr_t main_sp = 0;
  uint32_t steps = 0;
  int preemptions = 0;
  int stale = 0;
  int spurious = 0;
  int64_t now = 0;
  uint64_t sequence = 0;
  uint32_t sc_events = 0;
  clock fences;  // what seq_cst fences have ordered so far
  std::string what;
  std::string trace;
  // --- memory
  std::byte* arena = nullptr;
  size_t arena_used = 0;
  uint32_t generation = 0;
  granule* table = nullptr;
  uint32_t cell_count = 0;
  plain_cell* cells = nullptr;
  uint32_t location_count = 0;
  location* locations = nullptr;
  uint32_t store_count = 0;
  store_record* store_pool = nullptr;
  std::byte* statics_lo = nullptr;
  std::byte* statics_hi = nullptr;
  // --- the search
  const scenario* what_runs = nullptr;
  const target* mutated = nullptr;
  bool random = false;
  uint64_t random_state = 1;
  int stickiness = 0;  // random: of 16, how often the thread goes on; < 0: by priorities
  uint32_t change_at[4] = {};
  std::vector<choice> path;
  size_t path_at = 0;
  uint64_t outcomes[outcomes_max] = {};
  // --- other parts of the simulated world
  std::vector<std::function<void()>> reset_hooks;
};

extern engine* the_engine;

/// A simulated thread runs, and is not inside the checker.
inline bool simulated() {
  return the_engine != nullptr && the_engine->running && !the_engine->busy;
}

/// Counted entry of checker code: plain accesses within are its own.
struct inside {
  bool was = the_engine->busy;
  inside() { the_engine->busy = true; }
  ~inside() { the_engine->busy = was; }
};

// threads.cpp
void point();
/// Gives up the thread until somebody sets it runnable.
void block(thread_state why, const void* on, int64_t deadline);
int new_thread(std::function<void()> body, bool test_thread);
inline thread& self() { return the_engine->threads[the_engine->current]; }
[[nodiscard]] uint64_t next_random();
[[nodiscard]] int pick(int n);
void trace(const char* format, ...) __attribute__((format(printf, 1, 2)));
void trace_site(const site& at);
void run_once(const scenario& of);

inline uint32_t event_of(const thread& t) { return t.hb.at[the_engine->current]; }
inline void next_event(thread& t) {
  const auto id = &t - the_engine->threads;
  t.view.at[id] = ++t.hb.at[id];
}

// catalogue.cpp
bool catalogue_only();
void catalogue(const scenario& of, size_t mutants);

// table.cpp
inline uint64_t peek(const void* at, uint32_t bytes) {
  uint64_t value = 0;
  std::memcpy(&value, at, bytes);
  return value;
}
granule& granule_of(const void* at);
/// The history of an atomic; the access is checked against plain writes.
location& location_of(const void* at, uint32_t bytes);
store_record* new_store(uint64_t value);
void plain_access(const void* at, size_t bytes, bool write);
void* arena_allocate(size_t bytes, size_t alignment);
/// Not zeroed.
void* arena_raw(size_t bytes, size_t alignment);

// memory.cpp
uint64_t load(const void* at, uint32_t bytes, std::memory_order order, const site& where);
void store(void* at, uint32_t bytes, uint64_t value, std::memory_order order, const site& where);
enum class rmw : uint8_t { exchange, add, sub, bit_or, bit_and };
uint64_t modify(void* at, uint32_t bytes, rmw how, uint64_t operand, std::memory_order order,
                const site& where);
bool compare_and_swap(void* at, uint32_t bytes, uint64_t& expected, uint64_t desired,
                      std::memory_order success, std::memory_order failure, const site& where);
void fence(std::memory_order order, const site& where);
void heavy_fence(const site& where);
/// change::leave_out of this text.
bool left_out(const char* text);
void construct(void* at, uint32_t bytes);
wait_end futex_wait(void* word, uint32_t expected, int64_t timeout_ns, const site& where);
int futex_wake(void* word, int count, const site& where);

}  // namespace model
