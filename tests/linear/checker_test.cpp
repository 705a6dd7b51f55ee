// SPDX-License-Identifier: Apache-2.0
// The checker itself: histories whose verdict is known, and random ones against trying all orders.
#include "checker.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "models.hpp"

namespace {

using namespace linear;

chan_op send(int v) { return {chan_call::send, chan_answer::ok, v}; }
chan_op recv(int v) { return {chan_call::recv, chan_answer::ok, v}; }
chan_op try_recv_none() { return {chan_call::try_recv, chan_answer::blocked}; }
chan_op try_send_full(int v) { return {chan_call::try_send, chan_answer::blocked, v}; }
chan_op close() { return {chan_call::close, chan_answer::ok}; }
chan_op end() { return {chan_call::recv, chan_answer::closed}; }
chan_op send_panics(int v) { return {chan_call::send, chan_answer::closed, v}; }

bool queue_ok(const history<chan_op>& ops, size_t capacity = 4) {
  return is_linearizable(ops, chan_model{.capacity = capacity});
}

TEST(Checker, OneAfterTheOther) {
  EXPECT_TRUE(queue_ok({{1, 2, send(1)}, {3, 4, send(2)}, {5, 6, recv(1)}, {7, 8, recv(2)}}));
  EXPECT_FALSE(queue_ok({{1, 2, send(1)}, {3, 4, send(2)}, {5, 6, recv(2)}, {7, 8, recv(1)}}));
}

TEST(Checker, OverlappingSendsHaveEitherOrder) {
  EXPECT_TRUE(queue_ok({{1, 4, send(1)}, {2, 3, send(2)}, {5, 6, recv(2)}, {7, 8, recv(1)}}));
  EXPECT_TRUE(queue_ok({{1, 4, send(1)}, {2, 3, send(2)}, {5, 6, recv(1)}, {7, 8, recv(2)}}));
}

TEST(Checker, ValuesAreNeitherInventedNorLostNorDoubled) {
  EXPECT_FALSE(queue_ok({{1, 2, recv(1)}, {3, 4, send(1)}}));
  EXPECT_FALSE(queue_ok({{1, 2, send(1)}, {3, 6, recv(1)}, {4, 5, recv(1)}}));
  EXPECT_FALSE(queue_ok({{1, 2, send(1)}, {3, 4, try_recv_none()}}));
  EXPECT_TRUE(queue_ok({{1, 3, send(1)}, {2, 4, try_recv_none()}}));
}

TEST(Checker, CapacityBinds) {
  EXPECT_FALSE(queue_ok({{1, 2, send(1)}, {3, 4, send(2)}, {5, 6, recv(1)}, {7, 8, recv(2)}}, 1));
  EXPECT_TRUE(queue_ok({{1, 2, send(1)}, {3, 6, send(2)}, {4, 5, recv(1)}, {7, 8, recv(2)}}, 1));
  EXPECT_FALSE(queue_ok({{1, 2, send(1)}, {3, 4, try_send_full(2)}}, 2));
  EXPECT_TRUE(queue_ok({{1, 2, send(1)}, {3, 4, try_send_full(2)}}, 1));
}

TEST(Checker, CloseEndsWhatComesAfter) {
  EXPECT_TRUE(queue_ok({{1, 2, send(1)}, {3, 4, close()}, {5, 6, recv(1)}, {7, 8, end()}}));
  EXPECT_FALSE(queue_ok({{1, 2, send(1)}, {3, 4, close()}, {5, 6, end()}, {7, 8, recv(1)}}));
  EXPECT_FALSE(queue_ok({{1, 2, close()}, {3, 4, send(1)}}));
  EXPECT_FALSE(queue_ok({{1, 2, send_panics(1)}, {3, 4, close()}}));
  EXPECT_TRUE(queue_ok({{1, 4, send_panics(1)}, {2, 3, close()}}));
}

TEST(Checker, AWrongFirstChoiceIsTakenBack) {
  // The receives prove that 3, which overlaps everything, came first.
  EXPECT_TRUE(queue_ok({{1, 2, send(1)},
                        {3, 4, send(2)},
                        {0, 20, send(3)},
                        {5, 6, recv(3)},
                        {7, 8, recv(1)},
                        {9, 10, recv(2)}}));
}

TEST(Checker, PairsWithoutABufferMustMeet) {
  history<chan_op> joined;
  EXPECT_TRUE(join_pairs({{1, 4, send(1)}, {2, 3, recv(1)}}, joined));
  EXPECT_TRUE(is_linearizable(joined, rendezvous_model{}));
  joined.clear();
  EXPECT_FALSE(join_pairs({{1, 2, send(1)}, {3, 4, recv(1)}}, joined));
  joined.clear();
  EXPECT_FALSE(join_pairs({{1, 2, send(1)}}, joined));
  joined.clear();
  EXPECT_FALSE(join_pairs({{1, 4, send(1)}, {2, 3, recv(1)}, {5, 6, recv(1)}}, joined));
  joined.clear();
  ASSERT_TRUE(join_pairs({{1, 2, close()}, {3, 6, send(1)}, {4, 5, recv(1)}}, joined));
  EXPECT_FALSE(is_linearizable(joined, rendezvous_model{}));
}

TEST(Checker, LocksExclude) {
  using enum lock_call;
  EXPECT_FALSE(is_linearizable<lock_op>({{1, 2, {lock, 1}}, {3, 4, {lock, 2}}}, lock_model{}));
  EXPECT_TRUE(is_linearizable<lock_op>({{1, 2, {lock, 1}}, {3, 6, {lock, 2}}, {4, 5, {unlock, 1}}},
                                       lock_model{}));
  EXPECT_FALSE(is_linearizable<lock_op>({{1, 2, {try_lock, 1, false}}}, lock_model{}));
  EXPECT_FALSE(is_linearizable<lock_op>({{1, 2, {lock, 1}}, {3, 4, {unlock, 2}}}, lock_model{}));
  // Two locks, each held once: fine, seen object by object.
  EXPECT_TRUE(
      is_linearizable(history<lock_op>{{1, 2, {lock, 1, true, 0}}, {3, 4, {lock, 2, true, 1}}},
                      lock_model{}, [](const lock_op& op) { return op.lock; }));
}

TEST(Checker, SemaphoresCount) {
  using enum sema_call;
  EXPECT_TRUE(is_linearizable<sema_op>({{1, 2, {acquire, 2}}, {3, 4, {try_acquire, 2, false}}},
                                       sema_model{.free = 3}));
  EXPECT_FALSE(is_linearizable<sema_op>({{1, 2, {acquire, 2}}, {3, 4, {acquire, 2}}},
                                        sema_model{.free = 3}));
  EXPECT_FALSE(is_linearizable<sema_op>({{1, 2, {acquire, 1}}, {3, 4, {try_acquire, 2, false}}},
                                        sema_model{.free = 3}));
}

/// Tries all orders.
bool some_order_fits(const history<chan_op>& ops, size_t capacity) {
  std::vector<size_t> order(ops.size());
  std::iota(order.begin(), order.end(), size_t{0});
  do {
    bool fits = true;
    chan_model state{.capacity = capacity};
    for (size_t i = 0; fits && i < order.size(); ++i) {
      for (size_t j = i + 1; j < order.size(); ++j)
        fits = fits && ops[order[i]].called < ops[order[j]].returned;
      fits = fits && state.apply(ops[order[i]].op);
    }
    if (fits) return true;
  } while (std::next_permutation(order.begin(), order.end()));
  return false;
}

TEST(Checker, AgreesWithTryingAllOrders) {
  std::mt19937 random(1);
  int linearizable = 0;
  constexpr int rounds = 3000;
  for (int round = 0; round < rounds; ++round) {
    const size_t n = 2 + random() % 5;
    std::vector<uint64_t> moments(2 * n);
    std::iota(moments.begin(), moments.end(), uint64_t{0});
    std::shuffle(moments.begin(), moments.end(), random);
    history<chan_op> ops;
    for (size_t i = 0; i < n; ++i) {
      const auto call = static_cast<chan_call>(random() % 8 == 0 ? 4 : random() % 4);
      const auto answer = static_cast<chan_answer>(random() % 4 == 0 ? random() % 3 : 0);
      const auto [called, returned] = std::minmax(moments[2 * i], moments[2 * i + 1]);
      ops.push_back({called, returned, {call, answer, static_cast<int>(random() % 2)}});
    }
    const bool expected = some_order_fits(ops, 2);
    EXPECT_EQ(is_linearizable(ops, chan_model{.capacity = 2}), expected);
    linearizable += expected ? 1 : 0;
  }
  EXPECT_GT(linearizable, rounds / 20);
  EXPECT_LT(linearizable, rounds / 2);
}

}  // namespace
