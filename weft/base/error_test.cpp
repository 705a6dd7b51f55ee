// SPDX-License-Identifier: Apache-2.0
// Errors: identity, chains, codes, payloads.
#include "weft/base/error.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace weft {
namespace {

const error end_of_file("EOF");
const error deadline(std::make_error_code(std::errc::timed_out), "context deadline exceeded");

struct path_info {
  std::string path;
};

TEST(Error, DefaultIsNoError) {
  error none;
  EXPECT_FALSE(none);
  EXPECT_EQ(none.message(), "");
  EXPECT_EQ(none.code(), std::error_code{});
  EXPECT_FALSE(none.unwrap());
  EXPECT_FALSE(none.timeout());
  EXPECT_EQ(none.as<path_info>(), nullptr);
}

TEST(Error, IdentityIsOfTheNode) {
  EXPECT_NE(error("same"), error("same"));
  error copy = end_of_file;
  EXPECT_EQ(copy, end_of_file);
  EXPECT_TRUE(copy.is(end_of_file));
  EXPECT_FALSE(error("EOF").is(end_of_file));
}

TEST(Error, NoErrorIsOnlyNoError) {
  EXPECT_TRUE(error{}.is(error{}));
  EXPECT_FALSE(end_of_file.is(error{}));
  EXPECT_FALSE(error{}.is(end_of_file));
  EXPECT_FALSE(end_of_file.is(std::error_code{}));
}

TEST(Error, WrapKeepsTheChain) {
  error outer = error::wrap("reading config", error::wrap("line 3", end_of_file));
  EXPECT_EQ(outer.message(), "reading config: line 3: EOF");
  EXPECT_TRUE(outer.is(end_of_file));
  EXPECT_NE(outer, end_of_file);
  EXPECT_EQ(outer.unwrap().message(), "line 3: EOF");
  EXPECT_EQ(outer.unwrap().unwrap(), end_of_file);
  EXPECT_FALSE(outer.unwrap().unwrap().unwrap());
}

TEST(Error, WrapOfNothingIsAnErrorOfItsOwn) {
  error made = error::wrap("alone", error{});
  EXPECT_TRUE(made);
  EXPECT_EQ(made.message(), "alone");
}

TEST(Error, CodeIsSeenThroughTheChain) {
  error refused(std::error_code(ECONNREFUSED, std::system_category()), "connection refused");
  error outer = error::wrap("dial", refused);
  EXPECT_EQ(outer.code().value(), ECONNREFUSED);
  EXPECT_TRUE(outer.is(std::error_code(ECONNREFUSED, std::system_category())));
  EXPECT_TRUE(outer.is(std::make_error_code(std::errc::connection_refused)));
  EXPECT_FALSE(outer.is(std::make_error_code(std::errc::timed_out)));
  EXPECT_TRUE(outer.is(error(std::error_code(ECONNREFUSED, std::system_category()), "other text")));
}

TEST(Error, EmptyMessageIsTheCodesText) {
  std::error_code code(ENOENT, std::generic_category());
  EXPECT_EQ(error(code, "").message(), code.message());
}

TEST(Error, PayloadIsFoundInTheChain) {
  error with = end_of_file.with(path_info{"/etc/hosts"});
  error outer = error::wrap("open", with);
  ASSERT_NE(outer.as<path_info>(), nullptr);
  EXPECT_EQ(outer.as<path_info>()->path, "/etc/hosts");
  EXPECT_EQ(outer.as<int>(), nullptr);
  EXPECT_EQ(outer.message(), "open: EOF");
  EXPECT_TRUE(outer.is(end_of_file));
}

TEST(Error, OuterPayloadHidesTheInner) {
  error with = end_of_file.with(1).with(std::string("s")).with(2);
  EXPECT_EQ(*with.as<int>(), 2);
  EXPECT_EQ(*with.as<std::string>(), "s");
}

TEST(Error, Timeout) {
  EXPECT_TRUE(deadline.timeout());
  EXPECT_TRUE(error::wrap("get", deadline).timeout());
  EXPECT_TRUE(deadline.with(3).timeout());
  EXPECT_TRUE(error(std::error_code(ETIMEDOUT, std::system_category()), "connect").timeout());
  EXPECT_FALSE(end_of_file.timeout());
}

result<int> half(int n) {
  if (n % 2 != 0) return fail(error("odd"));
  return n / 2;
}

TEST(Result, CarriesAValueOrAnError) {
  EXPECT_EQ(half(4).value(), 2);
  ASSERT_FALSE(half(3).has_value());
  EXPECT_EQ(half(3).error().message(), "odd");
}

}  // namespace
}  // namespace weft
