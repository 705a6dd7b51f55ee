// SPDX-License-Identifier: Apache-2.0
// What is the same for answers of HTTP/1 and HTTP/2.
#pragma once

#include <string_view>

namespace weft::rt {

[[nodiscard]] constexpr bool never_has_content(int status) noexcept {
  return status < 200 || status == 204 || status == 304;
}

/// As Go sniffs, but never HTML: what a user uploaded must not become a page.
[[nodiscard]] constexpr std::string_view content_type_of(std::string_view content) noexcept {
  constexpr size_t looked_at = 512;
  for (const char c : content.substr(0, looked_at)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 && c != '\n' && c != '\r' && c != '\t' && c != '\f' && c != 0x1B)
      return "application/octet-stream";
  }
  return "text/plain; charset=utf-8";
}

/// What is collected before an answer is sent: most answers are smaller. nginx and Go have 4 KB.
inline constexpr size_t collected_max = 4096;

}  // namespace weft::rt
