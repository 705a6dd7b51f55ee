// SPDX-License-Identifier: Apache-2.0
// Times as they stand in cookies: in any order, as RFC 6265 5.1.1 reads them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weft::rt {

/// Seconds since 1970.
[[nodiscard]] std::optional<int64_t> parse_cookie_date(std::string_view text) noexcept;

}  // namespace weft::rt
