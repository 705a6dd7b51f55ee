// SPDX-License-Identifier: Apache-2.0
// Bugs planted on purpose, and how many seeds each strategy needs to find them. The table that is
// printed stands in docs/guide/testing-with-sim.md.
#include <gtest/gtest.h>
#include <weft/weft.hpp>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/lsan_interface.h>
#endif

using namespace std::chrono_literals;

namespace {

using weft::sim::strategy;
using signal = std::monostate;

/// A failed world's goroutines are abandoned, by contract: what they hold is no leak of ours.
struct expect_abandoned {
#if defined(__SANITIZE_ADDRESS__)
  expect_abandoned() { __lsan_disable(); }
  ~expect_abandoned() { __lsan_enable(); }
#else
  expect_abandoned() {}
  ~expect_abandoned() {}
#endif
  expect_abandoned(const expect_abandoned&) = delete;
};

// --- the bugs ---

/// A gate whose waiter looks first and listens then: a bell that rings between is not heard.
void lost_wake_up() {
  bool open = false;
  auto bell = weft::make_chan<signal>();
  auto waiter = weft::spawn([&] {
    if (!open) (void)bell.recv();
  });
  auto opener = weft::spawn([&] {
    open = true;
    (void)bell.try_send({});
  });
  waiter.join();
  opener.join();
}

/// A queue that is looked at under one lock and taken from under the next.
void double_take() {
  weft::mutex lock;
  std::deque<int> items{1, 2, 3};
  const auto take = [&] {
    for (int i = 0; i < 2; ++i) {
      {
        const std::scoped_lock held(lock);
        if (items.empty()) return;
      }
      const std::scoped_lock held(lock);
      if (items.empty()) weft::panic("taken twice");
      items.pop_front();
    }
  };
  auto a = weft::spawn(take);
  auto b = weft::spawn(take);
  a.join();
  b.join();
}

/// A wait that asks whether it was canceled, and only then makes itself known to who cancels.
void missed_cancel() {
  weft::mutex lock;
  bool canceled = false;
  weft::chan<signal> waiting;
  auto waiter = weft::spawn([&] {
    {
      const std::scoped_lock held(lock);
      if (canceled) return;
    }
    auto mine = weft::make_chan<signal>();
    {
      const std::scoped_lock held(lock);
      waiting = mine;
    }
    (void)mine.recv();
  });
  auto canceler = weft::spawn([&] {
    const std::scoped_lock held(lock);
    canceled = true;
    if (waiting) waiting.close();
  });
  waiter.join();
  canceler.join();
}

/// Two accounts, and transfers that lock them in the order of the transfer.
void lock_order() {
  struct account {
    weft::mutex lock;
    int balance = 10;
  };
  account a;
  account b;
  const auto transfer = [](account& from, account& to) {
    const std::scoped_lock first(from.lock);
    const std::scoped_lock second(to.lock);
    --from.balance;
    ++to.balance;
  };
  auto there = weft::spawn([&] { transfer(a, b); });
  auto back = weft::spawn([&] { transfer(b, a); });
  there.join();
  back.join();
}

/// A stack of nodes by index, popped in three steps that assume the top to be the same if it looks
/// the same: while one pops, the other pops two and puts the first back.
void aba() {
  weft::mutex step;  // each access is one step, as atomics are
  int top = 0;
  int next[3] = {1, 2, -1};
  bool taken[3] = {};
  const auto read = [&](const int& word) {
    const std::scoped_lock held(step);
    return word;
  };
  const auto pop = [&] {
    for (;;) {
      const int seen = read(top);
      if (seen < 0) return -1;
      const int below = read(next[seen]);
      const std::scoped_lock held(step);
      if (top != seen) continue;
      top = below;
      if (taken[seen]) weft::panic("a node was taken twice");
      taken[seen] = true;
      return seen;
    }
  };
  const auto push = [&](int node) {
    const std::scoped_lock held(step);
    taken[node] = false;
    next[node] = top;
    top = node;
  };
  auto a = weft::spawn([&] {
    (void)pop();
    (void)pop();
  });
  auto b = weft::spawn([&] {
    const int first = pop();
    (void)pop();
    if (first >= 0) push(first);
  });
  a.join();
  b.join();
}

/// Takes an owner that has not moved for thirty looks for dead.
void impatient_takeover() {
  weft::mutex lock;
  bool owned = false;
  auto owner = weft::spawn([&] {
    lock.lock();
    owned = true;
    weft::yield();
    owned = false;
    lock.unlock();
  });
  auto impatient = weft::spawn([&] {
    int looks = 0;
    while (!lock.try_lock())
      if (++looks == 30) weft::panic("took over from a living owner");
    lock.unlock();
  });
  owner.join();
  impatient.join();
}

// --- the search ---

constexpr int searches = 20;
constexpr uint64_t give_up = 2000;

struct planted {
  const char* name;
  void (*program)();
  /// What the test demands of each strategy: the most seeds that any search may need. 0: nothing.
  uint64_t uniform, pct, delay_bounded, round_robin, mixed;
};

constexpr planted bugs[] = {
    {"lost wake-up", lost_wake_up, 60, 60, 60, 60, 60},
    {"double take", double_take, 60, 60, 60, 60, 60},
    {"missed cancel", missed_cancel, 60, 60, 60, 60, 60},
    {"deadlock by lock order", lock_order, 60, 60, 60, 60, 60},
    {"ABA", aba, 200, 200, 200, 200, 200},
    {"impatient takeover", impatient_takeover, 0, 60, 60, 0, 60},
};

bool fails(const weft::sim::options& how, void (*program)()) {
  try {
    weft::sim::run(how, program);
    return false;
  } catch (const weft::sim::failure&) {
    return true;
  }
}

/// Seeds until the bug shows, for each of the searches, sorted; give_up + 1: it did not.
std::vector<uint64_t> search(strategy by, const planted& bug) {
  (void)fails({.strategy = strategy::uniform}, bug.program);
  const uint64_t length = weft::sim::last_steps();
  std::vector<uint64_t> needed;
  for (uint64_t s = 0; s < searches; ++s) {
    uint64_t tried = 1;
    while (tried <= give_up &&
           !fails({.seed = s * give_up + tried, .strategy = by, .length = length}, bug.program))
      ++tried;
    needed.push_back(tried);
  }
  std::sort(needed.begin(), needed.end());
  return needed;
}

std::string cell(const std::vector<uint64_t>& needed) {
  const uint64_t median = needed[needed.size() / 2];
  if (median > give_up) return "more than 2000";
  const uint64_t most = needed.back();
  return std::to_string(median) + ", " + (most > give_up ? "-" : std::to_string(most));
}

TEST(Planted, EachBugIsFoundWithinTheStatedNumberOfSeeds) {
  const expect_abandoned leaks;
  std::printf("| bug | uniform | pct | delay-bounded | round robin | mixed |\n");
  std::printf("| --- | --- | --- | --- | --- | --- |\n");
  for (const planted& bug : bugs) {
    std::string row = std::string("| ") + bug.name;
    const std::pair<strategy, uint64_t> wanted[] = {{strategy::uniform, bug.uniform},
                                                    {strategy::pct, bug.pct},
                                                    {strategy::delay_bounded, bug.delay_bounded},
                                                    {strategy::round_robin, bug.round_robin},
                                                    {strategy::mixed, bug.mixed}};
    for (const auto& [by, bound] : wanted) {
      const std::vector<uint64_t> needed = search(by, bug);
      row += " | " + cell(needed);
      if (bound != 0) {
        EXPECT_LE(needed.back(), bound) << bug.name << " by " << weft::sim::strategy_name(by);
      }
    }
    std::printf("%s |\n", row.c_str());
  }
}

}  // namespace
