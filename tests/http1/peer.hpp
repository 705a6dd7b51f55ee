// SPDX-License-Identifier: Apache-2.0
// The same message, read by another parser: Debian's http-parser.
#pragma once

#include <string_view>

#include "weft/http/h1_judge_testing.hpp"

namespace http1_test {

/// False: this build has no other parser.
[[nodiscard]] bool have_peer();

/// What the other parser makes of `wire`. `why.status` is 1 if it refuses, 2 if it knows no such
/// method; kind, host, path and expect_continue are not filled in.
[[nodiscard]] h1_test::outcome ask_peer(std::string_view wire, const h1_test::options& how);

}  // namespace http1_test
