// SPDX-License-Identifier: Apache-2.0
// spec/semantics.md §3: constructors, propagation, causes, deadlines, values, after_func.
#include "weft/sync/context.hpp"

#include <string>
#include <vector>

#include "conformance_testing.hpp"
#include "weft/sync/wait_group.hpp"

using namespace conformance;

namespace {

const weft::context_key<int> request_id{"request_id"};
const weft::context_key<std::string> user{"user"};

bool closed(const weft::done_chan& c) {
  bool is_closed = false;
  (void)c.try_recv(is_closed);
  return is_closed;
}

void expect_ended(const weft::context& ctx, const weft::error& err, const weft::error& cause) {
  EXPECT_TRUE(closed(ctx.done()));
  EXPECT_EQ(ctx.err(), err) << ctx.err().message();
  EXPECT_EQ(weft::cause(ctx), cause) << weft::cause(ctx).message();
}

void expect_live(const weft::context& ctx) {
  EXPECT_FALSE(closed(ctx.done()));
  EXPECT_FALSE(ctx.err());
  EXPECT_FALSE(weft::cause(ctx));
}

TEST(Context, BackgroundIsNeverCancelled) {
  for (const weft::context& ctx : {weft::background(), weft::todo()}) {
    EXPECT_TRUE(ctx.done() == nullptr);
    EXPECT_FALSE(ctx.err());
    EXPECT_FALSE(weft::cause(ctx));
    EXPECT_FALSE(ctx.deadline());
    EXPECT_EQ(ctx.value(request_id), nullptr);
  }
}

TEST(Context, CancelEndsIt) {
  on_one_p([] {
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    expect_live(ctx);
    cancel();
    expect_ended(ctx, weft::canceled, weft::canceled);
    cancel();  // no effect
    expect_ended(ctx, weft::canceled, weft::canceled);
    EXPECT_EQ(ctx.err().message(), "context canceled");
  });
}

TEST(Context, DoneIsTheSameChannelAlways) {
  auto [ctx, cancel] = weft::with_cancel(weft::background());
  const weft::done_chan before = ctx.done();
  EXPECT_TRUE(ctx.done() == before);
  cancel();
  EXPECT_TRUE(ctx.done() == before);
}

TEST(Context, DoneFirstAskedForAfterTheEndIsClosed) {
  auto [ctx, cancel] = weft::with_cancel(weft::background());
  cancel();
  EXPECT_TRUE(closed(ctx.done()));
}

TEST(Context, CancelFuncCancelsWhenItIsDestroyed) {
  weft::context kept;
  {
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    kept = ctx;
  }
  EXPECT_EQ(kept.err(), weft::canceled);
  weft::cancel_func outer;
  {
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    kept = ctx;
    outer = std::move(cancel);
  }
  expect_live(kept);
  outer();
  EXPECT_EQ(kept.err(), weft::canceled);
}

TEST(Context, FirstCauseWinsAndErrStaysCanceled) {
  const weft::error why("disk full");
  auto [ctx, cancel] = weft::with_cancel_cause(weft::background());
  cancel(why);
  cancel(weft::error("later"));
  expect_ended(ctx, weft::canceled, why);
}

TEST(Context, NoCauseMeansCanceled) {
  auto [ctx, cancel] = weft::with_cancel_cause(weft::background());
  cancel(weft::error{});
  expect_ended(ctx, weft::canceled, weft::canceled);
}

TEST(Context, DeadlineEndsIt) {
  on_one_p([] {
    const auto start = weft::now();
    auto [ctx, cancel] = weft::with_timeout(weft::background(), 5ms);
    EXPECT_GE(*ctx.deadline(), start + 5ms);
    (void)ctx.done().recv();
    EXPECT_GE(weft::now() - start, 5ms);
    expect_ended(ctx, weft::deadline_exceeded, weft::deadline_exceeded);
    EXPECT_EQ(ctx.err().message(), "context deadline exceeded");
    EXPECT_TRUE(ctx.err().timeout());
    EXPECT_FALSE(weft::canceled.timeout());
    EXPECT_FALSE(weft::canceled == weft::deadline_exceeded);
  });
}

TEST(Context, DeadlineWithACause) {
  on_one_p([] {
    const weft::error why("upstream too slow");
    auto [ctx, cancel] = weft::with_timeout(weft::background(), 2ms, why);
    (void)ctx.done().recv();
    expect_ended(ctx, weft::deadline_exceeded, why);
  });
}

TEST(Context, ExplicitCancelDoesNotUseTheDeadlinesCause) {
  auto [ctx, cancel] = weft::with_timeout(weft::background(), 1h, weft::error("unused"));
  cancel();
  expect_ended(ctx, weft::canceled, weft::canceled);
}

TEST(Context, DeadlineInThePastEndsItBeforeReturn) {
  auto [a, cancel_a] = weft::with_timeout(weft::background(), 0s);
  EXPECT_EQ(a.err(), weft::deadline_exceeded);
  auto [b, cancel_b] = weft::with_deadline(weft::background(), weft::now() - 1s);
  EXPECT_EQ(b.err(), weft::deadline_exceeded);
  EXPECT_TRUE(closed(b.done()));
  auto [c, cancel_c] = weft::with_timeout(weft::background(), std::chrono::hours::min());
  EXPECT_EQ(c.err(), weft::deadline_exceeded);
}

TEST(Context, LaterDeadlineThanTheParentsReportsTheParents) {
  auto [parent, cancel_parent] = weft::with_timeout(weft::background(), 1h);
  auto [ctx, cancel] = weft::with_timeout(parent, 2h);
  EXPECT_EQ(ctx.deadline(), parent.deadline());
  EXPECT_EQ(ctx.string().find("WithDeadline"), ctx.string().rfind("WithDeadline"));
  auto [sooner, cancel_sooner] = weft::with_timeout(ctx, 1min);
  EXPECT_LT(*sooner.deadline(), *ctx.deadline());
}

TEST(Context, HugeTimeoutsDoNotOverflow) {
  auto [ctx, cancel] = weft::with_timeout(weft::background(), std::chrono::hours::max());
  expect_live(ctx);
  EXPECT_GT(*ctx.deadline(), weft::now() + 24h * 365);
}

TEST(Context, CancelGoesDownTheTreeBeforeItReturns) {
  on_one_p([] {
    auto [root, cancel] = weft::with_cancel(weft::background());
    std::vector<weft::context> below;
    std::vector<weft::cancel_func> keep;
    below.push_back(root);
    for (size_t i = 0; i < 50; ++i) {
      auto [child, c] = weft::with_cancel(weft::with_value(below[i / 2], request_id, 1));
      below.push_back(child);
      keep.push_back(std::move(c));
    }
    for (const auto& ctx : below) expect_live(ctx);
    cancel();
    for (const auto& ctx : below) expect_ended(ctx, weft::canceled, weft::canceled);
  });
}

TEST(Context, CancelOfAChildLeavesTheParentLive) {
  auto [parent, cancel_parent] = weft::with_cancel(weft::background());
  auto [a, cancel_a] = weft::with_cancel(parent);
  auto [b, cancel_b] = weft::with_cancel(parent);
  cancel_a();
  expect_ended(a, weft::canceled, weft::canceled);
  expect_live(parent);
  expect_live(b);
}

TEST(Context, ChildOfACancelledParentIsBornCancelled) {
  const weft::error why("shutting down");
  auto [parent, cancel_parent] = weft::with_cancel_cause(weft::background());
  cancel_parent(why);
  auto [ctx, cancel] = weft::with_timeout(parent, 1h);
  expect_ended(ctx, weft::canceled, why);
}

TEST(Context, CausesAreInherited) {
  const weft::error why("client went away");
  auto [parent, cancel_parent] = weft::with_cancel_cause(weft::background());
  auto [ctx, cancel] = weft::with_timeout(parent, 1h, weft::error("unused"));
  cancel_parent(why);
  cancel();
  expect_ended(ctx, weft::canceled, why);
}

TEST(Context, ParentsDeadlineGoesDown) {
  on_one_p([] {
    auto [parent, cancel_parent] = weft::with_timeout(weft::background(), 2ms);
    auto [ctx, cancel] = weft::with_cancel(parent);
    (void)ctx.done().recv();
    expect_ended(ctx, weft::deadline_exceeded, weft::deadline_exceeded);
  });
}

TEST(Context, WithoutCancelKeepsOnlyTheValues) {
  auto [parent, cancel] =
      weft::with_timeout(weft::with_value(weft::background(), request_id, 7), 1h);
  const weft::context ctx = weft::without_cancel(parent);
  cancel();
  EXPECT_TRUE(ctx.done() == nullptr);
  EXPECT_FALSE(ctx.err());
  EXPECT_FALSE(ctx.deadline());
  EXPECT_FALSE(weft::cause(ctx));
  EXPECT_EQ(*ctx.value(request_id), 7);
}

TEST(Context, ValuesAreFoundGoingUp) {
  const weft::context one = weft::with_value(weft::background(), request_id, 1);
  const weft::context two = weft::with_value(one, user, "gopher");
  auto [three, cancel] = weft::with_cancel(weft::with_value(two, request_id, 3));
  EXPECT_EQ(*one.value(request_id), 1);
  EXPECT_EQ(one.value(user), nullptr);
  EXPECT_EQ(*two.value(request_id), 1);
  EXPECT_EQ(*three.value(request_id), 3);
  EXPECT_EQ(*three.value(user), "gopher");
}

TEST(Context, OrdinaryKeysCompareByTypeAndValue) {
  struct key {
    int n;
    bool operator==(const key&) const = default;
  };
  const weft::context ctx =
      weft::with_value(weft::with_value(weft::background(), key{1}, 10), "name", 2.5);
  EXPECT_EQ(*ctx.value<int>(key{1}), 10);
  EXPECT_EQ(ctx.value<int>(key{2}), nullptr);
  EXPECT_EQ(ctx.value<int>(1), nullptr);  // another type
  EXPECT_EQ(*ctx.value<double>("name"), 2.5);
  EXPECT_EQ(ctx.value<int>("name"), nullptr);  // another type of value
}

TEST(Context, MisusePanics) {
  EXPECT_EQ(panic_of([] { (void)weft::with_value(weft::background(), nullptr, 1); }), "nil key");
  EXPECT_EQ(panic_of([] {
              const int* none = nullptr;
              (void)weft::with_value(weft::background(), none, 1);
            }),
            "nil key");
  const weft::context nil;
  const std::string text = "cannot create context from nil parent";
  EXPECT_EQ(panic_of([&] { (void)weft::with_cancel(nil); }), text);
  EXPECT_EQ(panic_of([&] { (void)weft::with_cancel_cause(nil); }), text);
  EXPECT_EQ(panic_of([&] { (void)weft::with_timeout(nil, 1s); }), text);
  EXPECT_EQ(panic_of([&] { (void)weft::with_value(nil, request_id, 1); }), text);
  EXPECT_EQ(panic_of([&] { (void)weft::without_cancel(nil); }), text);
}

TEST(Context, ErrIsSetExactlyWhenDoneIsClosed) {
  on_four_ps([] {
    for (int i = 0; i < 300; ++i) {
      auto [ctx, cancel] = weft::with_cancel(weft::background());
      auto by_err = weft::spawn([c = ctx] {
        while (!c.err()) weft::yield();
        EXPECT_TRUE(closed(c.done()));
      });
      auto by_done = weft::spawn([c = ctx] {
        (void)c.done().recv();
        EXPECT_EQ(c.err(), weft::canceled);
        EXPECT_EQ(weft::cause(c), weft::canceled);
      });
      cancel();
      by_err.join();
      by_done.join();
    }
  });
}

TEST(Context, ManyCancelAtOnce) {
  on_four_ps([] {
    for (int i = 0; i < 100; ++i) {
      auto [ctx, cancel] = weft::with_cancel_cause(weft::background());
      auto [child, cancel_child] = weft::with_timeout(ctx, 50us);
      weft::wait_group all;
      for (int g = 0; g < 4; ++g) all.go([&cancel] { cancel(weft::error("one of four")); });
      (void)child.done().recv();
      all.wait();
      EXPECT_TRUE(child.err());
      EXPECT_EQ(weft::cause(ctx).message(), "one of four");
    }
  });
}

TEST(Context, AfterFuncRunsOnceInItsOwnGoroutine) {
  on_one_p([] {
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    auto ran = weft::make_chan<uint64_t>(2);
    auto stop = weft::after_func(ctx, [=] { ran.send(weft::goroutine_id()); });
    EXPECT_EQ(ran.len(), 0u);
    cancel();
    const uint64_t id = *ran.recv();
    EXPECT_NE(id, weft::goroutine_id());
    EXPECT_FALSE(stop());
    EXPECT_EQ(ran.len(), 0u);
  });
}

TEST(Context, AfterFuncOfAnEndedContextRunsAtOnce) {
  on_one_p([] {
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    cancel();
    auto ran = weft::make_chan<int>();
    auto stop = weft::after_func(ctx, [=] { ran.send(1); });
    EXPECT_EQ(ran.recv(), 1);
    EXPECT_FALSE(stop());
  });
}

TEST(Context, StopPreventsAfterFuncOnce) {
  on_one_p([] {
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    bool ran = false;
    auto stop = weft::after_func(ctx, [&ran] { ran = true; });
    EXPECT_TRUE(stop());
    EXPECT_FALSE(stop());
    cancel();
    for (int i = 0; i < 5; ++i) weft::yield();
    EXPECT_FALSE(ran);
    auto never = weft::after_func(weft::background(), [] {});
    EXPECT_TRUE(never());
    EXPECT_FALSE(never());
  });
}

TEST(Context, StopDoesNotWaitForTheFunction) {
  on_one_p([] {
    auto [ctx, cancel] = weft::with_cancel(weft::background());
    auto started = weft::make_chan<int>();
    auto go_on = weft::make_chan<int>();
    auto stop = weft::after_func(ctx, [=] {
      started.send(1);
      (void)go_on.recv();
    });
    cancel();
    (void)started.recv();
    EXPECT_FALSE(stop());  // and returns, though it runs
    go_on.send(1);
  });
}

TEST(Context, String) {
  EXPECT_EQ(weft::background().string(), "context.Background");
  auto [a, cancel_a] = weft::with_cancel(weft::background());
  EXPECT_EQ(a.string(), "context.Background.WithCancel");
  auto [b, cancel_b] = weft::with_timeout(a, 90min);
  const weft::context c = weft::with_value(weft::with_value(b, user, "gopher"), request_id, 5);
  const std::string text = c.string();
  EXPECT_EQ(text.find("context.Background.WithCancel.WithDeadline("), 0u) << text;
  EXPECT_NE(text.find(" +0000 UTC [1h29m59."), std::string::npos) << text;
  EXPECT_NE(text.find("s]).WithValue(user, gopher).WithValue(request_id, int)"), std::string::npos)
      << text;
  EXPECT_EQ(weft::without_cancel(a).string(), "context.Background.WithCancel.WithoutCancel");
}

TEST(Context, SelectOnDone) {
  on_one_p([] {
    auto c = weft::make_chan<int>();
    auto [ctx, cancel] = weft::with_timeout(weft::background(), 1ms);
    bool done = false;
    EXPECT_EQ(weft::select(weft::on_recv(c), weft::on_done(ctx, [&] { done = true; })), 1);
    EXPECT_TRUE(done);
    EXPECT_EQ(weft::select(weft::on_done(weft::background()), weft::otherwise()), 1);
    EXPECT_EQ(weft::select(weft::on_done(weft::context(ctx))), 0);
  });
}

}  // namespace
