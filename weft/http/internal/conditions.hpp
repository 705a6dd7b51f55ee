// SPDX-License-Identifier: Apache-2.0
// Conditional and range requests (RFC 9110 13, 14) as functions of headers.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "weft/http/request.hpp"

namespace weft::rt {

/// What a resource is now. An empty tag: it has none; a time of -1 likewise.
struct validators {
  std::string_view etag;    // with quotes, and W/ if it is weak
  int64_t modified_s = -1;  // since 1970
};

enum class condition : uint8_t { proceed, not_modified, failed };
/// In the order of RFC 9110 13.2.2, Range aside.
[[nodiscard]] condition check_conditions(const http::request& r, const validators& now);
/// False: there is an If-Range and it does not hold, so that Range is to be ignored.
[[nodiscard]] bool check_if_range(const http::request& r, const validators& now);

struct byte_range {
  uint64_t begin = 0;
  uint64_t bytes = 0;
  friend bool operator==(const byte_range&, const byte_range&) = default;
};
enum class range_verdict : uint8_t { whole, parts, unsatisfiable };
/// `whole`: another unit than bytes, too many ranges, or more bytes than the content has: all of it
/// is sent. `unsatisfiable`: a syntax error, or no range that begins within the content.
[[nodiscard]] range_verdict parse_ranges(std::string_view value, uint64_t size,
                                         std::vector<byte_range>& out);

/// Cuts the first entity tag off `rest` (with what separates it from the next); empty: none there.
[[nodiscard]] std::string_view next_etag(std::string_view& rest);
/// Opaque parts are equal; `strong`: and neither is weak.
[[nodiscard]] bool same_etag(std::string_view a, std::string_view b, bool strong) noexcept;

}  // namespace weft::rt
