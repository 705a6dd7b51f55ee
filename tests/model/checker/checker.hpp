// SPDX-License-Identifier: Apache-2.0
// The model checker's face to models: scenarios, threads, mutants, and the search. How it works and
// what it covers: docs/adr; how to write a model: HACKING.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace model {

// --- inside a scenario ------------------------------------------------------------------------

/// Starts a simulated thread (at most six beside the first). What happened before happens before
/// it.
void spawn(std::function<void()> body);
/// Waits for every thread that spawn() started; what they did happens before what follows.
void join_all();
/// What comes before setup_done() is the same in every execution: no thread is interrupted, loads
/// read the newest value. setup_done() lets all other threads go on until they wait.
void setup();
void setup_done();
/// Fails this execution with `what`, unless `holds`.
void check(bool holds, const char* what);
[[noreturn]] void fail(const char* what);
/// Ends the execution well, whatever other threads are doing.
[[noreturn]] void finish();
/// A choice of the search among 0..n-1.
[[nodiscard]] int choose(int n);
/// Other threads run first, if any can (sched_yield, a pause in a spin loop).
void yield();
/// Parks the calling thread until `word` (an atomic's address) is woken: futex(2).
enum class wait_end : uint8_t { woken, changed, timed_out };
/// The simulated clock; it moves when all threads wait and one of them has a limit.
[[nodiscard]] int64_t now_ns();
void advance_clock(int64_t ns);
/// A number that marks the execution's outcome; the search counts each (litmus tests).
void outcome(int value);

/// Plain shared data in a test that is not instrumented: every access is checked for races.
template <class T>
class var {
 public:
  T get() const {
    read_plain(&value_, sizeof(T));
    return value_;
  }
  void set(T value) {
    write_plain(&value_, sizeof(T));
    value_ = value;
  }

 private:
  static void read_plain(const void* at, size_t bytes);
  static void write_plain(void* at, size_t bytes);
  T value_{};
};
void note_plain(const void* at, size_t bytes, bool write);
template <class T>
void var<T>::read_plain(const void* at, size_t bytes) {
  note_plain(at, bytes, false);
}
template <class T>
void var<T>::write_plain(void* at, size_t bytes) {
  note_plain(at, bytes, true);
}

// --- mutants ----------------------------------------------------------------------------------

enum class change : uint8_t {
  weaken,  // memory order becomes relaxed; a fence of that order is none
  to_acquire,
  to_release,
  to_acq_rel,
  drop,        // the operation does not happen: a fence, a store, a wake-up
  always,      // a compare-and-swap stores and succeeds whatever it finds: the check is dropped
  never,       // a compare-and-swap fails; futex_wait returns at once
  split,       // a read-modify-write becomes a load and a store
  late,        // a store happens after this thread's next operation: what the compiler, or the
               // CPU, does where no fence forbids it
  reads_zero,  // a load gives 0, whatever is there: a look that is not taken
  reads_one,
  leave_out,  // what rt::mutated(text) guards; `file` is null
};

/// One change of the production code, named by the text that it changes.
struct mutant {
  const char* name;
  const char* file;  // from the root of the tree
  const char* text;  // of one atomic operation, as it stands there
  change how;
  int occurrence = 1;  // the n-th place with this text
};

// --- searches ---------------------------------------------------------------------------------

/// What scenarios are about: the components of the table in tests/model/README.md, in its order.
enum class part : uint8_t {
  none,
  run_queue,
  next_slot,
  parking,
  wake_up,
  idle_p,
  retake,
  blocking_return,
  chan,
  select,
  runtime_lock,
  mutex,
  rw_mutex,
  semaphore,
  pool,
  reclamation,
  sync_map,
  timers,
  netpoll,
  guests,
  heap,
  count_
};

struct scenario {
  const char* name;
  std::function<void()> body;  // the first thread
  part of = part::none;
  /// The exhaustive search sees every execution within its bounds; verify() fails if it does not.
  bool all_seen = false;
  /// Exhaustive search: switches away from a thread that could go on, and loads of old values.
  int preemptions = 2;
  int stale_loads = 2;
  /// Stores may take a place in the order of modification before ones already made.
  bool late_stores = false;
  /// Futex sleeps that end for no reason, per execution.
  int spurious_wakes = 1;
  /// An execution longer than this is taken for one that never ends.
  uint32_t steps_max = 20000;
  /// How many executions each search may take; 0: none.
  uint64_t exhaustive = 20000;
  uint64_t random = 20000;
  /// Mutants may take so many times more.
  uint64_t mutant_factor = 2;
};

struct result {
  bool failed = false;
  bool complete = false;           // the exhaustive search saw every execution within its bounds
  uint64_t executions = 0;         // until the failure, or in total
  bool by_random = false;          // which search failed
  bool reached = true;             // the mutant's operation was executed
  std::string what;                // the failure
  std::string trace;               // every operation of the failing execution
  std::vector<uint64_t> outcomes;  // how often outcome(i) was called
};

/// Searches one scenario, with or without a mutant.
[[nodiscard]] result search(const scenario& of, const mutant* change = nullptr);
/// The scenario passes, and each mutant is found; prints a row for each. Reports failures to
/// GoogleTest. With WEFT_MODEL_TABLE set nothing is searched: the scenario goes into the table.
void verify(const scenario& of, const std::vector<mutant>& mutants);

}  // namespace model
