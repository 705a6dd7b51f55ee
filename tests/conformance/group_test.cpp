// SPDX-License-Identifier: Apache-2.0
// spec/semantics.md §6: errgroup.
#include "weft/sync/group.hpp"

#include <string>

#include "conformance_testing.hpp"

using namespace conformance;

namespace {

TEST(Group, TheFirstErrorIsKept) {
  on_one_p([] {
    weft::group g;
    const weft::error first("first");
    g.go([=]() -> weft::result<void> { return weft::fail(first); });
    weft::yield();
    g.go([] { return weft::error("second"); });
    g.go([] {});
    g.go([]() -> weft::result<void> { return {}; });
    const weft::result<void> r = g.wait();
    ASSERT_FALSE(r.has_value());
    EXPECT_EQ(r.error(), first);
  });
}

TEST(Group, NoErrorIsSuccess) {
  on_four_ps([] {
    weft::group g;
    weft::rt::atomic<int> n{0};
    for (int i = 0; i < 50; ++i) g.go([&] { n.fetch_add(1, weft::rt::relaxed); });
    EXPECT_TRUE(g.wait().has_value());
    EXPECT_EQ(n.load(weft::rt::relaxed), 50);
  });
}

TEST(Group, TheFirstErrorCancelsTheContextWithItAsCause) {
  on_one_p([] {
    auto [g, ctx] = weft::with_group(weft::background());
    const weft::error why("part 2 failed");
    g.go([c = ctx]() -> weft::result<void> {
      (void)c.done().recv();
      return weft::fail(c.err());
    });
    g.go([=]() -> weft::result<void> { return weft::fail(why); });
    EXPECT_EQ(g.wait().error(), why);
    EXPECT_EQ(ctx.err(), weft::canceled);
    EXPECT_EQ(weft::cause(ctx), why);
  });
}

TEST(Group, WaitCancelsTheContext) {
  on_one_p([] {
    auto [g, ctx] = weft::with_group(weft::background());
    g.go([] {});
    EXPECT_TRUE(g.wait().has_value());
    EXPECT_EQ(ctx.err(), weft::canceled);
    EXPECT_EQ(weft::cause(ctx), weft::canceled);
  });
}

TEST(Group, LimitBlocksGoAndFailsTryGo) {
  on_one_p([] {
    weft::group g;
    g.limit(2);
    auto gate = weft::make_chan<int>();
    g.go([=] { (void)gate.recv(); });
    g.go([=] { (void)gate.recv(); });
    EXPECT_FALSE(g.try_go([] {}));
    watched third([&] { g.go([=] { (void)gate.recv(); }); });
    EXPECT_EQ(third.blocked_on(), "chan send");
    EXPECT_EQ(panic_of([&] { g.limit(3); }),
              "errgroup: modify limit while 2 goroutines in the group are still active");
    for (int i = 0; i < 3; ++i) gate.send(0);
    third.join();
    EXPECT_TRUE(g.wait().has_value());
    g.limit(-1);
    EXPECT_TRUE(g.try_go([] {}));
    EXPECT_TRUE(g.wait().has_value());
  });
}

TEST(Group, LimitOfZeroLetsNoneStart) {
  on_one_p([] {
    weft::group g;
    g.limit(0);
    EXPECT_FALSE(g.try_go([] {}));
  });
}

TEST(Group, NeverMoreThanTheLimitRun) {
  on_four_ps([] {
    weft::group g;
    g.limit(3);
    weft::rt::atomic<int> inside{0};
    for (int i = 0; i < 200; ++i)
      g.go([&] {
        EXPECT_LE(inside.fetch_add(1, weft::rt::seq_cst) + 1, 3);
        weft::yield();
        inside.fetch_sub(1, weft::rt::seq_cst);
      });
    EXPECT_TRUE(g.wait().has_value());
  });
}

}  // namespace
