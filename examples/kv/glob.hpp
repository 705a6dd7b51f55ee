// SPDX-License-Identifier: Apache-2.0
// Patterns of KEYS, SCAN and PSUBSCRIBE: * ? [abc] [^a-z] and \ before a special character.
#pragma once

#include <string_view>

namespace kv {

/// True if all of `text` matches. Time is at most |pattern| * |text|.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view text) noexcept;

}  // namespace kv
