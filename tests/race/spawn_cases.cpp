// SPDX-License-Identifier: Apache-2.0
// Starting and ending goroutines: go, spawn and join, locals, exceptions, run and sim.
#include <cerrno>
#include <stdexcept>
#include <string>
#include <vector>

#include "cases.hpp"

using namespace std::chrono_literals;

RACY(no_synchronization) {
  word x = 0;
  unseen::flag done;
  weft::go([&] {
    x = 1;
    done.set();
  });
  done.wait();
  x = 2;
}

RACY(reading_beside_writing) {
  word x = 0;
  unseen::flag done;
  weft::go([&] {
    x = 1;
    done.set();
  });
  done.wait();
  if (x == 3) x = 4;
}

RACY(two_goroutines_one_after_the_other_on_one_stack) {
  word x = 0;
  unseen::flag first;
  unseen::flag second;
  weft::go([&] {
    x = 1;
    first.set();
  });
  first.wait();
  weft::yield();
  weft::go([&] {
    x = 2;
    second.set();
  });
  second.wait();
}

RACY(sleeping_is_no_synchronization) {
  word x = 0;
  weft::go([&] { x = 1; });
  weft::sleep_for(20ms);
  x = 2;
}

RACY(yielding_is_no_synchronization) {
  word x = 0;
  unseen::flag done;
  weft::go([&] {
    x = 1;
    weft::yield();
    done.set();
  });
  done.wait();
  for (int i = 0; i < 10; ++i) weft::yield();
  x = 2;
}

RACY(the_end_of_a_goroutine_orders_nothing) {
  word x = 0;
  unseen::flag done;
  weft::go([&] {
    x = 1;
    done.set();
  });
  done.wait();
  weft::sleep_for(2ms);  // it has ended
  x = 2;
}

RACY(a_third_goroutine_between) {
  word x = 0;
  unseen::flag first;
  unseen::flag second;
  unseen::flag third;
  weft::go([&] {
    x = 1;
    first.set();
  });
  weft::go([&] {
    first.wait();
    second.set();
  });
  weft::go([&] {
    second.wait();
    x = 2;
    third.set();
  });
  third.wait();
}

CLEAN(spawn_before_body) {
  word x = 1;
  weft::spawn([&] { x = 2; }).join();
  x = 3;
}

CLEAN(spawn_in_spawn) {
  word x = 0;
  weft::spawn([&] {
    x = 1;
    weft::spawn([&] {
      x = 2;
      weft::spawn([&] { x = 3; }).join();
    }).join();
  }).join();
  x = 4;
}

CLEAN(join_orders_results) {
  std::vector<weft::task<std::string>> tasks;
  for (int i = 0; i < 8; ++i)
    tasks.push_back(weft::spawn([i] { return std::string(50, static_cast<char>('a' + i)); }));
  for (auto& t : tasks)
    if (t.join().size() != 50) throw std::logic_error("length");
}

CLEAN(done_is_as_good_as_join) {
  word x = 0;
  auto t = weft::spawn([&] { x = 1; });
  while (!t.done()) weft::yield();
  x = 2;
}

RACY(joined_too_late) {
  word x = 0;
  unseen::flag done;
  auto t = weft::spawn([&] {
    x = 1;
    done.set();
  });
  done.wait();
  x = 2;
  t.join();
}

CLEAN(task_dropped) {
  unseen::flag done;
  {
    auto dropped = weft::spawn([&] {
      done.set();
      return std::string(100, 'x');
    });
  }
  done.wait();
}

CLEAN(exceptions_are_joined) {
  word x = 0;
  auto t = weft::spawn([&]() -> int {
    x = 1;
    throw std::runtime_error("on purpose");
  });
  try {
    (void)t.join();
  } catch (const std::runtime_error&) {
    x = 2;
  }
}

RACY(exception_caught_at_home) {
  word x = 0;
  unseen::flag done;
  weft::go([&] {
    try {
      weft::yield();
      throw std::runtime_error("on purpose");
    } catch (const std::runtime_error&) {
      weft::yield();
      x = 1;
    }
    done.set();
  });
  done.wait();
  x = 2;
}

CLEAN(stacks_are_reused) {
  for (int round = 0; round < 40; ++round) {
    unseen::flag done;
    weft::go([&done, round] {
      word local[64];
      for (word& i : local) i = round;
      done.set();
    });
    done.wait();
    weft::yield();
  }
}

