// SPDX-License-Identifier: Apache-2.0
// How select chooses and waits.
//
//  1. Poll, in random order, one channel's lock at a time, looking before locking. Whatever
//     succeeds first is the choice: uniform among the ready, and the common case of a busy select
//     costs one lock.
//  2. Nothing was ready. Lock all channels, in the order of their addresses (so that two selects
//     never wait for each other), and poll again: now the answer holds for one moment in time, as
//     `otherwise` and parking need.
//  3. Queue a sudog on every channel and park; the commit unlocks. All sudogs point to one word,
//     `claimed`: the waker that sets it has won, and only it moves an element and calls ready().
//  4. Woken. Leave the other queues, one lock at a time: nobody can be served there any more. Each
//     channel has then been locked after the commit unlocked it, by us or by the waker, so the
//     commit, which reads this frame, has ended before the frame does.
//
// A time limit is a sudog too, with a timer node instead of a channel. The commit arms it while the
// channels are still locked: fired at once, we run into step 4 and wait there for the commit.
//
// Rejected: locking everything first, as Go does: at two ready channels that is three times the
// atomic operations. Rejected: a timer channel per time limit: two allocations.
#include "weft/sync/select.hpp"

#include <algorithm>
#include <functional>
#include <vector>

#include "weft/base/panic.hpp"
#include "weft/sched/internal/timer_node.hpp"
#include "weft/sync/internal/hchan.hpp"
#include "weft/sync/internal/parking.hpp"

namespace weft::rt {
namespace {

/// How a select waits for a time.
struct select_time {
  timer_node node;
  sudog wait;
  int64_t when_ns = 0;
};

struct select_frame {
  select_frame(scase* of, std::byte* waits, uint16_t* order, int n) noexcept
      : cases(of), waits_room(waits), poll_order(order), lock_order(order + n) {}

  scase* cases;
  std::byte* waits_room;  // for a sudog per case; made in step 3
  uint16_t* poll_order;   // cases with a channel, shuffled; poll_count of them
  uint16_t* lock_order;   // the same, by address
  int poll_count = 0;
  int otherwise = -1;
  int timer = -1;  // the case whose time comes first
  /// sudog::claimed of this select.
  atomic<uint32_t> claimed{0};
  /// In time_room; made in step 3, if there is a time limit: to clear that room took a tenth of
  /// a select that has none.
  select_time* time = nullptr;
  alignas(select_time) std::byte time_room[sizeof(select_time)];

