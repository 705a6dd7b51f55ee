// SPDX-License-Identifier: Apache-2.0
// Where in a document a byte is. Only for errors: decoding keeps no path, it is found afterwards by
// reading the text again up to the place.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weft::rt::json_impl {

/// The path of the value that begins at, or has, byte `offset`: `$.items[3]["a key"]`. Of a key:
/// the path of its object. `text` needs to be JSON only up to there.
[[nodiscard]] std::string path_at(std::string_view text, size_t offset);

/// A key for a message: not all of its thousand bytes.
[[nodiscard]] std::string shown_key(std::string_view key);

/// What the first pass refuses, and where.
struct fault {
  size_t offset = 0;
  const char* what = nullptr;
  bool utf8 = false;
};
/// The first byte that is no UTF-8, a control character in a string, or a string without an end.
[[nodiscard]] fault find_fault(std::string_view text);

/// How many bytes the UTF-8 sequence at the front of `text` has; 0: it is none.
[[nodiscard]] size_t utf8_length(std::string_view text) noexcept;

}  // namespace weft::rt::json_impl
