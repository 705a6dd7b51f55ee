// SPDX-License-Identifier: Apache-2.0
// defer runs at every exit of a scope.
#include "weft/base/defer.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>

#include "weft/base/death_testing.hpp"

namespace weft {
namespace {

TEST(Defer, RunsInReverseOrder) {
  std::string order;
  {
    defer first([&] { order += 'a'; });
    defer second([&] { order += 'b'; });
    EXPECT_EQ(order, "");
  }
  EXPECT_EQ(order, "ba");
}

TEST(Defer, RunsWhenAnExceptionLeaves) {
  bool ran = false;
  try {
    defer cleanup([&] { ran = true; });
    throw std::runtime_error("x");
  } catch (const std::runtime_error&) {
    EXPECT_TRUE(ran);
  }
}

TEST(Defer, ItsOwnExceptionLeavesTheScope) {
  auto scope = [] { defer cleanup([] { throw std::runtime_error("from defer"); }); };
  EXPECT_THROW(scope(), std::runtime_error);
}

TEST(Defer, TakesFunctionsThatOnlyMove) {
  auto owned = std::make_unique<int>(3);
  int seen = 0;
  {
    defer cleanup([value = std::move(owned), &seen] { seen = *value; });
  }
  EXPECT_EQ(seen, 3);
}

TEST(Defer, ASecondExceptionTerminates) {
  auto d = rt::testing::die_in_child([] {
    try {
      defer cleanup([] { throw std::runtime_error("second"); });
      throw std::runtime_error("first");
    } catch (...) {
    }
  });
  EXPECT_EQ(d.signal, SIGABRT);
}

}  // namespace
}  // namespace weft
