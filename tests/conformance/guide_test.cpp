// SPDX-License-Identifier: Apache-2.0
// The examples of docs/guide, which are cut from here: they compile, and do what the text says.
#include <weft/weft.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "conformance_testing.hpp"

using namespace std::chrono_literals;

namespace {

// --- channels-and-select.md ----------------------------------------------------------------------

TEST(Guide, Pipeline) {
  std::vector<int> got;
  weft::run([&] {
    auto numbers = weft::make_chan<int>();      // unbuffered: a send meets its receive
    auto squares = weft::make_chan<int>(16);    // up to 16 wait in the buffer

    weft::go([=] {
      for (int i = 1; i <= 5; ++i) numbers.send(i);
      numbers.close();                          // ends the loops of those who receive
    });
    weft::go([=] {
      for (int n : numbers) squares.send(n * n);
      squares.close();
    });
    for (int s : squares) got.push_back(s);
  });
  EXPECT_EQ(got, (std::vector{1, 4, 9, 16, 25}));
}

struct request {
  int question;
  weft::chan<int> reply;
};

TEST(Guide, RequestAndReply) {
  weft::run([] {
    auto requests = weft::make_chan<request>();
    weft::go([=] {
      for (const request& r : requests) r.reply.send(r.question + 1);
    });
    auto reply = weft::make_chan<int>(1);       // room for one: the server never waits for us
    requests.send({41, reply});
    EXPECT_EQ(reply.recv(), 42);
    requests.close();
  });
}

int wait_for_one(weft::chan<std::string> in, weft::chan<int> out, const weft::context& ctx) {
  return weft::select(
      weft::on_recv(in, [](std::optional<std::string> line) {
        if (!line) return;                      // closed and drained
      }),
      weft::on_send(out, 42, [] {}),            // 42 was taken
      weft::on_done(ctx, [] {}),                // cancelled, or past its deadline
      weft::after(5s, [] {}));                  // nothing else happened for five seconds
}

TEST(Guide, Select) {
  weft::run([] {
    auto in = weft::make_chan<std::string>(1);
    in.send("line");
    EXPECT_EQ(wait_for_one(in, nullptr, weft::background()), 0);
    EXPECT_EQ(wait_for_one(nullptr, weft::make_chan<int>(1), weft::background()), 1);
  });
}

TEST(Guide, SwitchingACaseOff) {
  weft::run([] {
    auto a = weft::make_chan<int>(3);
    auto b = weft::make_chan<int>(3);
    for (int i = 0; i < 3; ++i) a.send(i), b.send(i);
    a.close();
    b.close();
    int received = 0;
    while (a || b) {                            // a nil channel is never ready
      weft::select(
          weft::on_recv(a, [&](std::optional<int> v) { if (v) ++received; else a = nullptr; }),
          weft::on_recv(b, [&](std::optional<int> v) { if (v) ++received; else b = nullptr; }));
    }
    EXPECT_EQ(received, 6);
  });
}

TEST(Guide, FanIn) {
  weft::run([] {
    std::vector<weft::chan<int>> sources;
    for (int i = 0; i < 5; ++i) sources.push_back(weft::make_chan<int>());
    for (size_t i = 0; i < sources.size(); ++i)
      weft::go([c = sources[i], i] { c.send(static_cast<int>(i)); });
    int sum = 0;
    std::vector<weft::select_case> cases;
    for (auto& c : sources)
      cases.emplace_back(weft::on_recv(c, [&](std::optional<int> v) { sum += *v; }));
    for (size_t i = 0; i < sources.size(); ++i) weft::select_any(cases);
    EXPECT_EQ(sum, 10);
  });
}

// --- context.md ----------------------------------------------------------------------------------

weft::result<std::string> fetch(const weft::context& ctx, weft::recv_chan<std::string> answer) {
  weft::result<std::string> got;
  weft::select(
      weft::on_recv(answer, [&](std::optional<std::string> a) { got = a.value_or(""); }),
      weft::on_done(ctx, [&] { got = weft::fail(ctx.err()); }));
  return got;
}

TEST(Guide, Timeout) {
  weft::run([] {
    auto never = weft::make_chan<std::string>();
    auto [ctx, cancel] = weft::with_timeout(weft::background(), 2ms);
    const auto got = fetch(ctx, never);
    EXPECT_EQ(got.error(), weft::deadline_exceeded);
  });
}

const weft::context_key<std::string> trace_id{"trace_id"};

void handle(const weft::context& ctx, std::string& log) {
  if (const std::string* id = ctx.value(trace_id)) log += *id;
}

TEST(Guide, Values) {
  std::string log;
  const weft::context ctx = weft::with_value(weft::background(), trace_id, "4bf92f35");
  handle(ctx, log);
  EXPECT_EQ(log, "4bf92f35");
}

TEST(Guide, Causes) {
  auto [ctx, cancel] = weft::with_cancel_cause(weft::background());
  cancel(weft::error("shutting down: SIGTERM"));
  EXPECT_EQ(ctx.err(), weft::canceled);
  EXPECT_EQ(weft::cause(ctx).message(), "shutting down: SIGTERM");
}

TEST(Guide, ClosingSomethingWhenTheContextEnds) {
  weft::run([] {
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    auto closed = weft::make_chan<int>();
    auto stop = weft::after_func(ctx, [=] { closed.close(); });
    cancel();
    EXPECT_EQ(closed.recv(), std::nullopt);
    EXPECT_FALSE(stop());                       // too late to prevent it
  });
}

TEST(Guide, FirstErrorCancelsTheOthers) {
  weft::run([] {
    auto [g, ctx] = weft::with_group(weft::background());
    g.limit(4);                                 // at most four at once
    for (int part = 0; part < 10; ++part) {
      g.go([ctx, part]() -> weft::result<void> {
        if (part == 3) return weft::fail(weft::error("part 3 is damaged"));
        if (ctx.err()) return weft::fail(ctx.err());
        return {};
      });
    }
    const weft::result<void> done = g.wait();
    EXPECT_EQ(done.error().message(), "part 3 is damaged");
  });
}

// --- synchronization.md --------------------------------------------------------------------------

class registry {
 public:
  void put(const std::string& name, int value) {
    const std::lock_guard held(lock_);
    values_[name] = value;
  }
  int get(const std::string& name) {
    const std::shared_lock held(lock_);         // readers do not exclude each other
    return values_[name];
  }

