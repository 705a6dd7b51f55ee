// SPDX-License-Identifier: Apache-2.0
// The memory model: which store a load may read, what it learns by that, what fences order; and the
// races of plain accesses. C++20, [intro.races] and [atomics.order], but for loads of values that
// are stored later in the execution (load buffering).
#include <cstdio>
#include <cstring>

#include "engine.hpp"

namespace model {
namespace {

constexpr bool acquires(std::memory_order o) {
  return o == std::memory_order_acquire || o == std::memory_order_acq_rel ||
         o == std::memory_order_seq_cst || o == std::memory_order_consume;
}
constexpr bool releases(std::memory_order o) {
  return o == std::memory_order_release || o == std::memory_order_acq_rel ||
         o == std::memory_order_seq_cst;
}
constexpr bool is_sc(std::memory_order o) { return o == std::memory_order_seq_cst; }

const char* name_of(std::memory_order o) {
  switch (o) {
    case std::memory_order_relaxed:
      return "relaxed";
    case std::memory_order_consume:
      return "consume";
    case std::memory_order_acquire:
      return "acquire";
    case std::memory_order_release:
      return "release";
    case std::memory_order_acq_rel:
      return "acq_rel";
    case std::memory_order_seq_cst:
      return "seq_cst";
  }
  return "?";
}

bool known(const store_record& s, const clock& view, uint64_t floor) {
  if (s.sequence <= floor) return true;
  for (int i = 0; i <= threads_max; ++i)
    if (s.first_seen[i] <= view.at[i]) return true;
  return false;
}

void note_seen(store_record& s, const thread& t, std::memory_order order) {
  engine& e = *the_engine;
  if (s.first_seen[e.current] == never_seen) s.first_seen[e.current] = event_of(t);
  if (is_sc(order) && s.first_seen[sc] == never_seen) s.first_seen[sc] = ++e.sc_events;
}

void learn(thread& t, const store_record& s, std::memory_order order) {
  if (acquires(order)) {
    t.hb.join(s.hb);
    t.view.join(s.view);
  }
  t.pending_hb.join(s.hb);
  t.pending_view.join(s.view);
}

clock view_for(const thread& t, std::memory_order order) {
  clock view = t.view;
  if (is_sc(order)) {
    view.join(the_engine->fences);
    view.at[sc] = the_engine->sc_events;
  }
  return view;
}

/// How far back a load may look: 0: only the newest. Chooses.
int choose_age(const location& l, const thread& t, std::memory_order order) {
  engine& e = *the_engine;
  const clock view = view_for(t, order);
  int n = 1;
  while (n < l.count && !known(*l.history[l.count - n], view, t.floor)) ++n;
  if (n == 1 || e.setup) return 0;
  if (e.random) {
    // A few old values go a long way; without end a loop could read one for ever.
    if (e.stale >= 40 || next_random() % 2 == 0) return 0;
  } else if (e.stale >= e.what_runs->stale_loads) {
    return 0;
  }
  const int age = pick(n);
  if (age != 0) ++e.stale;
  return age;
}

void add_store(location& l, store_record* s, int from_end) {
  if (l.count == history_max) {
    if (from_end >= history_max - 1) from_end = history_max - 2;
    std::memmove(l.history, l.history + 1, sizeof(l.history[0]) * (history_max - 1));
    --l.count;
  }
  for (int i = 0; i < from_end; ++i) l.history[l.count - i] = l.history[l.count - i - 1];
  l.history[l.count - from_end] = s;
  ++l.count;
}

/// Before how many of the newest stores a plain atomic store may take its place.
int choose_place(const location& l, const thread& t, std::memory_order order) {
  engine& e = *the_engine;
  if (is_sc(order) || !e.what_runs->late_stores) return 0;
  int n = 1;
  while (n < l.count) {
    const store_record& s = *l.history[l.count - n];
    if (known(s, t.view, t.floor) || s.by_rmw) break;
    ++n;
  }
  if (n == 1 || e.setup) return 0;
  if (e.random ? next_random() % 4 != 0 : e.stale >= e.what_runs->stale_loads) return 0;
  const int place = pick(n);
  if (place != 0) ++e.stale;
  return place;
}

bool hits(const site& where, op what) {
  engine& e = *the_engine;
  const target* m = e.mutated;
  if (m == nullptr || m->what != what) return false;
  const uint32_t line = where.line(), column = where.column();
  if (line < m->line_from || line > m->line_to) return false;
  if (line == m->line_from && column < m->column_from) return false;
  if (line == m->line_to && column > m->column_to) return false;
  const size_t length = std::strlen(where.file_name()), wanted = std::strlen(m->file);
  if (length < wanted || std::strcmp(where.file_name() + length - wanted, m->file) != 0)
    return false;
  e.reached = true;
  return true;
}

/// The order after a mutant has had its way.
std::memory_order changed(std::memory_order order) {
  switch (the_engine->mutated->how) {
    case change::weaken:
      return std::memory_order_relaxed;
    case change::to_acquire:
      return std::memory_order_acquire;
    case change::to_release:
      return std::memory_order_release;
    case change::to_acq_rel:
      return std::memory_order_acq_rel;
    default:
      return order;
  }
}

/// Something has changed: who spins may look again.
void wake_spinners() {
  engine& e = *the_engine;
  for (int i = 0; i < e.thread_count; ++i)
    if (i != e.current) e.threads[i].yielded = false;
}

void store_now(void* at, uint32_t bytes, uint64_t value, std::memory_order order) {
  engine& e = *the_engine;
  thread& t = self();
  location& l = location_of(at, bytes);
  next_event(t);
  l.access[e.current] = event_of(t);
  const int place = choose_place(l, t, order);
  store_record* s = new_store(value);
  s->hb = releases(order) ? t.hb : t.release_hb;
  s->view = releases(order) ? t.view : t.release_view;
  note_seen(*s, t, order);
  add_store(l, s, place);
  next_event(t);  // what follows is not published by this store
  wake_spinners();
  if (place == 0) std::memcpy(at, &value, bytes);
  trace("store L%u = %llx %s%s", l.number, static_cast<unsigned long long>(value), name_of(order),
        place != 0 ? " (before newer ones)" : "");
}

/// Between the halves of an operation that a mutant has split, or whose store it holds back.
void gap() {
  engine& e = *the_engine;
  if (e.random && next_random() % 2 == 0) self().yielded = true;
  point();
}

/// A store that a mutant has held back happens now.
void release_held() {
  thread& t = self();
  if (!t.held.pending) return;
  t.held.pending = false;
  gap();
  store_now(t.held.address, t.held.bytes, t.held.value, t.held.order);
  trace("  (that store was late)");
}

void sc_fence(thread& t) {
  engine& e = *the_engine;
  t.view.join(e.fences);
  t.view.at[sc] = e.sc_events;
  e.fences.join(t.view);
}

void fence_of(thread& t, std::memory_order order) {
  if (acquires(order)) {
    t.hb.join(t.pending_hb);
    t.view.join(t.pending_view);
  }
  if (is_sc(order)) sc_fence(t);
  if (releases(order)) {
    t.release_hb = t.hb;
    t.release_view = t.view;
    next_event(t);
  }
}

uint64_t mask_of(uint32_t bytes) {
  return bytes == 8 ? UINT64_MAX : (uint64_t{1} << bytes * 8) - 1;
}

uint64_t apply(rmw how, uint64_t old, uint64_t operand) {
  switch (how) {
    case rmw::exchange:
      return operand;
    case rmw::add:
      return old + operand;
    case rmw::sub:
      return old - operand;
    case rmw::bit_or:
      return old | operand;
    case rmw::bit_and:
      return old & operand;
  }
  return 0;
}

/// The successful read-modify-write of the newest value.
void replace(location& l, void* at, uint32_t bytes, uint64_t desired, std::memory_order order) {
  thread& t = self();
  store_record* last = l.history[l.count - 1];
  note_seen(*last, t, order);
  learn(t, *last, order);
  store_record* s = new_store(desired);
  s->hb = releases(order) ? t.hb : t.release_hb;
  s->view = releases(order) ? t.view : t.release_view;
  s->hb.join(last->hb);  // the release sequence goes on
  s->view.join(last->view);
  s->by_rmw = true;
  note_seen(*s, t, order);
  add_store(l, s, 0);
  next_event(t);
  wake_spinners();
  std::memcpy(at, &desired, bytes);
}

}  // namespace

uint64_t load(const void* at, uint32_t bytes, std::memory_order order, const site& where) {
  if (!simulated()) return peek(at, bytes);
  const inside in;
  engine& e = *the_engine;
  point();
  const bool mutated = hits(where, op::load);
  if (mutated) order = changed(order);
  thread& t = self();
  location& l = location_of(at, bytes);
  next_event(t);
  l.access[e.current] = event_of(t);
  const int age = choose_age(l, t, order);
  store_record& s = *l.history[l.count - 1 - age];
  note_seen(s, t, order);
  learn(t, s, order);
  uint64_t value = s.value;
  if (mutated && e.mutated->how == change::reads_zero) value = 0;
  if (mutated && e.mutated->how == change::reads_one) value = 1;
  if (e.tracing) {
    trace("load  L%u : %llx %s%s", l.number, static_cast<unsigned long long>(value), name_of(order),
          age != 0 ? " (OLD value)" : "");
    trace_site(where);
  }
  release_held();
  return value;
}

void store(void* at, uint32_t bytes, uint64_t value, std::memory_order order, const site& where) {
  if (!simulated()) {
    std::memcpy(at, &value, bytes);
    return;
  }
  const inside in;
  engine& e = *the_engine;
  point();
  self().spins = 0;
  if (hits(where, op::store)) {
    if (e.mutated->how == change::drop) return;
    if (e.mutated->how == change::late) {
      release_held();
      self().held = {at, bytes, value, order, true};
      return;
    }
    order = changed(order);
  }
  store_now(at, bytes, value, order);
  trace_site(where);
  release_held();
}

uint64_t modify(void* at, uint32_t bytes, rmw how, uint64_t operand, std::memory_order order,
                const site& where) {
  const uint64_t mask = mask_of(bytes);
  if (!simulated()) {
    const uint64_t old = peek(at, bytes);
    const uint64_t desired = apply(how, old, operand) & mask;
    std::memcpy(at, &desired, bytes);
    return old;
  }
  const inside in;
  engine& e = *the_engine;
  point();
  self().spins = 0;
  const bool mutated = hits(where, how == rmw::exchange ? op::exchange : op::fetch);
  if (mutated) order = changed(order);
  thread* t = &self();
  location* l = &location_of(at, bytes);
  next_event(*t);
  l->access[e.current] = event_of(*t);
  const uint64_t old = l->history[l->count - 1]->value;
  const uint64_t desired = apply(how, old, operand) & mask;
  if (mutated && e.mutated->how == change::drop) return old;
  if (mutated && e.mutated->how == change::split) {
    learn(*t, *l->history[l->count - 1], order);
    gap();
    store_now(at, bytes, desired, order);
    return old;
  }
  replace(*l, at, bytes, desired, order);
  if (e.tracing) {
    trace("rmw   L%u : %llx -> %llx %s", l->number, static_cast<unsigned long long>(old),
          static_cast<unsigned long long>(desired), name_of(order));
    trace_site(where);
  }
  release_held();
  return old;
}

bool compare_and_swap(void* at, uint32_t bytes, uint64_t& expected, uint64_t desired,
                      std::memory_order success, std::memory_order failure, const site& where) {
  if (!simulated()) {
    const uint64_t old = peek(at, bytes);
    if (old == expected) std::memcpy(at, &desired, bytes);
    const bool won = old == expected;
    expected = old;
    return won;
  }
  const inside in;
  engine& e = *the_engine;
  point();
  const bool mutated = hits(where, op::compare_exchange);
  if (mutated) {
    success = changed(success);
    failure = changed(failure);
    if (failure == std::memory_order_release) failure = std::memory_order_relaxed;
    if (failure == std::memory_order_acq_rel) failure = std::memory_order_acquire;
  }
  thread& t = self();
  location& l = location_of(at, bytes);
  next_event(t);
  l.access[e.current] = event_of(t);
  store_record* last = l.history[l.count - 1];
  const uint64_t old = last->value;
  bool won = old == expected;
  if (mutated && e.mutated->how == change::always) won = true;
  if (mutated && e.mutated->how == change::never) won = false;
  if (mutated && e.mutated->how == change::split && won) {
    learn(t, *last, success);
    gap();
    store_now(at, bytes, desired, success);
    return true;
  }
  if (won) {
    self().spins = 0;
    replace(l, at, bytes, desired, success);
  } else {
    note_seen(*last, t, failure);
    learn(t, *last, failure);
  }
  if (e.tracing) {
    trace("cas   L%u : %llx %s %llx -> %llx %s", l.number, static_cast<unsigned long long>(old),
          won ? "won" : "LOST", static_cast<unsigned long long>(expected),
          static_cast<unsigned long long>(desired), name_of(won ? success : failure));
    trace_site(where);
  }
  if (!won) expected = old;
  release_held();
  return won;
}

void fence(std::memory_order order, const site& where) {
  if (!simulated()) return;
  const inside in;
  engine& e = *the_engine;
  point();
  if (hits(where, op::fence)) {
    if (e.mutated->how == change::drop) return;
    order = changed(order);
  }
  release_held();
  next_event(self());
  fence_of(self(), order);
  trace("fence %s", name_of(order));
  trace_site(where);
}

void heavy_fence(const site& where) {
  if (!simulated()) return;
  const inside in;
  engine& e = *the_engine;
  point();
  release_held();
  if (hits(where, op::fence)) return;
  fence_of(self(), std::memory_order_seq_cst);
  for (int i = 0; i < e.thread_count; ++i) fence_of(e.threads[i], std::memory_order_seq_cst);
  fence_of(self(), std::memory_order_seq_cst);
  trace("membarrier");
  trace_site(where);
}

bool left_out(const char* text) {
  const target* m = the_engine != nullptr ? the_engine->mutated : nullptr;
  if (m == nullptr || m->how != change::leave_out || std::strcmp(m->text, text) != 0) return false;
  the_engine->reached = true;
  return true;
}

void construct(void* at, uint32_t bytes) {
  if (!simulated()) return;
  const inside in;
  // The setup makes rings of thousands, before anybody else knows of them.
  if (!the_engine->setup) plain_access(at, bytes, true);
  granule_of(at).locations[reinterpret_cast<uintptr_t>(at) & 7] = 0;
}

wait_end futex_wait(void* word, uint32_t expected, int64_t timeout_ns, const site& where) {
  if (!simulated()) return wait_end::woken;
  const inside in;
  engine& e = *the_engine;
  point();
  release_held();
  if (hits(where, op::wait) && e.mutated->how == change::never) return wait_end::woken;
  thread& t = self();
  location& l = location_of(word, 4);
  next_event(t);
  store_record& last = *l.history[l.count - 1];
  note_seen(last, t, std::memory_order_relaxed);  // the kernel's load is coherent
  if (static_cast<uint32_t>(last.value) != expected) {
    trace("futex_wait L%u: has changed", l.number);
    trace_site(where);
    return wait_end::changed;
  }
  if (!e.setup && e.spurious < e.what_runs->spurious_wakes &&
      (e.random ? next_random() % 16 == 0 : pick(2) == 1)) {
    ++e.spurious;
    trace("futex_wait L%u: wakes for no reason", l.number);
    trace_site(where);
    return wait_end::woken;
  }
  trace("futex_wait L%u: sleeps", l.number);
  trace_site(where);
  t.end = wait_end::woken;
  block(thread_state::futex, word, timeout_ns < 0 ? -1 : e.now + timeout_ns);
  trace("is awake");
  return self().end;
}

int futex_wake(void* word, int count, const site& where) {
  if (!simulated()) return 0;
  const inside in;
  engine& e = *the_engine;
  point();
  release_held();
  if (hits(where, op::wake) && e.mutated->how == change::drop) return 0;
  int woken = 0;
  for (int i = 0; i < e.thread_count && woken < count; ++i) {
    thread& t = e.threads[i];
    if (t.state != thread_state::futex || t.waits_on != word) continue;
    t.state = thread_state::runnable;
    t.end = wait_end::woken;
    ++woken;
    trace("wakes T%d", i);
  }
  if (woken == 0) trace("futex_wake: nobody sleeps");
  trace_site(where);
  return woken;
}

}  // namespace model
