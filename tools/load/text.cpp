// SPDX-License-Identifier: Apache-2.0
// Formatting.
#include "text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace load {

namespace {

std::string print(const char* format, int digits, double number) {
  std::array<char, 64> out{};
  std::snprintf(out.data(), out.size(), format, digits, number);
  return out.data();
}

struct unit {
  double from;
  const char* name;
};

std::string scaled(double number, const unit* units, size_t count, const char* blank) {
  size_t i = 0;
  while (i + 1 < count && number < units[i].from * 0.9995) ++i;
  return three_digits(number / units[i].from) + blank + units[i].name;
}

/// Bytes of the UTF-8 character that `text` begins with; 0: it is none.
size_t utf8_bytes(std::string_view text) {
  const auto first = static_cast<unsigned char>(text.front());
  const size_t bytes = first < 0x80   ? 1
                       : first < 0xc2 ? 0
                       : first < 0xe0 ? 2
                       : first < 0xf0 ? 3
                       : first < 0xf5 ? 4
                                      : 0;
  if (bytes == 0 || bytes > text.size()) return 0;
  for (size_t i = 1; i < bytes; ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
  const auto second = static_cast<unsigned char>(bytes > 2 ? text[1] : 0);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool beyond = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
  return overlong || beyond ? 0 : bytes;
}

}  // namespace

std::string three_digits(double number) {
  const int digits = number < 0.9995 ? 3 : number < 9.995 ? 2 : number < 99.95 ? 1 : 0;
  return print("%.*f", digits, number);
}

std::string with_commas(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string time_text(double ns) {
  static constexpr unit units[] = {{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}, {1, "ns"}};
  return ns == 0 ? "0" : scaled(ns, units, std::size(units), " ");
}

std::string bytes_text(double bytes) {
  static constexpr unit units[] = {
      {1ULL << 40, "TiB"}, {1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}, {1, "B"}};
  if (bytes < 1024) return print("%.*f", 0, bytes) + " B";
  return scaled(bytes, units, std::size(units), " ");
}

std::string short_count(double number) {
  static constexpr unit units[] = {{1e9, "G"}, {1e6, "M"}, {1e3, "k"}, {1, ""}};
  if (number < 1000) return print("%.*f", number < 10 && number != 0 ? 1 : 0, number);
  return scaled(number, units, std::size(units), "");
}

std::string json_string(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const size_t bytes = utf8_bytes(text);
    const char c = text.front();
    if (bytes == 0) {
      out.append("\\ufffd");
    } else if (c == '"' || c == '\\') {
      out.append(1, '\\').append(1, c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      out.append(escape.data());
    } else {
      out.append(text.substr(0, bytes));
    }
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  return out.append("\"");
}

}  // namespace load
