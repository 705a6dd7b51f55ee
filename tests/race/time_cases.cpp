// SPDX-License-Identifier: Apache-2.0
// Timers and contexts.
#include <string>

#include "cases.hpp"

using namespace std::chrono_literals;

CLEAN(after_func_runs_after_it_was_set) {
  word x = 0;
  auto c = weft::make_chan<int>();
  x = 1;
  auto t = weft::after_func(1ms, [&x, c] {
    x = 2;
    c.send(0);
  });
  (void)c.recv();
  x = 3;
}

RACY(after_func_beside_its_setter) {
  word x = 0;
  unseen::flag done;
  auto t = weft::after_func(1ms, [&] {
    x = 1;
    done.set();
  });
  done.wait();
  x = 2;
}

RACY(two_timers) {
  word x = 0;
  unseen::flag first;
  unseen::flag second;
  auto a = weft::after_func(1ms, [&] {
    x = 1;
    first.set();
  });
  auto b = weft::after_func(1ms, [&] {
    first.wait();
    x = 2;
    second.set();
  });
  second.wait();
}

CLEAN(reset_before_the_function) {
  word x = 0;
  auto c = weft::make_chan<int>();
  auto t = weft::after_func(1h, [&x, c] {
    x = 2;
    c.close();
  });
  x = 1;
  t.reset(1ms);
  (void)c.recv();
}

CLEAN(reset_before_the_receive) {
  word x = 0;
  weft::timer t(1h);
  weft::go([&] {
    x = 1;
    t.reset(1ms);
  });
  (void)t.c().recv();
  x = 2;
}

RACY(after_reset) {
  word x = 0;
  unseen::flag done;
  weft::timer t(1h);
  weft::go([&] {
    t.reset(1ms);
    x = 1;
    done.set();
  });
  (void)t.c().recv();
  done.wait();
  x = 2;
}

RACY(ticks_order_nobody) {
  word x = 0;
  unseen::flag done;
  weft::ticker t(1ms);
  weft::go([&] {
    (void)t.c().recv();
    x = 1;
    done.set();
  });
  done.wait();
  (void)t.c().recv();
  x = 2;
}

CLEAN(ticker_in_one_goroutine) {
  [[maybe_unused]] word x = 0;
  weft::ticker t(1ms);
  for (int i = 0; i < 3; ++i) {
    (void)t.c().recv();
    x = i;
  }
}

RACY(stop_orders_nothing) {
  word x = 0;
  unseen::flag done;
  auto t = weft::after_func(0ms, [&] {
    x = 1;
    done.set();
  });
  done.wait();
  (void)t.stop();
  x = 2;
}

// --- context ---------------------------------------------------------------------------------

CLEAN(cancel_before_done) {
  word x = 0;
  auto [ctx, cancel] = weft::with_cancel(weft::background());
  weft::go([&x, &stop = cancel] {
    x = 1;
    stop();
  });
  (void)ctx.done().recv();
  x = 2;
}

CLEAN(cancel_before_err) {
  word x = 0;
  auto [ctx, cancel] = weft::with_cancel(weft::background());
  weft::go([&x, &stop = cancel] {
    x = 1;
    stop();
  });
  while (!ctx.err()) weft::yield();
  x = 2;
}

CLEAN(cancel_before_the_childs_done) {
  word x = 0;
  auto [parent, cancel] = weft::with_cancel(weft::background());
  auto [child, unused] = weft::with_timeout(parent, 1h);
  weft::go([&x, &stop = cancel] {
    x = 1;
    stop();
  });
  weft::select(weft::on_done(child));
  x = 2;
}

CLEAN(cancel_before_a_child_made_later) {
  word x = 0;
  auto [parent, cancel] = weft::with_cancel(weft::background());
  unseen::flag done;
  weft::go([&, &stop = cancel] {
    x = 1;
    stop();
    done.set();
  });
  done.wait();
  auto [child, unused] = weft::with_cancel(parent);
  (void)child.done().recv();
  x = 2;
}

RACY(after_cancel) {
  word x = 0;
  unseen::flag done;
  auto [ctx, cancel] = weft::with_cancel(weft::background());
  weft::go([&, &stop = cancel] {
    stop();
    x = 1;
    done.set();
  });
  (void)ctx.done().recv();
  done.wait();
  x = 2;
}

RACY(err_of_a_live_context) {
  word x = 0;
  unseen::flag done;
  auto [ctx, cancel] = weft::with_cancel(weft::background());
  weft::go([&, &live = ctx] {
    x = 1;
    if (live.err()) return;
    done.set();
  });
  done.wait();
  if (!ctx.err()) x = 2;
}

RACY(siblings_of_a_context) {
  word x = 0;
  unseen::flag done;
  auto [parent, cancel] = weft::with_cancel(weft::background());
  weft::go([&, &above = parent] {
    auto [child, unused] = weft::with_cancel(above);
    x = 1;
    done.set();
  });
  done.wait();
  auto [child, unused] = weft::with_cancel(parent);
  x = 2;
}

RACY(a_deadline_orders_nobody) {
  word x = 0;
  unseen::flag done;
  auto [ctx, cancel] = weft::with_timeout(weft::background(), 1ms);
  weft::go([&, &timed = ctx] {
    (void)timed.done().recv();
    x = 1;
    done.set();
  });
  (void)ctx.done().recv();
  done.wait();
  x = 2;
}

CLEAN(context_after_func) {
  word x = 0;
  auto c = weft::make_chan<int>();
  auto [ctx, cancel] = weft::with_cancel(weft::background());
  x = 1;
  auto stop = weft::after_func(ctx, [&x, c] {
    x = x + 1;
    c.close();
  });
  weft::go([&, &end = cancel] { end(); });
  (void)c.recv();
  x = 4;
}

CLEAN(cancel_before_context_after_func) {
  word x = 0;
  auto c = weft::make_chan<int>();
  auto [ctx, cancel] = weft::with_cancel(weft::background());
  auto stop = weft::after_func(ctx, [&x, c] {
    x = x + 1;
    c.close();
  });
  weft::go([&x, &end = cancel] {
    x = 1;
    end();
  });
  (void)c.recv();
}

CLEAN(deadline_runs_context_after_func) {
  word x = 0;
  auto c = weft::make_chan<int>();
  auto [ctx, cancel] = weft::with_timeout(weft::background(), 1ms);
  x = 1;
  auto stop = weft::after_func(ctx, [&x, c] {
    x = x + 1;
    c.close();
  });
  (void)c.recv();
  x = 3;
}

RACY(context_after_func_beside_its_setter) {
  word x = 0;
  unseen::flag done;
  auto [ctx, cancel] = weft::with_timeout(weft::background(), 1ms);
  auto stop = weft::after_func(ctx, [&] {
    x = 1;
    done.set();
  });
  done.wait();
  x = 2;
}

CLEAN(context_values_are_shared) {
  static weft::context_key<std::string> key("user");
  auto ctx = weft::with_value(weft::background(), key, std::string(100, 'u'));
  weft::wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([ctx] {
      if (ctx.value(key)->size() != 100) weft::panic("length");
    });
  ctx = {};
  all.wait();
}

CLEAN(errors_are_shared) {
  weft::error e(std::string(100, 'e'));
  weft::wait_group all;
  for (int g = 0; g < 4; ++g)
    all.go([e] {
      if (e.message().size() != 100) weft::panic("length");
    });
  e = {};
  all.wait();
}
