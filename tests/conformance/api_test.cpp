// SPDX-License-Identifier: Apache-2.0
// What the user writes (the design's chapter 6) compiles as written, and does what it says.
#include <weft/weft.hpp>

#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "conformance_testing.hpp"

using namespace std::chrono_literals;

namespace {

int first_program(std::vector<std::string>& squares) {
  return weft::run([&] {
    auto jobs = weft::make_chan<int>(128);          // chan<int>, a shared handle
    auto out  = weft::make_chan<std::string>();     // unbuffered
    weft::wait_group workers;
    for (int w = 0; w < 8; ++w)
      workers.go([=] { for (int j : jobs) out.send(std::to_string(j * j)); });
    weft::go([=] { for (int i = 0; i < 1000; ++i) jobs.send(i); jobs.close(); });
    weft::go([&, out] { workers.wait(); out.close(); });

    auto [ctx, cancel] = weft::with_timeout(weft::background(), 60s);
    for (bool open = true; open;) {
      weft::select(
          weft::on_recv(out, [&](std::optional<std::string> s) {
            open = s.has_value();
            if (s) squares.push_back(*s);
          }),
          weft::on_done(ctx, [&] { open = false; }),   // ctx.err(), weft::cause(ctx)
          weft::after(60s, [&] { open = false; }));
    }
  });
}

TEST(Api, TheFirstProgram) {
  std::vector<std::string> squares;
  EXPECT_EQ(first_program(squares), 0);
  EXPECT_EQ(squares.size(), 1000u);
}

TEST(Api, Channels) {
  conformance::on_one_p([] {
    const weft::chan<int> nil;
    EXPECT_FALSE(nil);
    weft::chan<int> ch = weft::make_chan<int>(2);
    const weft::send_chan<int> in = ch;
    const weft::recv_chan<int> out = ch;
    in.send(1);
    EXPECT_TRUE(in.try_send(2));
    EXPECT_EQ(out.len(), 2u);
    EXPECT_EQ(out.cap(), 2u);
    const std::optional<int> one = out.recv();
    EXPECT_EQ(one, 1);
    EXPECT_EQ(out.try_recv(), 2);
    in.close();
    for (int v : out) ADD_FAILURE() << v;
    EXPECT_EQ(out.begin(), out.end());
    std::vector<weft::select_case> cases;
    cases.push_back(weft::on_recv(ch, [](std::optional<int> v) { EXPECT_FALSE(v); }));
    cases.push_back(weft::on_send(weft::chan<int>(), 1, [] {}));
    EXPECT_EQ(weft::select_any(cases), 0);
    const auto t = weft::make_chan<int>(1);
    EXPECT_EQ(weft::select(weft::on_recv(t, [](std::optional<int>) {}), weft::on_send(t, 3, [] {}),
                           weft::on_done(weft::background(), [] {}), weft::after(1h, [] {}),
                           weft::otherwise([] {})),
              1);
  });
}

TEST(Api, Goroutines) {
  conformance::on_one_p([] {
    auto done = weft::make_chan<int>();
    weft::go([=] { done.send(1); });
    weft::go({.name = "worker", .stack = 1 << 20}, [=] { done.send(2); });
    EXPECT_EQ(*done.recv() + *done.recv(), 3);
    auto t = weft::spawn([] { return std::string("result"); });
    auto r = t.join();
    EXPECT_EQ(r, "result");
    weft::yield();
    weft::sleep_for(1ms);
    EXPECT_EQ(weft::blocking([] { return 5; }), 5);
    EXPECT_EQ(weft::maxprocs(0), 1);
    EXPECT_GE(weft::num_goroutine(), 1);
  });
}

const weft::context_key<int> key{"key"};

TEST(Api, Contexts) {
  conformance::on_one_p([] {
    const weft::context parent = weft::with_value(weft::background(), key, 7);
    auto [ctx, cancel] = weft::with_timeout(parent, 1h);
    EXPECT_FALSE(ctx.err());
    EXPECT_TRUE(ctx.deadline().has_value());
    EXPECT_EQ(*ctx.value(key), 7);
    bool ran = false;
    auto stop = weft::after_func(ctx, [&] { ran = true; });
    bool prevented = stop();
    EXPECT_TRUE(prevented);
    auto moved = std::move(cancel);
    moved();
    (void)ctx.done().recv();
    EXPECT_TRUE(ctx.err() == weft::canceled);
    EXPECT_FALSE(ctx.err() == weft::deadline_exceeded);
    EXPECT_EQ(weft::cause(ctx), weft::canceled);
    EXPECT_FALSE(ran);
    auto [c2, cancel2] = weft::with_cancel_cause(parent);
    cancel2(weft::error("why"));
    auto [c3, cancel3] = weft::with_deadline(weft::without_cancel(c2), weft::now() + 1h);
    EXPECT_FALSE(c3.err());
    auto in_lambda = [ctx] { return ctx.err(); };  // structured bindings may be captured
    EXPECT_TRUE(in_lambda());
  });
}

TEST(Api, LocksAndTheRest) {
  conformance::on_one_p([] {
    weft::mutex m;
    weft::mutex n;
    weft::rw_mutex rw;
    weft::cond c;
    {
      const std::scoped_lock both(m, n);
      const std::shared_lock reading(rw);
    }
    std::unique_lock held(m);
    c.wait(held, [] { return true; });
    weft::semaphore s(2);
    EXPECT_TRUE(s.acquire(weft::background(), 1).has_value());
    s.release();
    weft::once once;
    once.call([] {});
    auto value = weft::once_value([] { return 3; });
    EXPECT_EQ(value(), 3);
    weft::wait_group wg;
    wg.add(1);
    wg.done();
    wg.go([] {});
    wg.wait();
    weft::group g;
    g.limit(2);
    g.go([]() -> weft::result<void> { return {}; });
    const weft::result<void> r = g.wait();
    EXPECT_TRUE(r.has_value());
    weft::timer tm(1h);
    EXPECT_TRUE(tm.stop());
    EXPECT_FALSE(tm.reset(1ms));
    EXPECT_TRUE(tm.c().recv().has_value());
    const weft::ticker tk(1ms);
    EXPECT_TRUE(tk.c().recv().has_value());
    const weft::recv_chan<weft::time_point> once_later = weft::after(1ms);
    EXPECT_TRUE(once_later.recv().has_value());
    bool cleaned = false;
    {
      weft::defer cleanup([&] { cleaned = true; });
    }
    EXPECT_TRUE(cleaned);
    EXPECT_EQ(conformance::panic_of([] { weft::panic("message"); }), "message");
  });
}

TEST(Api, DeterministicMode) {
  int runs = 0;
  weft::sim::run(1, [&] { ++runs; });
  weft::sim::explore(5, [&] { ++runs; });
  EXPECT_EQ(runs, 6);
}

}  // namespace
