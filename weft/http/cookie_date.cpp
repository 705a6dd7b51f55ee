// SPDX-License-Identifier: Apache-2.0
// RFC 6265 5.1.1, step by step: the first token that looks like a time is the time, and so on.
#include "weft/http/internal/cookie_date.hpp"

#include <chrono>
#include <string>

namespace weft::rt {

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_delimiter(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte == 0x09 || (byte >= 0x20 && byte <= 0x2F) || (byte >= 0x3B && byte <= 0x40) ||
         (byte >= 0x5B && byte <= 0x60) || (byte >= 0x7B && byte <= 0x7E);
}

/// `least` to `most` digits, and then none. Removes them.
bool take_number(std::string_view& text, size_t least, size_t most, int& out) noexcept {
  size_t count = 0;
  int value = 0;
  while (count < text.size() && count < most && is_digit(text[count]))
    value = value * 10 + (text[count++] - '0');
  if (count < least || (count < text.size() && is_digit(text[count]))) return false;
  text.remove_prefix(count);
  out = value;
  return true;
}

struct found {
  int hour = -1, minute = 0, second = 0, day = -1, month = -1, year = -1;
};

bool take_time(std::string_view token, found& out) noexcept {
  int parts[3];
  for (int i = 0; i < 3; ++i) {
    if (i > 0) {
      if (!token.starts_with(':')) return false;
      token.remove_prefix(1);
    }
    if (!take_number(token, 1, 2, parts[i])) return false;
  }
  out.hour = parts[0];
  out.minute = parts[1];
  out.second = parts[2];
  return true;
}

bool take_month(std::string_view token, found& out) noexcept {
  constexpr std::string_view months = "janfebmaraprmayjunjulaugsepoctnovdec";
  if (token.size() < 3) return false;
  std::string lower(token.substr(0, 3));
  for (char& c : lower) c = static_cast<char>(c | 0x20);
  const size_t at = months.find(lower);
  if (at == std::string_view::npos || at % 3 != 0) return false;
  out.month = static_cast<int>(at / 3) + 1;
  return true;
}

void read_token(std::string_view token, found& out) noexcept {
  std::string_view rest = token;
  if (out.hour < 0 && take_time(token, out)) return;
  if (out.day < 0 && take_number(rest, 1, 2, out.day)) return;
  if (out.month < 0 && take_month(token, out)) return;
  rest = token;
  if (out.year < 0) (void)take_number(rest, 2, 4, out.year);
}

}  // namespace

std::optional<int64_t> parse_cookie_date(std::string_view text) noexcept {
  found f;
  while (!text.empty()) {
    if (is_delimiter(text.front())) {
      text.remove_prefix(1);
      continue;
    }
    size_t end = 0;
    while (end < text.size() && !is_delimiter(text[end])) ++end;
    read_token(text.substr(0, end), f);
    text.remove_prefix(end);
  }
  if (f.year >= 70 && f.year <= 99) f.year += 1900;
  if (f.year >= 0 && f.year <= 69) f.year += 2000;
  if (f.hour < 0 || f.hour > 23 || f.minute > 59 || f.second > 59 || f.year < 1601)
    return std::nullopt;
  if (f.day < 1 || f.month < 1) return std::nullopt;
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(f.year),
                            std::chrono::month(static_cast<unsigned>(f.month)),
                            std::chrono::day(static_cast<unsigned>(f.day))};
  if (!date.ok()) return std::nullopt;
  return sys_days{date}.time_since_epoch().count() * int64_t{86400} + f.hour * 3600 +
         f.minute * 60 + f.second;
}

}  // namespace weft::rt
