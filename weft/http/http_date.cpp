// SPDX-License-Identifier: Apache-2.0
// Times in headers, without locales and time zones. Days are counted as in Howard Hinnant's
// "chrono-Compatible Low-Level Date Algorithms" (days_from_civil, civil_from_days), by <chrono>.
#include "weft/http/internal/http_date.hpp"

#include <algorithm>
#include <chrono>
#include <cstddef>

namespace weft::rt {

namespace {

constexpr std::string_view days = "SunMonTueWedThuFriSat";
constexpr std::string_view months = "JanFebMarAprMayJunJulAugSepOctNovDec";

void two_digits(char* to, unsigned value) noexcept {
  to[0] = static_cast<char>('0' + value / 10);
  to[1] = static_cast<char>('0' + value % 10);
}

/// Cuts pieces off a text; once one does not fit, all of it is wrong.
struct reader {
  std::string_view left;
  bool good = true;

  void literal(std::string_view wanted) noexcept {
    good = good && left.starts_with(wanted);
    if (good) left.remove_prefix(wanted.size());
  }
  unsigned number(size_t digits) noexcept {
    unsigned value = 0;
    good = good && left.size() >= digits;
    for (size_t i = 0; good && i < digits; ++i) {
      good = left[i] >= '0' && left[i] <= '9';
      value = value * 10 + static_cast<unsigned>(left[i] - '0');
    }
    if (good) left.remove_prefix(digits);
    return value;
  }
  /// 1-based.
  unsigned month() noexcept {
    const size_t at = left.size() < 3 ? std::string_view::npos : months.find(left.substr(0, 3));
    good = good && at != std::string_view::npos && at % 3 == 0;
    if (good) left.remove_prefix(3);
    return good ? static_cast<unsigned>(at / 3 + 1) : 1;
  }
  void day_name(bool whole) noexcept {
    size_t letters = 0;
    while (letters < left.size() &&
           ((left[letters] | 0x20) >= 'a' && (left[letters] | 0x20) <= 'z'))
      ++letters;
    const size_t at = letters < 3 ? std::string_view::npos : days.find(left.substr(0, 3));
    good =
        good && at != std::string_view::npos && at % 3 == 0 && (whole ? letters > 5 : letters == 3);
    if (good) left.remove_prefix(letters);
  }
};

}  // namespace

http_date format_http_date(int64_t seconds) noexcept {
  using namespace std::chrono;
  const sys_seconds when{std::chrono::seconds(seconds)};
  const sys_days day = floor<std::chrono::days>(when);
  const year_month_day date{day};
  const auto rest = static_cast<unsigned>((when - day).count());
  http_date out{{"Xxx, 00 Xxx 0000 00:00:00 GM"}};
  char* at = out.text.data();
  std::copy_n(rt::days.data() + size_t{weekday{day}.c_encoding()} * 3, 3, at);
  two_digits(at + 5, static_cast<unsigned>(date.day()));
  std::copy_n(months.data() + (static_cast<unsigned>(date.month()) - 1) * size_t{3}, 3, at + 8);
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));
  two_digits(at + 12, year / 100 % 100);
  two_digits(at + 14, year % 100);
  two_digits(at + 17, rest / 3600);
  two_digits(at + 20, rest / 60 % 60);
  two_digits(at + 23, rest % 60);
  out.text[28] = 'T';
  return out;
}

std::optional<int64_t> parse_http_date(std::string_view text) noexcept {
  unsigned day = 0, month = 0, hour = 0, minute = 0, second = 0;
  int year = 0;
  const auto clock = [&](reader& r) {
    hour = r.number(2);
    r.literal(":");
    minute = r.number(2);
    r.literal(":");
    second = r.number(2);
  };
  reader r{text};
  if (text.size() > 3 && text[3] == ',') {
    r.day_name(false);
    r.literal(", ");
    day = r.number(2);
    r.literal(" ");
    month = r.month();
    r.literal(" ");
    year = static_cast<int>(r.number(4));
    r.literal(" ");
    clock(r);
    r.literal(" GMT");
  } else if (text.size() > 3 && text[3] == ' ') {
    r.day_name(false);
    r.literal(" ");
    month = r.month();
    r.literal(" ");
    if (r.left.starts_with(' ')) {
      r.literal(" ");
      day = r.number(1);
    } else {
      day = r.number(2);
    }
    r.literal(" ");
    clock(r);
    r.literal(" ");
    year = static_cast<int>(r.number(4));
  } else {
    r.day_name(true);
    r.literal(", ");
    day = r.number(2);
    r.literal("-");
    month = r.month();
    r.literal("-");
    // More than 50 years ahead would be the century before (RFC 9110): no such file is served.
    const auto two = static_cast<int>(r.number(2));
    constexpr int pivot = 70;
    year = two < pivot ? 2000 + two : 1900 + two;
    r.literal(" ");
    clock(r);
    r.literal(" GMT");
  }
  if (!r.good || !r.left.empty() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  using namespace std::chrono;
  const year_month_day date{std::chrono::year(year), std::chrono::month(month),
                            std::chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  return sys_days{date}.time_since_epoch().count() * int64_t{86400} + hour * 3600 + minute * 60 +
         second;
}

}  // namespace weft::rt
