// SPDX-License-Identifier: Apache-2.0
// Times in headers (RFC 9110 5.6.7).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "weft/base/export.hpp"

namespace weft::rt {

/// "Sun, 06 Nov 1994 08:49:37 GMT", for years 0 to 9999.
struct http_date {
  std::array<char, 29> text;
  [[nodiscard]] std::string_view view() const noexcept { return {text.data(), text.size()}; }
};
/// `seconds` since 1970, UTC.
[[nodiscard]] WEFT_API http_date format_http_date(int64_t seconds) noexcept;
/// Of that form, and of the two old ones that a recipient must accept (RFC 850's, asctime's).
[[nodiscard]] WEFT_API std::optional<int64_t> parse_http_date(std::string_view text) noexcept;

}  // namespace weft::rt
