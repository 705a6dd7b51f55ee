// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace load {

/// 1234567 as "1,234,567".
[[nodiscard]] std::string with_commas(uint64_t number);
/// Nanoseconds in three digits and a unit: "1.42 ms".
[[nodiscard]] std::string time_text(double ns);
/// "6.1 MiB".
[[nodiscard]] std::string bytes_text(double bytes);
/// "41.2k", short enough for the labels of an axis.
[[nodiscard]] std::string short_count(double number);
/// Three significant digits or more: "0.123", "4.56", "78.9", "1234".
[[nodiscard]] std::string three_digits(double number);
/// A JSON string, quotes included. What is no UTF-8 is replaced.
[[nodiscard]] std::string json_string(std::string_view text);

}  // namespace load
