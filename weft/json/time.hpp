// SPDX-License-Identifier: Apache-2.0
// Durations and times in JSON, as Go spells them: "1h15m0.5s", "2026-11-27T05:14:29.5Z".
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "weft/base/chrono.hpp"
#include "weft/base/error.hpp"
#include "weft/base/export.hpp"
#include "weft/json/fields.hpp"
#include "weft/json/reader.hpp"
#include "weft/json/writer.hpp"

namespace weft::json {

/// A duration from Go's notation: decimal numbers with units (ns, us, µs, ms, s, m, h), one after
/// the other: "300ms", "-1.5h", "2h45m". What is finer than a nanosecond or beyond 292 years is
/// refused.
[[nodiscard]] WEFT_API result<std::chrono::nanoseconds> parse_duration(std::string_view text);
/// The same back: "1h15m0.5s", "250ms", "0s".
[[nodiscard]] WEFT_API std::string format_duration(std::chrono::nanoseconds duration);

/// Nanoseconds since 1970 from RFC 3339, with any offset; and back, in UTC.
[[nodiscard]] WEFT_API result<std::chrono::nanoseconds> parse_time(std::string_view text);
[[nodiscard]] WEFT_API std::string format_time(std::chrono::nanoseconds since_1970);

}  // namespace weft::json

namespace weft::rt::json_impl {

WEFT_API bool read_span(json::reader& in, std::chrono::nanoseconds& out, bool point,
                        bool& was_null);
/// `value` is not a whole number of the unit that it is read into.
WEFT_API bool too_fine(json::reader& in, size_t at);

/// Reads into any integral duration; what it cannot hold exactly is refused.
template <class D>
bool read_duration(json::reader& in, D& out, bool point) {
  std::chrono::nanoseconds exact{};
  bool was_null = false;
  const size_t at = in.offset();
  if (!read_span(in, exact, point, was_null)) return false;
  if (was_null) return true;
  D rounded = std::chrono::duration_cast<D>(exact);
  if (!std::is_floating_point_v<typename D::rep> && rounded != exact) return too_fine(in, at);
  out = rounded;
  return true;
}

}  // namespace weft::rt::json_impl

namespace weft::json {

template <class Rep, class Period>
struct codec<std::chrono::duration<Rep, Period>> {
  using duration = std::chrono::duration<Rep, Period>;
  static bool read(reader& in, duration& out) {
    return rt::json_impl::read_duration(in, out, false);
  }
  static bool write(writer& out, const duration& value) {
    return out.string(format_duration(std::chrono::duration_cast<std::chrono::nanoseconds>(value)));
  }
};

template <class Duration>
struct codec<std::chrono::time_point<std::chrono::system_clock, Duration>> {
  using time_point = std::chrono::time_point<std::chrono::system_clock, Duration>;
  static bool read(reader& in, time_point& out) {
    Duration since = out.time_since_epoch();
    if (!rt::json_impl::read_duration(in, since, true)) return false;
    out = time_point(since);
    return true;
  }
  static bool write(writer& out, const time_point& value) {
    return out.string(format_time(
        std::chrono::duration_cast<std::chrono::nanoseconds>(value.time_since_epoch())));
  }
};

}  // namespace weft::json
