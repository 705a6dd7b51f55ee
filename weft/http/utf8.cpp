// SPDX-License-Identifier: Apache-2.0
// The table of RFC 3629 section 4, as a machine of three numbers.
#include "weft/http/internal/utf8.hpp"

#include <cstring>

namespace weft::rt {

bool utf8_checker::feed(std::string_view text) noexcept {
  for (size_t i = 0; i < text.size();) {
    if (left_ == 0) {
      // ASCII, eight at a time.
      uint64_t word = 0;
      if (text.size() - i >= sizeof word) {
        std::memcpy(&word, text.data() + i, sizeof word);
        if ((word & 0x8080808080808080u) == 0) {
          i += sizeof word;
          continue;
        }
      }
    }
    const auto byte = static_cast<uint8_t>(text[i++]);
    if (left_ > 0) {
      if (byte < low_ || byte > high_) return false;
      --left_;
      low_ = 0x80;
      high_ = 0xBF;
      continue;
    }
    if (byte < 0x80) continue;
    if (byte < 0xC2 || byte > 0xF4) return false;
    left_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
    if (byte == 0xE0) low_ = 0xA0;
    if (byte == 0xED) high_ = 0x9F;
    if (byte == 0xF0) low_ = 0x90;
    if (byte == 0xF4) high_ = 0x8F;
  }
  return true;
}

}  // namespace weft::rt
