// SPDX-License-Identifier: Apache-2.0
// Deterministic mode. It is the scheduler itself with another choice policy: the same goroutines,
// park, ready, timers and switch, on one machine whose every section entry takes the slow path
// (its grant is never a P's address), where the seed decides who goes on. The calling thread is g0.
//
// What makes a run repeatable: one thread; ids, random numbers and time belong to the world; the
// list of runnable goroutines is ordered by who became runnable, and chosen from by the seed.
#include "weft/sched/sim.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "weft/base/panic.hpp"
#include "weft/base/race.hpp"
#include "weft/base/report_writer.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/scheduler.hpp"
#include "weft/sched/internal/sim_strategy.hpp"
#include "weft/sched/internal/sim_trace.hpp"
#include "weft/sched/internal/timers.hpp"

namespace weft::rt {

bool sim_enabled = false;

namespace {

// Go's synctest: 2000-01-01 00:00 UTC.
inline constexpr int64_t epoch_ns = 946'684'800LL * 1'000'000'000LL;

enum class end_of_run : uint8_t { none, exception, livelock };

struct sim_world {
  machine* mp = nullptr;
  processor* pp = nullptr;
  sim_chooser chooser;
  sim_trace trace;
  goroutine* running = nullptr;  // the last one that was chosen
  goroutine* waiter = nullptr;   // in sim::wait
  int64_t now = epoch_ns;
  uint64_t steps = 0;
  uint64_t runs = 0;
  bool root_done = false;
  bool places = false;      // failures tell where goroutines were: explore() asks for it
  bool replaying = false;   // one seed only, with all that can be told
  uint32_t one_in[4] = {};  // how often faults strike; 0: never. By sim_fault
  end_of_run ended = end_of_run::none;
  std::exception_ptr exception;
  uint64_t exception_goroutine = 0;
};
sim_world world;

bool commit_preempted(goroutine* gp, void*) noexcept {
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  sim_ready(gp);
  return true;
}

/// Too many steps: the run ends here. The goroutine is never resumed.
void stop_livelock(machine* mp, goroutine* gp) noexcept {
  world.ended = end_of_run::livelock;
  gp->reason = wait_reason::preempted;
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  transfer(mp, gp, nullptr);
}

}  // namespace

int64_t sim_now() noexcept { return world.now; }

void sim_blocks() noexcept { race_release(&world); }

void sim_ready(goroutine* gp) noexcept { world.chooser.add(gp); }

void sim_enter(machine* mp, section_kind kind) noexcept {
  if (kind == leaf) return;
  goroutine* gp = mp->cur.load(relaxed);
  if (++world.steps > world.chooser.how().steps_max) [[unlikely]]
    stop_livelock(mp, gp);
  if (world.chooser.empty()) return;
  goroutine* next = world.chooser.preempt(gp, world.steps);
  if (next == nullptr) return;
  gp->reason = wait_reason::preempted;
  gp->status.store(static_cast<uint32_t>(g_status::runnable), relaxed);
  mp->commit = commit_preempted;
  mp->commit_argument = nullptr;
  mp->commit_g = gp;
  world.trace.note_preemption(world.steps, gp, next);
  world.running = next;
  note_execute(*mp->p, next, false);
  transfer(mp, gp, next);
}

void sim_point() noexcept {
  machine* mp = this_machine();
  if (mp == nullptr || !mp->sim) return;
  const section entered(may_park);
}

uint32_t sim_draw(uint32_t bound) noexcept {
  machine* mp = this_machine();
  return mp == nullptr || !mp->sim ? 0 : world.chooser.draw(bound);
}

bool sim_strikes(sim_fault what) noexcept {
  machine* mp = this_machine();
  if (mp == nullptr || !mp->sim) return false;
  const uint32_t one_in = world.one_in[static_cast<size_t>(what)];
  return one_in != 0 && world.chooser.draw(one_in) == 0;
}

void sim_allocation() {
  if (sim_strikes(sim_fault::allocation)) throw std::bad_alloc();
}

void sim_call(void (*entry)(void*), void* closure) noexcept {
  try {
    entry(closure);
  } catch (...) {
    if (world.ended == end_of_run::none) {
      world.ended = end_of_run::exception;
      world.exception = std::current_exception();
      world.exception_goroutine = this_machine()->cur.load(relaxed)->id;
    }
  }
}

uint64_t sim_goroutines() noexcept {
  return world.pp->created.load(relaxed) - world.pp->finished.load(relaxed);
}

void sim_note_death(int fd) noexcept {
  if (!sim_enabled) return;
  report_writer out(fd);
  out.put("weft::sim: in seed ").put_unsigned(world.chooser.how().seed);
  out.put(", step ").put_unsigned(world.steps);
  out.put("; explore() replays it with WEFT_SEED=").put_unsigned(world.chooser.how().seed);
  out.put('\n');
}

namespace {

void run_goroutine(goroutine* gp) noexcept {
  world.trace.note_switch(world.steps, world.running, gp);
  world.running = gp;
  note_execute(*world.pp, gp, false);
  transfer(world.mp, nullptr, gp);
}

/// One of the timers that are due, any of them as likely.
void fire_any_due(timer_heap& heap) noexcept {
  uint32_t due = 0;
  for (uint32_t i = 0; i < heap.count; ++i) due += heap.entries[i].when_ns <= world.now;
  uint32_t chosen = world.chooser.draw(due);
  uint32_t at = 0;
  while (heap.entries[at].when_ns > world.now || chosen-- != 0) ++at;
  timer_node& node = *heap.entries[at].node;
  if (node.period_ns > 0) {
    const int64_t periods = 1 + (world.now - node.when_ns) / node.period_ns;
    (void)rearm(node, node.when_ns + periods * node.period_ns, node.period_ns);
  } else {
    (void)disarm(node);
  }
  node.fire(&node, world.now);
}

/// With timer ties: fires one that is due, maybe before anybody runs. True if it did.
bool fire_tie() noexcept {
  timer_heap& heap = world.pp->timers;
  if (world.one_in[static_cast<size_t>(sim_fault::timer_tie)] == 0) return false;
  if (heap.first_when.load(relaxed) > world.now) return false;
  if (!world.chooser.empty() && !sim_strikes(sim_fault::timer_tie)) return false;
  fire_any_due(heap);
  return true;
}

/// Time jumps to the next timer. False: there is none, or the clock stands still.
bool advance_clock() noexcept {
  timer_heap& heap = world.pp->timers;
  const int64_t first = heap.first_when.load(relaxed);
  // As Go: the clock stands still once the root has returned.
  if (first == no_timer || world.root_done) return false;
  if (first > world.now) {
    world.trace.note_time(world.steps, first - world.now);
    world.now = first;
  }
  if (fire_tie()) return true;
  bool ran = false;
  (void)run_due_timers(heap, world.now, ran);
  return true;
}

/// Runs goroutines until none can run and time cannot help.
void sim_loop() noexcept {
  while (world.ended == end_of_run::none) {
    if (++world.steps > world.chooser.how().steps_max) {
      world.ended = end_of_run::livelock;
    } else if (fire_tie()) {
      continue;
    } else if (!world.chooser.empty()) {
      run_goroutine(world.chooser.pick(world.steps));
    } else if (world.waiter != nullptr) {
      goroutine* gp = world.waiter;
      world.waiter = nullptr;
      ready(gp);
    } else if (!advance_clock()) {
      return;
    }
  }
}

/// Some runs see a fault often, some rarely, some not at all.
uint32_t draw_rate(bool wanted, uint32_t often) noexcept {
  const uint32_t rates[] = {0, often, often * 4, often * 16};
  const uint32_t rate = rates[world.chooser.draw(4)];
  return wanted ? rate : 0;
}

void draw_faults(const sim::faults& wanted) noexcept {
  const auto set = [](sim_fault what, bool on, uint32_t often) {
    world.one_in[static_cast<size_t>(what)] = draw_rate(on, often);
  };
  set(sim_fault::readiness, wanted.spurious_readiness, 2);
  set(sim_fault::short_io, wanted.short_io, 1);
  set(sim_fault::timer_tie, wanted.timer_ties, 1);
  // A run allocates dozens of times: one that fails often would never get far.
  set(sim_fault::allocation, wanted.allocation, 8);
}

void enter_world(const sim::options& how) {
  if (world.pp == nullptr) {
    void* memory = os::reserve_writable(sizeof(processor));
    if (memory == nullptr) fatal("out of memory: the sim's processor");
    world.pp = new (memory) processor{};
    timer_heap_init(world.pp->timers);
  }
  world.chooser.begin(how);
  world.trace.begin(world.replaying);
  draw_faults(how.faults);
  world.mp = adopt_sim_thread(world.mp);
  machine* mp = world.mp;
  mp->sim = true;
  mp->in_rt.store(1, relaxed);
  mp->p = world.pp;
  mp->random = sim_scramble(how.seed ^ 0x5eed) | 1;
  world.pp->status.store(p_status::running, relaxed);
  world.pp->id_next = 1;
  world.pp->id_end = UINT64_MAX;
  world.pp->created.store(0, relaxed);
  world.pp->finished.store(0, relaxed);
  world.running = nullptr;
  world.waiter = nullptr;
  world.now = epoch_ns;
  world.steps = 0;
  world.root_done = false;
  world.ended = end_of_run::none;
  world.exception = nullptr;
  ++world.runs;
  sim_enabled = true;
  attention.fetch_or(attention_sim, relaxed);
}

/// Forgets the goroutines of a failed world, and tells what they were doing. Their stacks are not
/// reused: what they hold is lost.
std::string abandon_goroutines() {
  std::string text;
  timer_heap& heap = world.pp->timers;
  heap.count = 0;
  heap.first_when.store(no_timer, relaxed);
  for (size_t i = 0; i < world.chooser.started(); ++i) {
    goroutine* gp = world.chooser.cell(i);
    if (gp->id != i + 1 || gp->get_status() == g_status::dead) continue;
    text += "\ngoroutine " + std::to_string(gp->id) + " [";
    text += gp->get_status() == g_status::waiting ? wait_reason_text(gp->reason) : "runnable";
    if (gp->top != nullptr && gp->top->name[0] != '\0') text += std::string(", ") + gp->top->name;
    text += "]";
    if (world.places) {
      const std::string where = sim_place_text(sim_place_of(gp));
      if (!where.empty()) text += "\n    " + where;
    }
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

std::string verdict_of_run() {
  const sim::options& how = world.chooser.how();
  if (world.ended == end_of_run::exception)
    return "goroutine " + std::to_string(world.exception_goroutine) +
           " ended with an exception: " + describe(world.exception);
  if (world.ended == end_of_run::livelock)
    return "livelock: the run has not ended after " + std::to_string(how.steps_max) +
           " steps (options.steps_max)";
  if (sim_goroutines() == 0) return {};
  return world.root_done
             ? "deadlock: main bubble goroutine has exited but blocked goroutines remain"
             : "deadlock: all goroutines in bubble are blocked";
}

/// Of goroutines whose cells are not another's yet. 0 is nobody.
std::string name_of(uint64_t id) {
  if (id == 0) return {};
  const goroutine* gp = world.chooser.cell(id - 1);
  return gp->id == id && gp->top != nullptr ? gp->top->name : "";
}

/// How to have this run again, and the last decisions.
std::string story_of_run() {
  const sim::options& how = world.chooser.how();
  std::string text = "\nschedule: {.seed = " + std::to_string(how.seed) +
                     ", .strategy = " + sim::strategy_name(how.strategy);
  if (how.strategy == sim::strategy::pct || how.strategy == sim::strategy::delay_bounded)
    text += ", .depth = " + std::to_string(how.depth) + ", .length = " + std::to_string(how.length);
  text += "}, " + std::to_string(world.steps) + " steps";
  constexpr const char* names[] = {"spurious readiness", "short reads and writes", "timer ties",
                                   "failing allocations"};
  for (size_t i = 0; i < std::size(names); ++i)
    if (world.one_in[i] != 0)
      text += std::string(", ") + names[i] + " 1 in " + std::to_string(world.one_in[i]);
  return text + "\nthe last decisions:" + world.trace.text(name_of);
}

void root_entry(void* argument) {
  (*static_cast<const callable_ref*>(argument))();
  world.root_done = true;
}

/// The environment's whole number `name`, or `otherwise`.
uint64_t environment_number(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return otherwise;
  char* end = nullptr;
  errno = 0;
  const uint64_t number = std::strtoull(text, &end, 10);
  if (*end != '\0' || *text == '-' || errno != 0)
    panic("weft: " + std::string(name) + "=\"" + text + "\": must be a whole number");
  return number;
}

struct sim_shard {
  uint64_t index = 0;
  uint64_t count = 1;
};

sim_shard environment_shard() {
  const char* text = std::getenv("WEFT_SIM_SHARD");
  if (text == nullptr || *text == '\0') return {};
  char* slash = nullptr;
  char* end = nullptr;
  sim_shard shard;
  shard.index = std::strtoull(text, &slash, 10);
  shard.count = *slash == '/' ? std::strtoull(slash + 1, &end, 10) : 0;
  if (end == nullptr || *end != '\0' || shard.index >= shard.count)
    panic("weft: WEFT_SIM_SHARD=\"" + std::string(text) + "\": must be I/N with I from 0 to N-1");
  return shard;
}

/// One explore(): it knows how long a run is as soon as somebody asks.
class explorer {
 public:
  explorer(const sim::options& how, callable_ref f) : how_(how), f_(f) {}

  void attempt(uint64_t seed) {
    sim::options one = how_;
    one.seed = seed;
    if (one.length == 0 && sim_chooser::needs_length(one)) one.length = measured_length();
    try {
      sim::run(one, f_);
    } catch (const sim::failure& e) {
      const std::string text = std::string(e.what()) + "\nweft::sim: seed " + std::to_string(seed) +
                               " failed; replay with WEFT_SEED=" + std::to_string(seed) + "\n";
      os::write_all(2, text.data(), text.size());
      throw;
    }
    if (seed == 0 && how_.strategy == sim::strategy::mixed) length_ = world.steps;
  }

 private:
  /// Measured by a run of seed 0, which is uniform: so every process that runs this seed gets the
  /// same, whatever else it runs.
  uint64_t measured_length() {
    if (length_ != 0) return length_;
    sim::options measure = how_;
    measure.seed = 0;
    measure.strategy = sim::strategy::uniform;
    try {
      sim::run(measure, f_);
    } catch (const sim::failure&) {
      // It measures only. What it has found, the seeds themselves will find.
    }
    length_ = world.steps;
    return length_;
  }

  const sim::options& how_;
  callable_ref f_;
  uint64_t length_ = 0;
};

/// Failures of explore() tell more than those of run(): they happen once.
struct tell_places {
  explicit tell_places(bool replaying) noexcept {
    world.places = true;
    world.replaying = replaying;
  }
  ~tell_places() { world.places = world.replaying = false; }
  tell_places(const tell_places&) = delete;
};

}  // namespace
}  // namespace weft::rt

namespace weft::sim {

failure::failure(uint64_t seed, const std::string& why)
    : std::runtime_error("weft::sim: seed " + std::to_string(seed) + ": " + why), seed_(seed) {}

const char* strategy_name(strategy which) noexcept {
  constexpr const char* names[] = {"mixed", "uniform", "pct", "delay_bounded", "round_robin"};
  return names[static_cast<size_t>(which)];
}

uint64_t last_digest() noexcept { return rt::world.chooser.digest(); }
uint64_t last_steps() noexcept { return rt::world.steps; }
uint64_t runs() noexcept { return rt::world.runs; }

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
  rt::race_acquire(&rt::world);
  if (taken) panic("weft::sim::wait: another goroutine waits already");
}

uint32_t pick(uint32_t count) noexcept { return count < 2 ? 0 : rt::sim_draw(count); }

bool chance(uint32_t one_in) noexcept {
  rt::machine* mp = rt::this_machine();
  return mp != nullptr && mp->sim && one_in != 0 && rt::world.chooser.draw(one_in) == 0;
}

void run(uint64_t seed, rt::callable_ref f) { run(options{.seed = seed}, f); }

void run(const options& how, rt::callable_ref f) {
  using namespace rt;
  machine* before = this_machine();
  if (before != nullptr && !before->is_guest)
    panic("weft::sim::run: called from a goroutine; call it from a plain thread");
  int32_t none = 0;
  if (!sched.run_callers.compare_exchange(none, 1, acq_rel, relaxed))
    panic("weft::sim::run: weft::run or another sim is active; one world at a time");
  initialize_runtime(false);
  enter_world(how);
  const char* why = nullptr;
  goroutine* root = take_goroutine(0, why);
  if (root == nullptr) fatal(why);
  root->top->entry = root_entry;
  root->top->closure = &f;
  root->top->creation_pc = 0;
  submit_goroutine(root);
  {
    const sanitizer::unseen scheduler;
    sim_loop();
  }

  race_acquire(&world);  // every goroutine has ended, or stands still for ever
  std::string verdict = verdict_of_run();
  if (!verdict.empty()) {
    verdict += abandon_goroutines();
    verdict += story_of_run();
  }
  flush_free_lists(*world.pp);
  world.exception = nullptr;
  world.mp->p = nullptr;
  sim_enabled = false;
  attention.fetch_and(~attention_sim, relaxed);
  set_thread_slot(before);
  sched.run_callers.store(0, release);
  if (!verdict.empty()) throw failure(how.seed, verdict);
}

void explore(uint64_t n, rt::callable_ref f) { explore(options{.seeds = n}, f); }

void explore(const options& how, rt::callable_ref f) {
  constexpr uint64_t no_seed = UINT64_MAX;
  const uint64_t only = rt::environment_number("WEFT_SEED", no_seed);
  const rt::tell_places told(only != no_seed);
  rt::explorer explorer(how, f);
  if (only != no_seed) {
    explorer.attempt(only);
    return;
  }
  const uint64_t seeds = how.seeds * rt::environment_number("WEFT_SIM_SEEDS", 1);
  const rt::sim_shard shard = rt::environment_shard();
  for (uint64_t i = shard.index; i < seeds; i += shard.count) explorer.attempt(how.seed + i);
}

}  // namespace weft::sim
