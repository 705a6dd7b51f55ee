// SPDX-License-Identifier: Apache-2.0
// Locks, wait_group, once, cond, semaphore, group.
#include <memory>
#include <mutex>
#include <shared_mutex>

#include "cases.hpp"

using namespace std::chrono_literals;

CLEAN(mutex_orders) {
  word x = 0;
  weft::mutex m;
  unseen::flag done;
  weft::go([&] {
    m.lock();
    x = 1;
    m.unlock();
    done.set();
  });
  done.wait();
  m.lock();
  x = 2;
  m.unlock();
}

CLEAN(mutex_under_contention) {
  word x = 0;
  weft::mutex m;
  weft::wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([&] {
      for (int i = 0; i < 50; ++i) {
        const std::scoped_lock held(m);
        x = x + 1;
        if (i % 10 == 0) weft::yield();
      }
    });
  all.wait();
}

CLEAN(try_lock_that_succeeds) {
  word x = 0;
  weft::mutex m;
  unseen::flag done;
  weft::go([&] {
    m.lock();
    x = 1;
    m.unlock();
    done.set();
  });
  done.wait();
  if (!m.try_lock()) return;
  x = 2;
  m.unlock();
}

RACY(try_lock_that_fails) {
  word x = 0;
  weft::mutex m;
  unseen::flag done;
  unseen::flag tried;
  auto holder = weft::spawn([&] {
    m.lock();
    x = 1;
    done.set();
    tried.wait();
    m.unlock();
  });
  done.wait();
  if (!m.try_lock()) x = 2;
  tried.set();
  holder.join();
}

RACY(unlocked_beside_locked) {
  word x = 0;
  weft::mutex m;
  unseen::flag done;
  weft::go([&] {
    m.lock();
    x = 1;
    m.unlock();
    done.set();
  });
  done.wait();
  x = 2;
}

RACY(two_mutexes) {
  word x = 0;
  weft::mutex m;
  weft::mutex n;
  unseen::flag done;
  weft::go([&] {
    const std::scoped_lock held(m);
    x = 1;
    done.set();
  });
  done.wait();
  const std::scoped_lock held(n);
  x = 2;
}

RACY(after_unlock) {
  word x = 0;
  weft::mutex m;
  unseen::flag done;
  weft::go([&] {
    m.lock();
    m.unlock();
    x = 1;
    done.set();
  });
  done.wait();
  m.lock();
  x = 2;
  m.unlock();
}

RACY(locked_first_by_the_reader) {
  word x = 0;
  weft::mutex m;
  unseen::flag locked;
  unseen::flag done;
  weft::go([&] {
    locked.wait();
    x = 1;
    m.lock();
    m.unlock();
    done.set();
  });
  m.lock();
  m.unlock();
  locked.set();
  done.wait();
  x = 2;
}

// --- rw_mutex --------------------------------------------------------------------------------

CLEAN(rw_writer_before_readers) {
  word x = 0;
  weft::rw_mutex m;
  unseen::flag done;
  weft::go([&] {
    m.lock();
    x = 1;
    m.unlock();
    done.set();
  });
  done.wait();
  const std::shared_lock held(m);
  if (x == 5) return;
}

CLEAN(rw_readers_before_writer) {
  word x = 0;
  weft::rw_mutex m;
  weft::wait_group all;
  for (int g = 0; g < 3; ++g)
    all.go([&] {
      for (int i = 0; i < 20; ++i) {
        const std::shared_lock held(m);
        if (x == -1) return;
        weft::yield();
      }
    });
  for (int i = 0; i < 20; ++i) {
    const std::scoped_lock held(m);
    x = i;
    weft::yield();
  }
  all.wait();
}

RACY(rw_readers_write) {
  word x = 0;
  weft::rw_mutex m;
  unseen::flag done;
  weft::go([&] {
    const std::shared_lock held(m);
    x = 1;
    done.set();
  });
  done.wait();
  const std::shared_lock held(m);
  x = 2;
}

