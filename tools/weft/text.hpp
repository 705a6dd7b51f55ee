// SPDX-License-Identifier: Apache-2.0
// Numbers and names as people read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weft_command {

/// A value of a profile's unit: "1.50s", "512kB", "3".  As `go tool pprof` writes them.
[[nodiscard]] std::string value_text(int64_t value, std::string_view unit);
/// "42.74%", or "0" for nothing.
[[nodiscard]] std::string percent_text(int64_t part, int64_t whole);
/// Seconds in the largest two units: "2d3h", "4m10s", "850ms".
[[nodiscard]] std::string age_text(double seconds);
/// "1,234,567".
[[nodiscard]] std::string with_commas(int64_t number);
/// `name` in at most `room` characters: first without parameters, then without template arguments,
/// then without the outer namespaces, then cut. Empty if nothing useful fits.
[[nodiscard]] std::string shorten_name(std::string_view name, size_t room);
/// Text between XML or HTML tags, or in an attribute. What XML cannot hold is replaced.
[[nodiscard]] std::string xml_text(std::string_view text);

}  // namespace weft_command
