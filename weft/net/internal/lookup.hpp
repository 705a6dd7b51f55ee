// SPDX-License-Identifier: Apache-2.0
// What lookups stand on, for tests: a resolver that hangs, fails or is late.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "weft/base/error.hpp"
#include "weft/net/address.hpp"

namespace weft::rt {

/// A numeric address; false if `host` is none.
[[nodiscard]] bool parse_numeric(const std::string& host, net::address& out);

/// Resolves a name; may block its thread or park. Errors are whole: `lookup NAME: ...`.
using lookup_function = result<std::vector<net::address>> (*)(const std::string& name);
/// Replaces the system's resolver; null: back to it. For lookups that begin afterwards.
WEFT_API void set_lookup_function(lookup_function f) noexcept;
/// Names that somebody waits for or the system is looking up.
[[nodiscard]] WEFT_API size_t lookups_in_flight();

}  // namespace weft::rt