  [[nodiscard]] sudog* wait_of(int index) const noexcept {
    return std::launder(reinterpret_cast<sudog*>(waits_room)) + index;
  }
};

void sort_cases_out(select_frame& f, int n) noexcept {
  for (int i = 0; i < n; ++i) {
    const scase& k = f.cases[i];
    switch (k.what) {
      case scase::kind::otherwise:
        f.otherwise = i;
        break;
      case scase::kind::timer:
        if (f.timer < 0 || k.duration_ns < f.cases[f.timer].duration_ns) f.timer = i;
        break;
      case scase::kind::recv:
      case scase::kind::send: {
        if (k.c == nullptr) break;
        // Fisher-Yates, growing. The product's upper half is uniform in [0, bound) but for 2^-16.
        const auto bound = static_cast<uint64_t>(f.poll_count) + 1;
        const auto at = static_cast<int>((random_u32() * bound) >> 32);
        f.poll_order[f.poll_count] = f.poll_order[at];
        f.poll_order[at] = static_cast<uint16_t>(i);
        ++f.poll_count;
        break;
      }
    }
  }
}

bool looks_ready(const scase& k) noexcept {
  const bool waits = k.what == scase::kind::send ? k.c->looks_full() : k.c->looks_empty();
  return !waits || k.c->closed.load(relaxed) != 0;
}

chan_status try_locked(const scase& k, sudog** wakes) noexcept WEFT_REQUIRES(k.c->lock) {
  return k.what == scase::kind::send ? send_locked(*k.c, k.element, wakes)
                                     : recv_locked(*k.c, k.element, wakes);
}

/// What the detector must know of a select before it chooses.
void race_note_cases(const scase* cases, int n, void* call_pc) noexcept {
  if constexpr (race_enabled) {
    for (int i = 0; i < n; ++i)
      if (cases[i].what == scase::kind::send && cases[i].c != nullptr)
        race_note_send(*cases[i].c, cases[i].element, call_pc);
  }
}

/// And when it has chosen. `winner`: who was woken, or null.
select_outcome race_note_chosen(const scase* cases, select_outcome out, sudog* winner) noexcept {
  if constexpr (race_enabled) {
    const scase& chosen = cases[out.index];
    const bool is_channel = chosen.what == scase::kind::send || chosen.what == scase::kind::recv;
    if (!is_channel) return out;
    if (out.status == chan_status::closed)
      race_note_closed(*chosen.c);
    else if (chosen.c->timer != nullptr)
      race_note_time(*chosen.c);
    else if (winner != nullptr)
      winner->from_waker.acquire();
  }
  return out;
}

/// Step 1. False: nothing was ready.
WEFT_UNCHECKED bool poll_one_by_one(select_frame& f, select_outcome& out) noexcept {
  // A time limit that is not positive is ready from the start: one of the ready.
  const bool timer_ready = f.timer >= 0 && f.cases[f.timer].duration_ns <= 0;
  int timer_turn = -1;
  if (timer_ready)
    timer_turn = static_cast<int>((random_u32() * (static_cast<uint64_t>(f.poll_count) + 1)) >> 32);
  for (int i = 0; i <= f.poll_count; ++i) {
    if (i == timer_turn) {
      out = {f.timer, chan_status::ok};
      return true;
    }
    if (i == f.poll_count) break;
    const scase& k = f.cases[f.poll_order[i]];
    if (k.c->timer != nullptr) [[unlikely]]
      poll_channel_timer(*k.c);
    if (!looks_ready(k)) continue;
    sudog* wakes = nullptr;
    k.c->lock.lock();
    const chan_status status = try_locked(k, &wakes);
    k.c->lock.unlock_kept();
    if (wakes != nullptr) wake(wakes, true);
    if (status != chan_status::would_block) {
      out = {f.poll_order[i], status};
      return true;
    }
  }
  return false;
}

void sort_by_address(select_frame& f) noexcept {
  const scase* cases = f.cases;
  const auto before = [cases](uint16_t a, uint16_t b) noexcept {
    return std::less<>{}(cases[a].c, cases[b].c);
  };
  std::copy_n(f.poll_order, f.poll_count, f.lock_order);
  if (mutated("select: locks in the order of the cases")) return;
  if (f.poll_count > 16) {
    std::sort(f.lock_order, f.lock_order + f.poll_count, before);
    return;
  }
  for (int i = 1; i < f.poll_count; ++i) {
    const uint16_t moving = f.lock_order[i];
    int at = i;
    for (; at > 0 && before(moving, f.lock_order[at - 1]); --at)
      f.lock_order[at] = f.lock_order[at - 1];
    f.lock_order[at] = moving;
  }
}

WEFT_UNCHECKED void lock_all(select_frame& f) noexcept {
  const hchan* last = nullptr;
  for (int i = 0; i < f.poll_count; ++i) {
    hchan* c = f.cases[f.lock_order[i]].c;
    if (c != last) c->lock.lock();  // a channel may be in several cases
    last = c;
  }
}

/// `parked`: the frame's owner runs on as soon as the last lock is free, and may drop the channels;
/// while one is still locked it cannot leave step 4, so only the last unlock must touch nothing.
WEFT_UNCHECKED void unlock_all(select_frame& f, bool parked) noexcept {
  hchan* next = nullptr;
  for (int i = f.poll_count - 1; i >= 0; --i) {
    hchan* c = f.cases[f.lock_order[i]].c;
    if (c == next) continue;
    if (next != nullptr) next->lock.unlock_kept();
    next = c;
  }
  if (next == nullptr) return;
  if (parked)
    next->lock.unlock();
  else
    next->lock.unlock_kept();
}

void select_timeout(timer_node* node, int64_t) noexcept {
  auto* wait = static_cast<sudog*>(node->argument);
  uint32_t unclaimed = 0;
  // relaxed: as in wait_queue::dequeue().
  if (wait->claimed->compare_exchange(unclaimed, 1, relaxed, relaxed)) wake(wait, true);
}

bool select_commit(goroutine*, void* frame) noexcept {
  auto& f = *static_cast<select_frame*>(frame);
  const bool no_channel = f.poll_count == 0;
  if (f.time != nullptr) arm(f.time->node, f.time->when_ns);
  if (!no_channel) unlock_all(f, true);
  return true;
}

/// Step 3. Everything is locked.
void wait_on_all(select_frame& f) noexcept {
  goroutine* gp = current();
  for (int i = 0; i < f.poll_count; ++i) {
    const int index = f.lock_order[i];
    const scase& k = f.cases[index];
    sudog& sg = *::new (f.waits_room + static_cast<size_t>(index) * sizeof(sudog)) sudog;
    sg.g = gp;
    sg.element = k.element;
    sg.c = k.c;
    sg.claimed = &f.claimed;
    sg.ticket = index;
    (k.what == scase::kind::send ? k.c->sendq : k.c->recvq).push_back(&sg);
    sg.from_waiter.release();
  }
  if (f.timer >= 0) {
    f.time = ::new (f.time_room) select_time;
    f.time->wait.g = gp;
    f.time->wait.claimed = &f.claimed;
    f.time->wait.ticket = f.timer;
    f.time->node.fire = select_timeout;
    f.time->node.argument = &f.time->wait;
    f.time->when_ns = deadline_after(now_ns(), f.cases[f.timer].duration_ns);
  }
  park(select_commit, &f, wait_reason::select, f.waits_room);
}

/// Step 4.
WEFT_UNCHECKED select_outcome leave_queues(select_frame& f) noexcept {
  auto* winner = static_cast<sudog*>(current()->top->wake_value);
  for (int i = 0; i < f.poll_count; ++i) {
    sudog& sg = *f.wait_of(f.lock_order[i]);
    if (&sg == winner) {
      race_settle(sg);
      continue;
    }
    sg.c->lock.lock();
    if (sg.queue != nullptr) sg.queue->remove(&sg);
    sg.c->lock.unlock_kept();
  }
  // Also when it has won: until its `fire` has returned, the node must stay.
  if (f.time != nullptr) (void)disarm_wait(f.time->node);
  return race_note_chosen(
      f.cases,
      {static_cast<int>(winner->ticket), winner->success ? chan_status::ok : chan_status::closed},
      winner);
}

}  // namespace

WEFT_UNCHECKED select_outcome select_go(scase* cases, std::byte* waits, uint16_t* order,
                                        int n) noexcept {
  select_frame f(cases, waits, order, n);
  race_note_cases(cases, n, __builtin_return_address(0));
  section s(may_park);
  sort_cases_out(f, n);
  select_outcome out{};
  if (poll_one_by_one(f, out)) return race_note_chosen(cases, out, nullptr);
  // One channel was looked at in one moment already; with several, a value may have moved between.
  if (f.otherwise >= 0 && f.poll_count <= 1) return {f.otherwise, chan_status::ok};
  if (f.poll_count == 0 && f.timer < 0) park_forever(wait_reason::select_no_cases);

  sort_by_address(f);
  lock_all(f);
  for (int i = 0; i < f.poll_count; ++i) {
    sudog* wakes = nullptr;
    const chan_status status = try_locked(cases[f.poll_order[i]], &wakes);
    if (status == chan_status::would_block) continue;
    unlock_all(f, false);
    if (wakes != nullptr) wake(wakes, true);
    return race_note_chosen(cases, {f.poll_order[i], status}, nullptr);
  }
  if (f.otherwise >= 0) {
    unlock_all(f, false);
    return {f.otherwise, chan_status::ok};
  }
  wait_on_all(f);
  return leave_queues(f);
}

void select_nothing() noexcept {
  section s(may_park);
  park_forever(wait_reason::select_no_cases);
}

}  // namespace weft::rt

namespace weft {

int select_any(std::span<select_case> cases) {
  if (cases.empty()) rt::select_nothing();
  if (cases.size() > rt::select_cases_max) panic("select: too many cases (max 65536)");
  constexpr int inline_max = 16;
  const int n = static_cast<int>(cases.size());
  rt::select_room<inline_max> room;
  std::vector<rt::scase> more_cases;
  std::vector<std::byte> more_waits;
  std::vector<uint16_t> more_order;
  rt::scase* list = room.cases;
  std::byte* waits = room.waits;
  uint16_t* order = room.order;
  if (n > inline_max) {
    more_cases.resize(cases.size());
    more_waits.resize(cases.size() * sizeof(rt::sudog));
    more_order.resize(2 * cases.size());
    list = more_cases.data();
    waits = more_waits.data();
    order = more_order.data();
  }
  for (int i = 0; i < n; ++i) cases[static_cast<size_t>(i)].prepare(list[i]);
  const rt::select_outcome chosen = rt::select_go(list, waits, order, n);
  cases[static_cast<size_t>(chosen.index)].run(chosen.status);
  return chosen.index;
}

}  // namespace weft
