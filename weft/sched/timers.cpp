// SPDX-License-Identifier: Apache-2.0
// Timer heaps. Go's heaps (runtime/time.go) delete lazily; ours delete exactly, because a node may
// lie on a stack that is about to go: a node knows its index, so removal is O(log n) under one
// uncontended lock.
//
// Lock rule: only the heap's lock (a P's, so it lasts for ever: unlock_kept), and never while
// `fire` runs. `firing` is per heap and one thread runs a heap at a time, so disarm_wait() can wait
// for exactly its node without the node being touched after `fire` returned. Invariant: a node that
// fires is found in `firing` of node.heap. Otherwise, set anew on another P while it fires and then
// stopped, it would be gone before its `fire` is done: see lock_heap_for().
#include "weft/sched/internal/timers.hpp"

#include "weft/base/panic.hpp"
#include "weft/sched/internal/scheduler.hpp"

namespace weft::rt {

namespace {

inline constexpr uint32_t arity = 4;  // as Go: one cache line of children per level

void place(timer_heap& heap, uint32_t at, timer_heap::entry e) noexcept {
  heap.entries[at] = e;
  e.node->index = static_cast<int32_t>(at);
}

void sift_up(timer_heap& heap, uint32_t at, timer_heap::entry e) noexcept {
  while (at > 0) {
    const uint32_t parent = (at - 1) / arity;
    if (heap.entries[parent].when_ns <= e.when_ns) break;
    place(heap, at, heap.entries[parent]);
    at = parent;
  }
  place(heap, at, e);
}

void sift_down(timer_heap& heap, uint32_t at, timer_heap::entry e) noexcept {
  for (;;) {
    const uint32_t first = at * arity + 1;
    if (first >= heap.count) break;
    uint32_t least = first;
    const uint32_t end = first + arity < heap.count ? first + arity : heap.count;
    for (uint32_t child = first + 1; child < end; ++child)
      if (heap.entries[child].when_ns < heap.entries[least].when_ns) least = child;
    if (heap.entries[least].when_ns >= e.when_ns) break;
    place(heap, at, heap.entries[least]);
    at = least;
  }
  place(heap, at, e);
}

void publish_first(timer_heap& heap) noexcept {
  // seq_cst: partner is earliest_timer() in a thread about to wait.
  const int64_t first = heap.count != 0 ? heap.entries[0].when_ns : no_timer;
  if (heap.first_when.load(relaxed) != first) heap.first_when.store(first, seq_cst);
}

void insert(timer_heap& heap, timer_node& node, int64_t when_ns) noexcept {
  if (heap.count == timers_per_p_max)
    fatal("more than %d timers armed on one P (timers_per_p_max)", timers_per_p_max);
  node.when_ns = when_ns;
  node.heap.store(&heap, release);
  sift_up(heap, heap.count++, {when_ns, &node});
  publish_first(heap);
}

void erase(timer_heap& heap, timer_node& node) noexcept {
  const auto at = static_cast<uint32_t>(node.index);
  WEFT_ASSERT(at < heap.count && heap.entries[at].node == &node);
  const timer_heap::entry last = heap.entries[--heap.count];
  node.index = -1;
  if (last.node != &node) {
    const uint32_t parent = (at - 1) / arity;
    if (at > 0 && heap.entries[parent].when_ns > last.when_ns)
      sift_up(heap, at, last);
    else
      sift_down(heap, at, last);
  }
  publish_first(heap);
}

/// The heap of the P at hand; a guest's and a robbed M's timers go to the first P's.
timer_heap& heap_at_hand() noexcept {
  processor* pp = this_machine()->p;
  return pp != nullptr ? pp->timers : sched.all_p[0]->timers;
}

/// Whoever sleeps in netpoll must not sleep past `when_ns`, the first of `heap`.
void note_earlier(const timer_heap& heap, int64_t when_ns) noexcept {
  machine* mp = this_machine();
  if (mp->sim) return;
  if (sched.last_poll.load(seq_cst) == 0) {
    const int64_t until = sched.poll_until.load(seq_cst);
    if (until == 0 || until > when_ns) netpoll_break();
  } else if (mp->p == nullptr || &heap != &mp->p->timers) {
    wake_p();  // nobody with a P is sure to look at this heap
  }
}

/// Locks the heap that `node` is armed in: the one at hand. But while its `fire` still runs (it was
/// set anew meanwhile, or sets itself anew), the one that is run: is_firing() and disarm_wait()
/// look for `firing` in the node's heap only. Whoever runs that heap looks at it again after
/// `fire`.
timer_heap& lock_heap_for(timer_node& node) noexcept WEFT_UNCHECKED {
  // relaxed: no arming stands, so nobody else writes it.
  timer_heap* last = node.heap.load(relaxed);
  // acquire: as in disarm_wait(), which will look at another heap.
  if (last != nullptr && last->firing.load(acquire) == &node) {
    last->lock.lock();
    if (last->firing.load(acquire) == &node) return *last;
    last->lock.unlock_kept();
  }
  timer_heap& here = heap_at_hand();
  here.lock.lock();
  return here;
}

/// Locks the heap that holds or held `node`; null if it was never armed.
timer_heap* lock_heap_of(timer_node& node) noexcept WEFT_UNCHECKED {
  for (;;) {
    timer_heap* heap = node.heap.load(acquire);
    if (heap == nullptr) return nullptr;
    heap->lock.lock();
    if (node.heap.load(relaxed) == heap) return heap;
    heap->lock.unlock_kept();  // moved to another P's heap meanwhile (move_timers)
  }
}

}  // namespace

void timer_heap_init(timer_heap& heap) noexcept {
  // The children of entry i begin at arity * i + 1: shifted by three, each four are one cache line.
  constexpr size_t shift = arity - 1;
  static_assert(arity * sizeof(timer_heap::entry) == 64);
  auto* memory = static_cast<timer_heap::entry*>(
      os::reserve_writable((size_t{timers_per_p_max} + shift) * sizeof(timer_heap::entry)));
  if (memory == nullptr) fatal("out of address space: a P's timers are refused (ulimit -v?)");
  heap.entries = memory + shift;
}

void arm(timer_node& node, int64_t when_ns, int64_t period_ns) noexcept WEFT_UNCHECKED {
  timer_heap& heap = lock_heap_for(node);
  WEFT_ASSERT(node.index == -1);
  node.period_ns = period_ns;
  ++node.sequence;
  insert(heap, node, when_ns);
  const bool first = node.index == 0;
  heap.lock.unlock_kept();
  if (first) note_earlier(heap, when_ns);
}

bool disarm(timer_node& node) noexcept WEFT_UNCHECKED {
  timer_heap* heap = lock_heap_of(node);
  if (heap == nullptr) return false;
  const bool armed = node.index != -1;
  if (armed) {
    erase(*heap, node);
    ++node.sequence;
  }
  heap->lock.unlock_kept();
  return armed;
}

bool is_firing(const timer_node& node) noexcept {
  const timer_heap* heap = node.heap.load(acquire);
  // acquire: partner: the release in run_due_timers(); what `fire` did is done.
  return heap != nullptr && heap->firing.load(acquire) == &node;
}

bool disarm_wait(timer_node& node) noexcept {
  const bool armed = disarm(node);
  timer_heap* heap = node.heap.load(acquire);
  if (heap == nullptr) return armed;
  // acquire: what `fire` wrote is visible afterwards. Ends: `fire` is short and never parks.
  int rounds = 0;
  while (heap->firing.load(acquire) == &node) {
    if (++rounds < 100)
      arch::spin_hint();
    else
      os::yield_thread();
  }
  return armed;
}

bool rearm(timer_node& node, int64_t when_ns, int64_t period_ns) noexcept {
  const bool armed = disarm(node);
  arm(node, when_ns, period_ns);
  return armed;
}

int64_t run_due_timers(timer_heap& heap, int64_t now, bool& ran) noexcept WEFT_UNCHECKED {
  const int64_t first = heap.first_when.load(acquire);
  if (first > now) return first;
  uint32_t idle = 0;
  if (!heap.running.compare_exchange(idle, 1, acquire, relaxed)) return first;
  heap.lock.lock();
  while (heap.count != 0 && heap.entries[0].when_ns <= now) {
    timer_node* node = heap.entries[0].node;
    if (node->period_ns > 0) {
      // Next multiple after now: missed periods are skipped.
      const int64_t late = now - node->when_ns;
      node->when_ns += node->period_ns * (1 + late / node->period_ns);
      sift_down(heap, 0, {node->when_ns, node});
      publish_first(heap);
    } else {
      erase(heap, *node);
    }
    // release: disarm_wait() for the node before may read this one, and must see what that did.
    heap.firing.store(node, release);
    heap.lock.unlock_kept();
    node->fire(node, now);
    // From here on the node may be gone.
    heap.firing.store(nullptr, release);
    ran = true;
    heap.lock.lock();
  }
  const int64_t next = heap.count != 0 ? heap.entries[0].when_ns : no_timer;
  heap.lock.unlock_kept();
  heap.running.store(0, release);
  return next;
}

void move_timers(timer_heap& from, timer_heap& to) noexcept WEFT_UNCHECKED {
  if (&from == &to) return;
  // The world stands still, so nobody else holds two of these; address order all the same.
  futex_mutex& first = &from < &to ? from.lock : to.lock;
  futex_mutex& second = &from < &to ? to.lock : from.lock;
  first.lock();
  second.lock();
  for (uint32_t i = 0; i < from.count; ++i) {
    timer_node& node = *from.entries[i].node;
    insert(to, node, from.entries[i].when_ns);
  }
  from.count = 0;
  publish_first(from);
  second.unlock();
  first.unlock();
}

}  // namespace weft::rt
