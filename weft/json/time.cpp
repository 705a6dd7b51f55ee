// SPDX-License-Identifier: Apache-2.0
// Texts of durations and times. Exact: integers throughout, in nanoseconds.
#include "weft/json/time.hpp"

#include <array>
#include <chrono>
#include <cstdio>
#include <limits>

namespace weft::json {

namespace {

using std::chrono::nanoseconds;
__extension__ using uint128 = unsigned __int128;

struct unit {
  std::string_view name;
  int64_t ns;
};
// Longer names first: "ms" is not "m".
constexpr std::array<unit, 8> units = {{{"ns", 1},
                                        {"us", 1'000},
                                        {"\u00b5s", 1'000},  // micro sign
                                        {"\u03bcs", 1'000},  // Greek mu
                                        {"ms", 1'000'000},
                                        {"s", 1'000'000'000},
                                        {"m", 60'000'000'000},
                                        {"h", 3'600'000'000'000}}};

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

error bad_duration(std::string_view text, const char* why) {
  return error("not a duration: \"" + std::string(text.substr(0, 40)) + "\": " + why +
               "; expected one like \"1.5s\" or \"2h45m\"");
}

/// A number and a unit from the front of `rest`, added to `total`. Returns what is wrong.
const char* add_part(std::string_view& rest, uint128& total) {
  constexpr uint128 limit = static_cast<uint128>(1) << 63;
  uint128 whole = 0;
  uint128 fraction = 0;
  uint128 scale = 1;
  size_t digits = 0;
  auto take_digits = [&](auto use) {
    for (; !rest.empty() && is_digit(rest[0]); rest.remove_prefix(1), ++digits) use(rest[0] - '0');
  };
  take_digits([&](int digit) {
    if (whole <= limit) whole = whole * 10 + static_cast<unsigned>(digit);
  });
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    take_digits([&](int digit) {
      // 18 digits of the largest unit are far below a nanosecond.
      if (scale < 1'000'000'000'000'000'000) {
        fraction = fraction * 10 + static_cast<unsigned>(digit);
        scale *= 10;
      } else if (digit != 0) {
        fraction |= 1;  // no multiple of the scale any more
      }
    });
  }
  if (digits == 0) return "a number is missing";
  for (const unit& each : units) {
    if (!rest.starts_with(each.name)) continue;
    rest.remove_prefix(each.name.size());
    auto ns = static_cast<uint128>(static_cast<uint64_t>(each.ns));
    if (fraction * ns % scale != 0) return "it is finer than a nanosecond";
    total += whole * ns + fraction * ns / scale;
    return total > limit ? "it is too long" : nullptr;
  }
  return "a unit is missing or unknown";
}

}  // namespace

result<nanoseconds> parse_duration(std::string_view text) {
  std::string_view rest = text;
  bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  if (rest == "0") return nanoseconds(0);
  if (rest.empty()) return weft::fail(bad_duration(text, "it is empty"));
  uint128 total = 0;
  while (!rest.empty()) {
    if (const char* why = add_part(rest, total)) return weft::fail(bad_duration(text, why));
  }
  auto magnitude = static_cast<uint64_t>(total);
  if (!negative && magnitude > uint64_t{std::numeric_limits<int64_t>::max()}) {
    return weft::fail(bad_duration(text, "it is too long"));
  }
  return nanoseconds(static_cast<int64_t>(negative ? 0 - magnitude : magnitude));
}

std::string format_duration(nanoseconds duration) {
  auto magnitude = static_cast<uint64_t>(duration.count());
  if (duration.count() < 0) magnitude = 0 - magnitude;
  if (magnitude == 0) return "0s";
  std::string text = duration.count() < 0 ? "-" : "";
  auto decimal = [&](uint64_t value, uint64_t unit_ns, const char* name) {
    text += std::to_string(value / unit_ns);
    if (uint64_t rest = value % unit_ns; rest != 0) {
      std::string digits = std::to_string(rest + unit_ns).substr(1);
      digits.erase(digits.find_last_not_of('0') + 1);
      text += '.' + digits;
    }
    text += name;
  };
  constexpr uint64_t second = 1'000'000'000;
  if (magnitude < 1'000) {
    decimal(magnitude, 1, "ns");
  } else if (magnitude < 1'000'000) {
    decimal(magnitude, 1'000, "\u00b5s");
  } else if (magnitude < second) {
    decimal(magnitude, 1'000'000, "ms");
  } else {
    uint64_t minutes = magnitude / (60 * second);
    if (minutes >= 60) text += std::to_string(minutes / 60) + 'h';
    if (minutes > 0) text += std::to_string(minutes % 60) + 'm';
    decimal(magnitude % (60 * second), second, "s");
  }
  return text;
}

// --- times ---------------------------------------------------------------------------------------

result<nanoseconds> parse_time(std::string_view text) {
  auto bad = [&](const char* why) {
    return weft::fail(error("not a time: \"" + std::string(text.substr(0, 40)) + "\": " + why +
                            "; expected one like \"2026-11-27T05:14:29.5Z\""));
  };
  // A number of exactly `digits` digits at `at`, or -1.
  auto number = [&](size_t at, size_t digits) {
    int value = 0;
    for (size_t i = at; i < at + digits; ++i) {
      if (i >= text.size() || !is_digit(text[i])) return -1;
      value = value * 10 + (text[i] - '0');
    }
    return value;
  };
  auto is = [&](size_t at, char c) { return at < text.size() && text[at] == c; };
  int year = number(0, 4), month = number(5, 2), day = number(8, 2);
  int hour = number(11, 2), minute = number(14, 2), second = number(17, 2);
  bool shape = is(4, '-') && is(7, '-') && is(10, 'T') && is(13, ':') && is(16, ':') && year >= 0 &&
               month >= 0 && day >= 0 && hour >= 0 && minute >= 0 && second >= 0;
  if (!shape) return bad("it is not of RFC 3339's form");
  size_t at = 19;
  int64_t fraction = 0;
  if (is(at, '.')) {
    int64_t unit_ns = 100'000'000;
    size_t from = ++at;
    for (; at < text.size() && is_digit(text[at]); ++at, unit_ns /= 10) {
      if (unit_ns == 0 && text[at] != '0') return bad("it is finer than a nanosecond");
      fraction += (text[at] - '0') * unit_ns;
    }
    if (at == from) return bad("a fraction without digits");
  }
  int offset_minutes = 0;
  if (is(at, '+') || is(at, '-')) {
    int hours = number(at + 1, 2), minutes = number(at + 4, 2);
    if (!is(at + 3, ':') || hours < 0 || hours > 23 || minutes < 0 || minutes > 59) {
      return bad("the offset is not of the form +01:00");
    }
    offset_minutes = (hours * 60 + minutes) * (text[at] == '-' ? -1 : 1);
    at += 6;
  } else if (is(at, 'Z')) {
    ++at;
  } else {
    return bad("the offset (Z or +01:00) is missing");
  }
  if (at != text.size()) return bad("something follows it");
  std::chrono::year_month_day date{std::chrono::year(year),
                                   std::chrono::month(static_cast<unsigned>(month)),
                                   std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 59) return bad("there is no such time");
  if (year < 1678 || year > 2261) return bad("years from 1678 to 2261 fit");
  auto since = std::chrono::sys_days(date).time_since_epoch() + std::chrono::hours(hour) +
               std::chrono::minutes(minute - offset_minutes) + std::chrono::seconds(second);
  return std::chrono::duration_cast<nanoseconds>(since) + nanoseconds(fraction);
}

std::string format_time(nanoseconds since_1970) {
  auto day = std::chrono::floor<std::chrono::days>(since_1970);
  std::chrono::year_month_day date{std::chrono::sys_days(day)};
  int64_t in_day = (since_1970 - day).count();
  int64_t seconds = in_day / 1'000'000'000;
  std::array<char, 64> text;
  int bytes = std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d",
                            static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                            static_cast<unsigned>(date.day()), static_cast<int>(seconds / 3600),
                            static_cast<int>(seconds / 60 % 60), static_cast<int>(seconds % 60));
  std::string whole(text.data(), static_cast<size_t>(bytes));
  if (int64_t fraction = in_day % 1'000'000'000; fraction != 0) {
    std::string digits = std::to_string(fraction + 1'000'000'000).substr(1);
    digits.erase(digits.find_last_not_of('0') + 1);
    whole += '.' + digits;
  }
  return whole + 'Z';
}

}  // namespace weft::json

namespace weft::rt::json_impl {

bool read_span(json::reader& in, std::chrono::nanoseconds& out, bool point, bool& was_null) {
  if (in.take_null()) {
    was_null = true;
    return true;
  }
  std::string text;
  const size_t at = in.offset();
  if (in.next() != json::kind::string) {
    return in.wrong_type(point ? "a time, a string like \"2026-11-27T05:14:29Z\""
                               : "a duration, a string like \"1.5s\"");
  }
  if (!in.read_string(text)) return false;
  result<std::chrono::nanoseconds> parsed =
      point ? json::parse_time(text) : json::parse_duration(text);
  if (!parsed) return in.fail(at, parsed.error().message());
  out = *parsed;
  return true;
}

bool too_fine(json::reader& in, size_t at) {
  return in.fail(at, "finer than the unit it is kept in", json::reason::range);
}

}  // namespace weft::rt::json_impl
