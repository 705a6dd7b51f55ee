// SPDX-License-Identifier: Apache-2.0
// Numbers: JSON's grammar, exact integers, doubles to the last bit.
#include <array>
#include <charconv>
#include <cstring>

#include "weft/json/reader.hpp"

namespace weft::json {

namespace {

/// A number taken apart. Its digits without the point are `mantissa`, as far as they fit.
struct spelled_number {
  const char* end = nullptr;  // behind it; null: no number
  uint64_t mantissa = 0;
  int64_t exponent = 0;  // the value is mantissa * 10^exponent, unless digits > 19
  uint32_t digits = 0;   // without leading zeros
  bool negative = false;
  bool integer = true;  // neither point nor exponent
};

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Longest exponent that is added up; longer ones are far out of range anyway.
constexpr int64_t exponent_max = 100'000;

inline spelled_number take_apart(const char* p, const char* end) {
  spelled_number n;
  if (p < end && *p == '-') {
    n.negative = true;
    ++p;
  }
  if (p == end || !is_digit(*p)) return n;
  auto digits = [&] {
    const char* from = p;
    for (; p < end && is_digit(*p); ++p) {
      // Wraps beyond 19 digits; nobody looks at it then.
      n.mantissa = n.mantissa * 10 + static_cast<uint64_t>(*p - '0');
      n.digits += n.digits > 0 || *p != '0' ? 1U : 0U;
    }
    return p - from;
  };
  if (*p == '0') {
    ++p;
    if (p < end && is_digit(*p)) return n;
  } else {
    digits();
  }
  if (p < end && *p == '.') {
    n.integer = false;
    ++p;
    int64_t fraction = digits();
    if (fraction == 0) return n;
    n.exponent = -fraction;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    n.integer = false;
    ++p;
    bool minus = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) ++p;
    if (p == end || !is_digit(*p)) return n;
    int64_t exponent = 0;
    for (; p < end && is_digit(*p); ++p) {
      if (exponent < exponent_max) exponent = exponent * 10 + (*p - '0');
    }
    n.exponent += minus ? -exponent : exponent;
  }
  n.end = p;
  return n;
}

/// Exact in a double.
constexpr std::array<double, 23> powers = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                           1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                           1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/// Mantissa and power are both exact, so one operation rounds once: the nearest double.
inline bool exact(const spelled_number& n, double& out) {
  if (n.digits > 19 || n.mantissa > (uint64_t{1} << 53)) return false;
  if (n.exponent < -22 || n.exponent > 22) return false;
  auto value = static_cast<double>(n.mantissa);
  if (n.exponent < 0) {
    value /= powers[static_cast<size_t>(-n.exponent)];
  } else {
    value *= powers[static_cast<size_t>(n.exponent)];
  }
  out = n.negative ? -value : value;
  return true;
}

/// A number in a message, not all of its thousand digits.
std::string shown(std::string_view number) {
  constexpr size_t shown_max = 40;
  if (number.size() <= shown_max) return std::string(number);
  return std::string(number.substr(0, shown_max)) + "...";
}

}  // namespace

bool reader::not_a_number(std::string_view token) {
  return fail(offset(), "a malformed number: " + shown(token), reason::syntax);
}

bool reader::check_number() {
  if (next() != kind::number) return wrong_type("a value");
  std::string_view token = scalar();
  if (take_apart(token.data(), token.data() + token.size()).end != token.data() + token.size()) {
    return not_a_number(token);
  }
  ++at_;
  return true;
}

bool reader::integer_next() const noexcept {
  return scalar().find_first_of(".eE") == std::string_view::npos;
}

reader::width reader::width_next() const noexcept {
  std::string_view token = scalar();
  spelled_number n = take_apart(token.data(), token.data() + token.size());
  constexpr uint64_t half = uint64_t{1} << 63;
  if (n.digits <= 19 && n.mantissa < half + (n.negative ? 1U : 0U)) return width::int64;
  uint64_t value = 0;
  bool fits = std::from_chars(token.data(), token.data() + token.size(), value).ec == std::errc{};
  return fits ? width::uint64 : width::wider;
}

bool reader::integer_next(int64_t least, uint64_t most) const noexcept {
  if (!integer_next()) return false;
  std::string_view token = scalar();
  const char* end = token.data() + token.size();
  if (token.front() == '-') {
    int64_t value = 0;
    return std::from_chars(token.data(), end, value).ec == std::errc{} && value >= least;
  }
  uint64_t value = 0;
  return std::from_chars(token.data(), end, value).ec == std::errc{} && value <= most;
}

bool reader::read_int(int64_t& out, int64_t least, int64_t most) {
  if (next() != kind::number) return wrong_type("an integer");
  std::string_view token = scalar();
  const char* end = token.data() + token.size();
  spelled_number n = take_apart(token.data(), end);
  if (n.end != end) return not_a_number(token);
  uint64_t largest = n.negative ? uint64_t{1} << 63 : (uint64_t{1} << 63) - 1;
  // 19 digits always fit into 64 bits, and 20 never into 63.
  bool fits = n.integer && n.digits <= 19 && n.mantissa <= largest;
  auto value = static_cast<int64_t>(n.negative ? 0 - n.mantissa : n.mantissa);
  if (!fits || value < least || value > most) {
    return fail(offset(),
                "expected an integer from " + std::to_string(least) + " to " +
                    std::to_string(most) + ", got " + shown(token),
                n.integer ? reason::range : reason::type);
  }
  out = value;
  ++at_;
  return true;
}

bool reader::read_uint(uint64_t& out, uint64_t most) {
  if (next() != kind::number) return wrong_type("an integer");
  std::string_view token = scalar();
  const char* end = token.data() + token.size();
  spelled_number n = take_apart(token.data(), end);
  if (n.end != end) return not_a_number(token);
  bool fits = n.integer && (!n.negative || n.mantissa == 0) && n.digits <= 20;
  if (fits && n.digits == 20) {
    fits = std::from_chars(token.data(), end, n.mantissa).ec == std::errc{};
  }
  if (!fits || n.mantissa > most) {
    return fail(offset(),
                "expected an integer from 0 to " + std::to_string(most) + ", got " + shown(token),
                n.integer ? reason::range : reason::type);
  }
  out = n.mantissa;
  ++at_;
  return true;
}

template <class T>
bool reader::read_floating(T& out) {
  if (next() != kind::number) return wrong_type("a number");
  std::string_view token = scalar();
  const char* end = token.data() + token.size();
  spelled_number n = take_apart(token.data(), end);
  if (n.end != end) return not_a_number(token);
  if constexpr (sizeof(T) == sizeof(double)) {
    if (exact(n, out)) [[likely]] {
      ++at_;
      return true;
    }
  }
  T value = 0;
  if (std::from_chars(token.data(), end, value).ec != std::errc{}) {
    // Too small is zero, as in Go; too large is nothing that this type has.
    bool tiny = n.digits == 0 || static_cast<int64_t>(n.digits) + n.exponent < 0;
    if (!tiny) {
      return fail(offset(),
                  "expected a number that fits a " +
                      std::string(sizeof(T) == sizeof(double) ? "double" : "float") + ", got " +
                      shown(token),
                  reason::range);
    }
    value = n.negative ? T{-0.0} : T{0};
  }
  out = value;
  ++at_;
  return true;
}

bool reader::read_double(double& out) { return read_floating(out); }
bool reader::read_float(float& out) { return read_floating(out); }

}  // namespace weft::json