 private:
  weft::rw_mutex lock_;
  std::map<std::string, int> values_;
};

TEST(Guide, RwMutex) {
  weft::run([] {
    registry r;
    r.put("a", 1);
    EXPECT_EQ(r.get("a"), 1);
  });
}

TEST(Guide, WaitGroup) {
  weft::run([] {
    std::vector<int> results(10);
    weft::wait_group all;
    for (size_t i = 0; i < results.size(); ++i)
      all.go([&results, i] { results[i] = static_cast<int>(i * i); });
    all.wait();                                 // everything they wrote is visible here
    EXPECT_EQ(results[9], 81);
  });
}

TEST(Guide, Cond) {
  weft::run([] {
    weft::mutex m;
    weft::cond changed;
    std::vector<int> queue;
    weft::go([&] {
      {
        const std::lock_guard held(m);
        queue.push_back(7);
      }
      changed.signal();
    });
    std::unique_lock held(m);
    changed.wait(held, [&] { return !queue.empty(); });
    EXPECT_EQ(queue.back(), 7);
  });
}

TEST(Guide, OnceValue) {
  int loads = 0;
  auto settings = weft::once_value([&] {
    ++loads;
    return std::string("loaded");
  });
  EXPECT_EQ(settings() + settings(), "loadedloaded");
  EXPECT_EQ(loads, 1);
}

TEST(Guide, Semaphore) {
  weft::run([] {
    weft::semaphore memory(100);                // units
    auto [ctx, cancel] = weft::with_timeout(weft::background(), 1s);
    if (auto got = memory.acquire(ctx, 30); !got) return;
    const weft::defer give_back([&] { memory.release(30); });
    EXPECT_FALSE(memory.try_acquire(80));
  });
}

TEST(Guide, Ticker) {
  weft::run([] {
    weft::ticker every(1ms);
    weft::timer limit(1h);
    for (int ticks = 0; ticks < 3;)
      weft::select(weft::on_recv(every.c(), [&] { ++ticks; }),
                   weft::on_recv(limit.c(), [&] { ticks = 3; }));
    EXPECT_TRUE(limit.stop());
  });
}

TEST(Guide, Pool) {
  weft::run([] {
    weft::pool<std::string> buffers([] {
      std::string one;
      one.reserve(64 * 1024);
      return one;
    });
    const auto greet = [&](std::string_view name) {
      const auto buffer = buffers.borrow();         // goes back at the end of the scope
      buffer->clear();                              // it is as the last user left it
      buffer->append("hello, ").append(name);
      return buffer->size();
    };
    EXPECT_EQ(greet("weft"), 11);
    EXPECT_EQ(greet("go"), 9);
  });
}

}  // namespace