RACY(rw_reader_does_not_order_readers) {
  word x = 0;
  weft::rw_mutex m;
  unseen::flag done;
  weft::go([&] {
    x = 1;
    m.lock_shared();
    m.unlock_shared();
    done.set();
  });
  done.wait();
  m.lock_shared();
  m.unlock_shared();
  x = 2;
}

CLEAN(rw_try_locks) {
  word x = 0;
  weft::rw_mutex m;
  unseen::flag done;
  weft::go([&] {
    if (m.try_lock()) {
      x = 1;
      m.unlock();
    }
    done.set();
  });
  done.wait();
  if (!m.try_lock_shared()) return;
  const bool odd = x == 5;
  m.unlock_shared();
  if (odd || !m.try_lock()) return;
  x = 2;
  m.unlock();
}

// --- wait_group ------------------------------------------------------------------------------

CLEAN(wait_group_orders) {
  word x[4] = {};
  weft::wait_group all;
  for (word& mine : x) all.go([&mine] { mine = 1; });
  all.wait();
  for (word& each : x) each = 2;
}

CLEAN(wait_group_wait_that_does_not_park) {
  word x = 0;
  weft::wait_group all;
  unseen::flag done;
  all.add(1);
  weft::go([&] {
    x = 1;
    all.done();
    done.set();
  });
  done.wait();
  all.wait();
  x = 2;
}

RACY(wait_group_done_too_early) {
  word x = 0;
  weft::wait_group all;
  unseen::flag done;
  all.add(1);
  weft::go([&] {
    all.done();
    x = 1;
    done.set();
  });
  all.wait();
  done.wait();
  x = 2;
}

RACY(wait_group_siblings) {
  word x = 0;
  weft::wait_group all;
  unseen::flag first;
  all.go([&] {
    x = 1;
    first.set();
  });
  all.go([&] {
    first.wait();
    x = 2;
  });
  all.wait();
}

RACY(wait_group_add_beside_wait) {
  weft::wait_group all;
  unseen::flag added;
  unseen::flag waits;
  weft::go([&] {
    all.add(1);
    added.set();
    waits.wait();
    weft::sleep_for(2ms);
    all.done();
  });
  added.wait();
  waits.set();
  all.wait();
}

RACY(wait_group_not_waited_for) {
  word x = 0;
  weft::wait_group all;
  unseen::flag done;
  all.go([&] {
    x = 1;
    done.set();
  });
  done.wait();
  x = 2;
  all.wait();
}

// --- once ------------------------------------------------------------------------------------

CLEAN(once_orders) {
  word x = 0;
  weft::once first;
  weft::wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([&] {
      first.call([&] { x = 1; });
      if (x == 5) return;
    });
  all.wait();
}

CLEAN(once_value_is_shared) {
  auto value = weft::once_value([] { return std::string(100, 'x'); });
  weft::wait_group all;
  for (int g = 0; g < 4; ++g) all.go([value] { return value().size(); });
  all.wait();
}

RACY(once_read_without_a_call) {
  word x = 0;
  weft::once first;
  unseen::flag done;
  weft::go([&] {
    first.call([&] { x = 1; });
    done.set();
  });
  done.wait();
  x = 2;
}

RACY(once_after_the_call) {
  word x = 0;
  weft::once first;
  unseen::flag done;
  weft::go([&] {
    first.call([] {});
    x = 1;
    done.set();
  });
  done.wait();
  first.call([] {});
  x = 2;
}

// --- cond, semaphore, group --------------------------------------------------------------------

CLEAN(cond_with_its_lock) {
  weft::mutex m;
  weft::cond ready;
  word x = 0;
  weft::go([&] {
    const std::scoped_lock held(m);
    x = 1;
    ready.signal();
  });
  std::unique_lock held(m);
  ready.wait(held, [&] { return x == 1; });
  x = 2;
}

