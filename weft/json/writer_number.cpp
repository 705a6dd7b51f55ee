// SPDX-License-Identifier: Apache-2.0
// Numbers as text: the shortest that reads back, in the form of JavaScript and Go (no exponent from
// 1e-6 up to 1e21).
#include <array>
#include <charconv>
#include <cmath>

#include "weft/json/writer.hpp"

namespace weft::json {

namespace {

/// Longest text of a number: a sign, 21 digits, a point, some zeros.
constexpr size_t number_bytes = 40;

char* put_unsigned(char* to, uint64_t value) {
  return std::to_chars(to, to + number_bytes, value).ptr;
}

/// Doubles of few decimals: prices, shares, coordinates. If value * 10^k is an integer below 10^15
/// that divides back to the same double, then its digits are a decimal of at most 15 digits that
/// reads back; no other of at most 15 does, so it is the shortest. Null: not so.
char* put_decimal(char* to, double value) {
  constexpr std::array<double, 6> powers = {1, 10, 100, 1000, 10'000, 100'000};
  constexpr double largest = 1e15;
  for (size_t k = 0; k < powers.size(); ++k) {
    double scaled = value * powers[k];
    if (!(scaled < largest)) return nullptr;
    double rounded = static_cast<double>(static_cast<int64_t>(scaled + 0.5));
    if (rounded / powers[k] != value) continue;
    auto digits = static_cast<uint64_t>(rounded);
    auto power = static_cast<uint64_t>(powers[k]);
    to = put_unsigned(to, digits / power);
    if (k == 0) return to;
    *to = '.';
    uint64_t fraction = digits % power;
    for (size_t i = k; i > 0; --i) {
      to[i] = static_cast<char>('0' + fraction % 10);
      fraction /= 10;
    }
    return to + k + 1;
  }
  return nullptr;
}

/// The shortest digits, set as JavaScript sets them.
template <class T>
char* put_shortest(char* to, T value) {
  std::array<char, number_bytes> text;
  const char* end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::scientific)
          .ptr;
  // d.ddddde[+-]xx
  std::array<char, 24> digits;
  size_t count = 0;
  const char* p = text.data();
  for (; *p != 'e'; ++p) {
    if (*p != '.') digits[count++] = *p;
  }
  int exponent = 0;
  std::from_chars(p[1] == '+' ? p + 2 : p + 1, end, exponent);
  auto put = [&](size_t from, size_t until) {
    for (size_t i = from; i < until; ++i) *to++ = i < count ? digits[i] : '0';
  };
  if (exponent < -6 || exponent >= 21) {
    *to++ = digits[0];
    if (count > 1) *to++ = '.';
    put(1, count);
    *to++ = 'e';
    *to++ = exponent < 0 ? '-' : '+';
    return put_unsigned(to, static_cast<uint64_t>(exponent < 0 ? -exponent : exponent));
  }
  if (exponent < 0) {
    *to++ = '0';
    *to++ = '.';
    for (int i = -1; i > exponent; --i) *to++ = '0';
    put(0, count);
    return to;
  }
  auto whole = static_cast<size_t>(exponent) + 1;
  put(0, whole);
  if (count > whole) *to++ = '.';
  put(whole, count > whole ? count : whole);
  return to;
}

std::string not_finite(double value) {
  return std::string(std::isnan(value) ? "NaN"
                     : value > 0       ? "infinity"
                                       : "-infinity") +
         " has no form in JSON";
}

}  // namespace

bool writer::integer(int64_t value) {
  reserve(number_bytes);
  auto magnitude = static_cast<uint64_t>(value);
  if (value < 0) {
    *at_++ = '-';
    magnitude = 0 - magnitude;
  }
  at_ = put_unsigned(at_, magnitude);
  return true;
}

bool writer::integer_unsigned(uint64_t value) {
  reserve(number_bytes);
  at_ = put_unsigned(at_, value);
  return true;
}

bool writer::number(double value) {
  if (!std::isfinite(value)) return fail(not_finite(value));
  reserve(number_bytes);
  if (std::signbit(value)) {
    *at_++ = '-';
    value = -value;
  }
  char* decimal = put_decimal(at_, value);
  at_ = decimal != nullptr ? decimal : put_shortest(at_, value);
  return true;
}

bool writer::number(float value) {
  if (!std::isfinite(value)) return fail(not_finite(value));
  reserve(number_bytes);
  if (std::signbit(value)) {
    *at_++ = '-';
    value = -value;
  }
  at_ = put_shortest(at_, value);
  return true;
}

}  // namespace weft::json
