// SPDX-License-Identifier: Apache-2.0
// What the cases work on: they stand in the body of a function that has these.
#pragma once
#include <string>
#include <vector>
#include <weft/weft.hpp>

using namespace std::chrono_literals;

struct pinned {
  pinned() = default;
  pinned(const pinned&) = delete;
};
struct may_throw {
  may_throw() = default;
  may_throw(may_throw&&) noexcept(false) {}
};
struct opaque {};
struct request {
  weft::chan<request> reply;  // a channel of itself is no error
};

inline const weft::context_key<std::string> key{"key"};