CLEAN(cond_signal_before_wait_returns) {
  weft::mutex m;
  weft::cond ready;
  word x = 0;
  unseen::flag waits;
  auto waiter = weft::spawn([&] {
    std::unique_lock held(m);
    waits.set();
    ready.wait(held);
    held.unlock();
    x = 2;
  });
  waits.wait();
  m.lock();  // it has queued
  m.unlock();
  x = 1;
  ready.broadcast();
  waiter.join();
}

RACY(cond_after_signal) {
  weft::mutex m;
  weft::cond ready;
  word x = 0;
  unseen::flag waits;
  unseen::flag done;
  weft::go([&] {
    waits.wait();
    m.lock();
    m.unlock();
    ready.signal();
    x = 1;
    done.set();
  });
  std::unique_lock held(m);
  waits.set();
  ready.wait(held);
  done.wait();
  x = 2;
}

CLEAN(semaphore_as_mutex) {
  word x = 0;
  weft::semaphore one(1);
  weft::wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([&] {
      for (int i = 0; i < 20; ++i) {
        one.acquire();
        x = x + 1;
        one.release();
      }
    });
  all.wait();
}

RACY(semaphore_of_two) {
  word x = 0;
  weft::semaphore two(2);
  unseen::flag done;
  unseen::flag end;
  auto other = weft::spawn([&] {
    two.acquire();
    x = 1;
    done.set();
    end.wait();
    two.release();
  });
  done.wait();
  two.acquire();
  x = 2;
  end.set();
  two.release();
  other.join();
}

CLEAN(group_orders) {
  word x[3] = {};
  weft::group g;
  g.limit(2);
  for (word& mine : x) g.go([&mine] { mine = 1; });
  (void)g.wait();
  for (word& each : x) each = 2;
}

CLEAN(group_error_cancels) {
  word x = 0;
  auto [g, ctx] = weft::with_group(weft::background());
  g.go([&x]() -> weft::result<void> {
    x = 1;
    return weft::fail(weft::error("no"));
  });
  (void)ctx.done().recv();
  x = 2;
  (void)g.wait();
}

RACY(group_members) {
  word x = 0;
  weft::group g;
  unseen::flag first;
  g.go([&] {
    x = 1;
    first.set();
  });
  g.go([&] {
    first.wait();
    x = 2;
  });
  (void)g.wait();
}

namespace {
struct boxed {
  word x = 0;
};
}  // namespace

CLEAN(pool_orders) {
  weft::pool<boxed> p;
  unseen::flag done;
  weft::go([&] {
    auto one = std::make_unique<boxed>();
    one->x = 1;
    p.put(std::move(one));
    p.put(std::make_unique<boxed>());  // the first may be any P's now
    done.set();
  });
  done.wait();
  if (auto one = p.get()) one->x = 2;
}

CLEAN(pool_destroys_what_others_put) {
  struct owner {
    std::unique_ptr<boxed> of = std::make_unique<boxed>();
    ~owner() { of->x = 2; }
  };
  weft::pool<owner> p;
  unseen::flag done;
  weft::go([&] {
    auto one = std::make_unique<owner>();
    one->of->x = 1;
    p.put(std::move(one));
    done.set();
  });
  done.wait();
  weft::rt::pool_memory_epoch();
  weft::rt::pool_memory_epoch();
}

RACY(used_after_put) {
  weft::pool<boxed> p;
  unseen::flag done;
  weft::go([&] {
    auto one = std::make_unique<boxed>();
    boxed* mine = one.get();
    p.put(std::move(one));
    mine->x = 1;
    done.set();
  });
  done.wait();
  auto one = p.get();
  if (one == nullptr) weft::rt::pool_memory_epoch();  // what the other P has kept is anyone's now
  if (one == nullptr) one = p.get();
  if (one != nullptr) one->x = 2;
}

RACY(pools_order_object_by_object) {
  word x = 0;
  weft::pool<boxed> p;
  unseen::flag done;
  weft::go([&] {
    x = 1;
    p.put(std::make_unique<boxed>());
    done.set();
  });
  done.wait();
  p.put(std::make_unique<boxed>());
  x = 2;
}
