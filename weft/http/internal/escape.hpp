// SPDX-License-Identifier: Apache-2.0
// Which bytes may stand where in a URL (RFC 3986), and "%XX".
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace weft::rt {

/// One bit per place in a URL: the byte stands there as itself.
enum url_place : uint8_t {
  url_in_path = 1 << 0,       // pchar and '/'
  url_in_segment = 1 << 1,    // what Go's PathEscape leaves alone
  url_in_component = 1 << 2,  // unreserved only
  url_in_query = 1 << 3,      // everything that may stand in a request line, but for '#'
  url_in_fragment = 1 << 4,
  url_in_user = 1 << 5,
  url_in_host = 1 << 6,  // a registered name, without escapes
};

inline constexpr std::array<uint8_t, 256> url_bytes = [] {
  std::array<uint8_t, 256> out{};
  const auto allow = [&out](std::string_view bytes, unsigned places) {
    for (const char c : bytes) out[static_cast<unsigned char>(c)] |= static_cast<uint8_t>(places);
  };
  constexpr unsigned everywhere = 0x7F;
  allow("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", everywhere);
  allow("!$&'()*+,;=", url_in_path | url_in_fragment | url_in_user | url_in_host);
  allow(":", url_in_path | url_in_fragment | url_in_user);
  allow("@/", url_in_path | url_in_fragment);
  allow("?", url_in_fragment);
  allow("$&+=:@", url_in_segment);
  for (char c = '!'; c <= '~'; ++c)
    if (c != '#') allow({&c, 1}, url_in_query);
  return out;
}();

[[nodiscard]] inline bool url_byte_fits(char c, url_place place) noexcept {
  return (url_bytes[static_cast<unsigned char>(c)] & place) != 0;
}

/// -1: none.
[[nodiscard]] constexpr int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// "%XX" at `at`: its byte; -1: it is none.
[[nodiscard]] constexpr int escaped_byte(std::string_view text, size_t at) noexcept {
  if (text.size() - at < 3) return -1;
  const int high = hex_digit(text[at + 1]);
  const int low = hex_digit(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

inline void append_escape(std::string& to, char c) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  to += '%';
  to += digits[byte >> 4];
  to += digits[byte & 15];
}

/// For text and attributes of HTML.
[[nodiscard]] std::string html_escape(std::string_view text);

inline void append_escaped(std::string& to, std::string_view text, url_place place) {
  for (const char c : text) {
    if (url_byte_fits(c, place))
      to += c;
    else
      append_escape(to, c);
  }
}

}  // namespace weft::rt