CLEAN(closures_by_value) {
  std::vector<int> data(100, 1);
  weft::wait_group all;
  for (int i = 0; i < 8; ++i)
    all.go([data, i]() mutable {
      for (int& d : data) d = i;
    });
  for (int& d : data) d = 5;
  all.wait();
}

RACY(loop_variable_by_reference) {
  unseen::flag done;
  word i = 0;
  while (i < 1) {
    weft::go([&] {
      if (i == 7) return;
      done.set();
    });
    i = i + 1;
  }
  done.wait();
  i = 2;
}

CLEAN(loop_variable_by_value) {
  weft::wait_group all;
  word sums[4] = {};
  for (int i = 0; i < 4; ++i) all.go([&sums, i] { sums[i] = i; });
  all.wait();
  if (sums[3] != 3) sums[0] = 1;
}

weft::local<std::vector<int>> own;

CLEAN(locals_are_their_goroutines) {
  weft::wait_group all;
  for (int g = 0; g < 8; ++g)
    all.go([g] {
      own->push_back(g);
      weft::yield();
      own->push_back(g);
    });
  all.wait();
}

RACY(local_lent_to_another) {
  unseen::flag done;
  own->assign(1, 0);
  word& lent = own->front();
  weft::go([&] {
    lent = 1;
    done.set();
  });
  done.wait();
  lent = 2;
}

struct writes_at_end {
  word* x = nullptr;
  unseen::flag* done = nullptr;
  ~writes_at_end() {
    if (x == nullptr) return;
    *x = 1;
    done->set();
  }
};
weft::local<writes_at_end> at_end;

RACY(local_destructors_run_after_join) {
  word x = 0;
  unseen::flag done;
  auto t = weft::spawn([&] {
    at_end->x = &x;
    at_end->done = &done;
  });
  t.join();
  done.wait();
  x = 2;
}

CLEAN(local_destructors_run_on_their_goroutine) {
  word x = 0;
  auto c = weft::make_chan<int>();
  struct closes {
    word* x = nullptr;
    weft::chan<int> c;
    ~closes() {
      if (x == nullptr) return;
      *x = 1;
      c.close();
    }
  };
  static weft::local<closes> last;
  weft::go([&x, c] {
    last->x = &x;
    last->c = c;
  });
  (void)c.recv();
  x = 2;
}

namespace {

thread_local word per_thread = 0;

/// Functions of their own: a compiler keeps the address of a thread's variable across a switch.
__attribute__((noinline)) void use_thread_locals(int value) {
  errno = value;
  per_thread = value;
}

}  // namespace

CLEAN(errno_and_thread_locals_change_hands) {
  weft::wait_group all;
  for (int g = 0; g < 6; ++g)
    all.go([g] {
      for (int i = 0; i < 10; ++i) {
        use_thread_locals(g);
        weft::yield();
      }
    });
  all.wait();
}

// --- whole worlds ----------------------------------------------------------------------------

CLEAN_ON_MAIN(run_returns_after_its_main_goroutine) {
  word x = 0;
  weft::run([&] { x = 1; });
  x = 2;
  weft::run([&] { x = 3; });
  x = 4;
}

RACY_ON_MAIN(run_does_not_wait_for_the_others) {
  word x = 0;
  weft::run([&] {
    unseen::flag done;
    weft::go([&] {
      x = 1;
      done.set();
    });
    done.wait();
  });
  x = 2;
}

CLEAN_ON_MAIN(sim_returns_after_all) {
  word x[4] = {};
  weft::sim::explore(5, [&] {
    for (word& mine : x)
      weft::go([&mine] {
        weft::yield();
        mine = mine + 1;
      });
  });
  for (word& each : x) each = 0;
}

CLEAN_ON_MAIN(sim_wait_orders) {
  weft::sim::run(1, [] {
    word x = 0;
    auto c = weft::make_chan<int>();
    weft::go([&x, c] {
      x = 1;
      (void)c.recv();
    });
    weft::sim::wait();
    x = 2;
    c.send(1);
  });
}

RACY_ON_MAIN(sim_shows_races_on_one_thread) {
  weft::sim::run(1, [] {
    [[maybe_unused]] static word x;
    weft::go([] { x = 1; });
    weft::go([] { x = 2; });
  });
}
