// SPDX-License-Identifier: Apache-2.0
// UTF-8 as it arrives (RFC 3629): no overlong forms, no surrogates, nothing beyond U+10FFFF.
#pragma once

#include <cstdint>
#include <string_view>

namespace weft::rt {

/// Tells at the first byte that cannot be right, also when characters are cut.
class utf8_checker {
 public:
  [[nodiscard]] bool feed(std::string_view text) noexcept;
  /// No character is unfinished.
  [[nodiscard]] bool whole() const noexcept { return left_ == 0; }
  void reset() noexcept { left_ = 0; }

 private:
  uint8_t left_ = 0;  // continuation bytes to come
  // What the next one may be: narrower than 80..BF behind E0, ED, F0, F4.
  uint8_t low_ = 0x80;
  uint8_t high_ = 0xBF;
};

}  // namespace weft::rt
