// SPDX-License-Identifier: Apache-2.0
// Simulated threads: contexts of the production switch, and the choice of who runs next.
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "engine.hpp"
#include "weft/base/arch/arch.hpp"

namespace model {

engine* the_engine = nullptr;

namespace {

void to_main() {
  engine& e = *the_engine;
  e.running = false;
  e.busy = true;
  uintptr_t ignored = 0;
  weft::rt::arch::switch_stacks(&ignored, e.main_sp);
  __builtin_unreachable();
}

void thread_main() {
  engine& e = *the_engine;
  std::function<void()>* body = self().body;
  e.busy = false;
  (*body)();
  e.busy = true;
  if (e.current == 0) to_main();
  trace("ends");
  for (int i = 0; i < e.thread_count; ++i) {
    thread& other = e.threads[i];
    if (other.state == thread_state::join) other.state = thread_state::runnable;
  }
  block(thread_state::done, nullptr, -1);
  __builtin_unreachable();
}

/// Whoever comes next after the running thread cannot or may not go on; -1: nobody.
int candidates(int (&list)[threads_max], bool with_current) {
  engine& e = *the_engine;
  int n = 0;
  for (int pass = 0; pass < 2 && n == 0; ++pass) {
    if (pass == 1)
      for (int i = 0; i < e.thread_count; ++i) e.threads[i].yielded = false;
    const thread& me = self();
    if (with_current && me.state == thread_state::runnable && !me.yielded) list[n++] = e.current;
    for (int i = 0; i < e.thread_count; ++i) {
      if (i == e.current) continue;
      const thread& other = e.threads[i];
      if (other.state == thread_state::runnable && !other.yielded) list[n++] = i;
    }
  }
  return n;
}

/// Nobody can run: the clock goes to the first limit of a sleep. False: there is none.
bool pass_time() {
  engine& e = *the_engine;
  thread* first = nullptr;
  for (int i = 0; i < e.thread_count; ++i) {
    thread& t = e.threads[i];
    if (t.state != thread_state::futex && t.state != thread_state::events) continue;
    if (t.deadline >= 0 && (first == nullptr || t.deadline < first->deadline)) first = &t;
  }
  if (first == nullptr) return false;
  if (first->deadline > e.now) e.now = first->deadline;
  first->state = thread_state::runnable;
  first->end = wait_end::timed_out;
  return true;
}

[[noreturn]] void fail_of_deadlock() {
  engine& e = *the_engine;
  static constexpr const char* states[] = {"-", "runnable", "futex", "join", "events", "done"};
  char text[256];
  int at = std::snprintf(text, sizeof text, "deadlock: every thread waits (");
  for (int i = 0; i < e.thread_count; ++i)
    at += std::snprintf(text + at, sizeof text - static_cast<size_t>(at), "%sT%d: %s",
                        i == 0 ? "" : ", ", i, states[static_cast<int>(e.threads[i].state)]);
  std::snprintf(text + at, sizeof text - static_cast<size_t>(at), ")");
  fail(text);
}

/// Random searches: a walk, or priorities with a few changes (PCT).
int random_thread(const int (&list)[threads_max], int n) {
  engine& e = *the_engine;
  if (e.stickiness >= 0) {
    if (list[0] == e.current && static_cast<int>(next_random() % 16) < e.stickiness) return 0;
    return static_cast<int>(next_random() % static_cast<uint64_t>(n));
  }
  for (const uint32_t at : e.change_at)
    if (at == e.steps) self().priority = -static_cast<int>(e.steps);
  int best = 0;
  for (int i = 1; i < n; ++i)
    if (e.threads[list[i]].priority > e.threads[list[best]].priority) best = i;
  return best;
}

void switch_to(int next) {
  engine& e = *the_engine;
  thread& from = self();
  thread& to = e.threads[next];
  to.yielded = false;
  if (next == e.current) return;
  e.current = next;
  weft::rt::arch::switch_stacks(&from.sp, to.sp);
}

void reschedule() {
  engine& e = *the_engine;
  int list[threads_max];
  int n = candidates(list, true);
  while (n == 0) {
    if (!pass_time()) fail_of_deadlock();
    n = candidates(list, true);
  }
  int chosen = 0;
  if (e.setup) {
  } else if (e.random) {
    chosen = n > 1 ? random_thread(list, n) : 0;
  } else if (list[0] != e.current) {
    chosen = pick(n);
  } else if (n > 1 && e.preemptions < e.what_runs->preemptions) {
    chosen = pick(n);
    if (chosen != 0) ++e.preemptions;
  }
  switch_to(list[chosen]);
}

}  // namespace

uint64_t next_random() {
  uint64_t& x = the_engine->random_state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  return (x * 0x2545f4914f6cdd1dULL) >> 11;
}

int pick(int n) {
  engine& e = *the_engine;
  if (n <= 1) return 0;
  if (e.random) return static_cast<int>(next_random() % static_cast<uint64_t>(n));
  if (e.path_at == e.path.size()) e.path.push_back({0, static_cast<uint16_t>(n)});
  const choice& c = e.path[e.path_at++];
  if (c.of != n) {
    std::fprintf(stderr, "model checker: an execution is not repeatable (choice %zu of %zu)\n",
                 e.path_at, e.path.size());
    std::abort();
  }
  return c.taken;
}

void point() {
  engine& e = *the_engine;
  if (++e.steps > e.what_runs->steps_max) fail("livelock: the execution does not end");
  reschedule();
}

void block(thread_state why, const void* on, int64_t deadline) {
  thread& me = self();
  me.state = why;
  me.waits_on = on;
  me.deadline = deadline;
  me.spins = 0;
  reschedule();
}

int new_thread(std::function<void()> body, bool test_thread) {
  engine& e = *the_engine;
  if (e.thread_count == threads_max) fail("too many simulated threads");
  const int id = e.thread_count++;
  thread& t = e.threads[id];
  std::byte* stack = t.stack;
  std::function<void()>* old = t.body;
  t = thread{};
  t.stack = stack;
  delete old;
  t.body = new std::function<void()>(std::move(body));
  t.state = thread_state::runnable;
  t.test_thread = test_thread;
  t.deadline = -1;
  if (id != 0) {
    thread& parent = self();
    t.hb = parent.hb;
    t.view = parent.view;
    parent.view.at[e.current] = ++parent.hb.at[e.current];
  }
  t.priority = static_cast<int>(e.random ? next_random() % 1000 : 0);
  t.hb.at[id] = t.view.at[id] = 1;
  auto* top = reinterpret_cast<weft::rt::arch::saved_frame*>(t.stack + thread_stack_bytes - 64 -
                                                             weft::rt::arch::call_bytes -
                                                             sizeof(weft::rt::arch::saved_frame));
  top->pc = reinterpret_cast<uintptr_t>(&thread_main);
  top->fp = 0;
  t.sp = reinterpret_cast<uintptr_t>(top);
  return id;
}

void trace(const char* format, ...) {
  engine& e = *the_engine;
  if (!e.tracing) return;
  char line[320];
  int at = std::snprintf(line, sizeof line, "%5u  %*sT%d ", e.steps, e.current * 2, "", e.current);
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(line + at, sizeof line - static_cast<size_t>(at), format, arguments);
  va_end(arguments);
  if (!e.trace.empty()) e.trace += '\n';
  e.trace += line;
}

void trace_site(const site& at) {
  engine& e = *the_engine;
  if (!e.tracing) return;
  const char* file = std::strrchr(at.file_name(), '/');
  char text[160];
  std::snprintf(text, sizeof text, "   %s:%u %.90s", file != nullptr ? file + 1 : at.file_name(),
                static_cast<unsigned>(at.line()), at.function_name());
  e.trace += text;
}

void run_once(const scenario& of) {
  engine& e = *the_engine;
  e.busy = true;
  e.failed = false;
  e.thread_count = 0;
  e.current = 0;
  e.steps = 0;
  e.preemptions = e.stale = e.spurious = 0;
  e.setup = false;
  e.now = 1'000'000'000;
  e.sequence = 0;
  e.sc_events = 0;
  e.fences = clock{};
  e.arena_used = 0;
  if (++e.generation == 0) e.generation = 1;
  e.cell_count = e.location_count = 1;
  e.store_count = 0;
  e.path_at = 0;
  for (auto& hook : e.reset_hooks) hook();
  (void)new_thread(of.body, false);
  e.running = true;
  weft::rt::arch::switch_stacks(&e.main_sp, e.threads[0].sp);
  e.running = false;
}

// --- what scenarios call ---

void spawn(std::function<void()> body) {
  const inside in;
  point();
  const int id = new_thread(std::move(body), true);
  trace("starts T%d", id);
}

void join_all() {
  const inside in;
  engine& e = *the_engine;
  for (;;) {
    bool left = false;
    for (int i = 0; i < e.thread_count; ++i)
      left = left || (e.threads[i].test_thread && e.threads[i].state != thread_state::done);
    if (!left) break;
    block(thread_state::join, nullptr, -1);
  }
  for (int i = 0; i < e.thread_count; ++i) {
    if (!e.threads[i].test_thread) continue;
    self().hb.join(e.threads[i].hb);
    self().view.join(e.threads[i].view);
  }
}

void fail(const char* what) {
  engine& e = *the_engine;
  e.busy = true;
  if (!e.running) {
    std::fprintf(stderr, "model: outside an execution: %s\n", what);
    std::abort();
  }
  e.failed = true;
  e.what = what;
  trace("FAILS: %s", what);
  to_main();
  __builtin_unreachable();
}

void check(bool holds, const char* what) {
  if (!holds) fail(what);
}

void finish() {
  to_main();
  __builtin_unreachable();
}

void setup() { the_engine->setup = true; }

void setup_done() {
  const inside in;
  engine& e = *the_engine;
  for (bool others = true; others;) {
    others = false;
    for (int i = 0; i < e.thread_count; ++i)
      others = others || (i != e.current && e.threads[i].state == thread_state::runnable);
    if (!others) break;
    self().yielded = true;
    point();
  }
  e.setup = false;
  e.steps = 0;
  trace("--- the setup is done");
}

int choose(int n) {
  const inside in;
  return pick(n);
}

void yield() {
  const inside in;
  engine& e = *the_engine;
  thread& me = self();
  // From the second round on, a loop that spins sees news, as caches do in the end, and waits for
  // news: the first round may be one of a few before a sleep.
  if (++me.spins >= 2) {
    me.floor = e.sequence;
    me.yielded = true;
  }
  point();
}

int64_t now_ns() { return the_engine->now; }
void advance_clock(int64_t ns) { the_engine->now += ns; }
void outcome(int value) {
  const inside in;
  if (value >= 0 && value < outcomes_max) ++the_engine->outcomes[value];
}

}  // namespace model
