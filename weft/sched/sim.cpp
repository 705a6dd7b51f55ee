// SPDX-License-Identifier: Apache-2.0
// Deterministic mode. It is the scheduler itself with another choice policy: the same goroutines,
// park, ready, timers and switch, on one machine whose every section entry takes the slow path
// (its grant is never a P's address), where the seed decides who goes on. The calling thread is g0.
//
// What makes a run repeatable: one thread; ids, random numbers and time belong to the world; the
// list of runnable goroutines is ordered by who became runnable, and chosen from by the seed.
#include "weft/sched/sim.hpp"

#include <cstdlib>
#include <cstring>
#include <vector>

#include "weft/base/panic.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

bool sim_enabled = false;

namespace {

// Go's synctest: 2000-01-01 00:00 UTC.
inline constexpr int64_t epoch_ns = 946'684'800LL * 1'000'000'000LL;

struct sim_world {
  machine* mp = nullptr;
  processor* pp = nullptr;
  std::vector<goroutine*> runnable;
  goroutine* waiter = nullptr;  // in sim::wait
  int64_t now = epoch_ns;
  uint64_t digest = 0;
  bool root_done = false;
  bool failed = false;
  std::exception_ptr exception;
  uint64_t exception_goroutine = 0;
};
sim_world world;

uint64_t splitmix(uint64_t seed) noexcept {
  // G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators" (2014).
  uint64_t z = seed + 0x9e3779b97f4a7c15ULL;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

/// One of 0..count-1, from the seed, noted in the digest.
size_t choose(size_t count) noexcept {
  const size_t chosen = count < 2 ? 0 : random_u32() % count;
  world.digest = (world.digest ^ (chosen + 1)) * 0x100000001b3ULL;
  return chosen;
}

goroutine* take_runnable(size_t index) noexcept {
  goroutine* gp = world.runnable[index];
  // Keeps the order of the others: the list's order is part of what a seed replays.
  world.runnable.erase(world.runnable.begin() + static_cast<std::ptrdiff_t>(index));
  return gp;
}

bool commit_preempted(goroutine* gp, void*) noexcept {
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  sim_ready(gp);
  return true;
}

}  // namespace

int64_t sim_now() noexcept { return world.now; }

void sim_ready(goroutine* gp) noexcept { world.runnable.push_back(gp); }

void sim_enter(machine* mp, section_kind kind) noexcept {
  if (kind == leaf || world.runnable.empty()) return;
  if (choose(world.runnable.size() + 1) == 0) return;
  goroutine* gp = mp->cur.load(relaxed);
  gp->reason = wait_reason::preempted;
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  mp->commit = commit_preempted;
  mp->commit_argument = nullptr;
  mp->commit_g = gp;
  goroutine* next = take_runnable(choose(world.runnable.size()));
  note_execute(*mp->p, next, false);
  transfer(mp, gp, next);
}

void sim_point() noexcept {
  machine* mp = this_machine();
  if (mp == nullptr || !mp->sim) return;
  const section entered(may_park);
}

void sim_call(void (*entry)(void*), void* closure) noexcept {
  try {
    entry(closure);
  } catch (...) {
    if (!world.failed) {
      world.failed = true;
      world.exception = std::current_exception();
      world.exception_goroutine = this_machine()->cur.load(relaxed)->id;
    }
  }
}

uint64_t sim_goroutines() noexcept {
  return world.pp->created.load(relaxed) - world.pp->finished.load(relaxed);
}

namespace {

/// Runs goroutines until none can run and time cannot help.
void sim_loop() noexcept {
  machine* mp = world.mp;
  for (;;) {
    if (world.failed) return;
    if (!world.runnable.empty()) {
      goroutine* gp = take_runnable(choose(world.runnable.size()));
      note_execute(*world.pp, gp, false);
      transfer(mp, nullptr, gp);
      continue;
    }
    if (world.waiter != nullptr) {
      goroutine* gp = world.waiter;
      world.waiter = nullptr;
      ready(gp);
      continue;
    }
    const int64_t first = world.pp->timers.first_when.load(relaxed);
    // As Go: the clock stands still once the root has returned.
    if (first == no_timer || world.root_done) return;
    if (first > world.now) world.now = first;
    bool ran = false;
    (void)run_due_timers(world.pp->timers, world.now, ran);
  }
}

void enter_world(uint64_t seed) {
  if (world.pp == nullptr) {
    void* memory = os::reserve_writable(sizeof(processor));
    if (memory == nullptr) fatal("out of memory: the sim's processor");
    world.pp = new (memory) processor{};
    timer_heap_init(world.pp->timers);
  }
  world.mp = adopt_sim_thread(world.mp);
  machine* mp = world.mp;
  mp->sim = true;
  mp->in_rt.store(1, relaxed);
  mp->p = world.pp;
  mp->random = splitmix(seed) | 1;
  world.pp->status.store(p_status::running, relaxed);
  world.pp->id_next = 1;
  world.pp->id_end = UINT64_MAX;
  world.pp->created.store(0, relaxed);
  world.pp->finished.store(0, relaxed);
  world.runnable.clear();
  world.waiter = nullptr;
  world.now = epoch_ns;
  world.digest = 0xcbf29ce484222325ULL;
  world.root_done = false;
  world.failed = false;
  world.exception = nullptr;
  sim_enabled = true;
}

/// Forgets the goroutines of a failed world. Their stacks are not reused: what they hold is lost.
std::string abandon_goroutines() {
  std::string text;
  timer_heap& heap = world.pp->timers;
  heap.count = 0;
  heap.first_when.store(no_timer, relaxed);
  const uint32_t cells = goroutine_cells();
  for (uint32_t i = 0; i < cells; ++i) {
    goroutine* gp = all_goroutine(i);
    if ((gp->flags & flag_sim) == 0 || gp->get_status() == g_status::dead) continue;
    text += "\ngoroutine " + std::to_string(gp->id) + " [";
    text += gp->get_status() == g_status::waiting ? wait_reason_text(gp->reason) : "runnable";
    if (gp->top->name[0] != '\0') text += std::string(", ") + gp->top->name;
    text += "]";
    gp->status.store(static_cast<uint32_t>(g_status::dead), relaxed);
    gp->flags = 0;
  }
  return text;
}

std::string describe(const std::exception_ptr& what) {
  try {
    std::rethrow_exception(what);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

void root_entry(void* argument) {
  (*static_cast<const callable_ref*>(argument))();
  world.root_done = true;
}

}  // namespace
}  // namespace weft::rt

namespace weft::sim {

namespace {
std::string failure_text(uint64_t seed, const std::string& why) {
  return "weft::sim: seed " + std::to_string(seed) + ": " + why;
}
}  // namespace

failure::failure(uint64_t seed, const std::string& why)
    : std::runtime_error(failure_text(seed, why)), seed_(seed) {}

uint64_t last_digest() noexcept { return rt::world.digest; }

void wait() {
  rt::machine* mp = rt::this_machine();
  if (mp == nullptr || !mp->sim) panic("weft::sim::wait: called outside weft::sim::run");
  bool taken = false;
  {
    // The entry may run others: only behind it is it settled who waits.
    const rt::section entered(rt::may_park);
    taken = rt::world.waiter != nullptr;
    if (!taken) {
      rt::world.waiter = rt::current();
      rt::park(nullptr, nullptr, rt::wait_reason::semacquire, nullptr);
    }
  }
  if (taken) panic("weft::sim::wait: another goroutine waits already");
}

void run(uint64_t seed, rt::callable_ref f) {
  using namespace rt;
  machine* before = this_machine();
  if (before != nullptr && !before->is_guest)
    panic("weft::sim::run: called from a goroutine; call it from a plain thread");
  int32_t none = 0;
  if (!sched.run_callers.compare_exchange(none, 1, acq_rel, relaxed))
    panic("weft::sim::run: weft::run or another sim is active; one world at a time");
  initialize_runtime(false);
  enter_world(seed);
  const char* why = nullptr;
  goroutine* root = take_goroutine(0, why);
  if (root == nullptr) fatal(why);
  root->top->entry = root_entry;
  root->top->closure = &f;
  root->top->creation_pc = 0;
  submit_goroutine(root);
  sim_loop();

  std::string verdict;
  if (world.failed)
    verdict = "goroutine " + std::to_string(world.exception_goroutine) +
              " ended with an exception: " + describe(world.exception);
  else if (sim_goroutines() != 0)
    verdict = world.root_done
                  ? "deadlock: main bubble goroutine has exited but blocked goroutines remain"
                  : "deadlock: all goroutines in bubble are blocked";
  if (!verdict.empty()) verdict += abandon_goroutines();
  flush_free_list(*world.pp);
  world.exception = nullptr;
  world.mp->p = nullptr;
  sim_enabled = false;
  set_thread_slot(before);
  sched.run_callers.store(0, release);
  if (!verdict.empty()) throw failure(seed, verdict);
}

void explore(uint64_t n, rt::callable_ref f) {
  const auto attempt = [&f](uint64_t seed) {
    try {
      run(seed, f);
    } catch (const failure& e) {
      const std::string text = std::string(e.what()) + "\nweft::sim: seed " + std::to_string(seed) +
                               " failed; replay with WEFT_SEED=" + std::to_string(seed) + "\n";
      rt::os::write_all(2, text.data(), text.size());
      throw;
    }
  };
  if (const char* only = std::getenv("WEFT_SEED"); only != nullptr && *only != '\0') {
    char* end = nullptr;
    const uint64_t seed = std::strtoull(only, &end, 10);
    if (*end != '\0')
      panic(std::string("weft: WEFT_SEED=\"") + only + "\": must be a whole number");
    attempt(seed);
    return;
  }
  for (uint64_t seed = 0; seed < n; ++seed) attempt(seed);
}

}  // namespace weft::sim
