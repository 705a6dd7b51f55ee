// SPDX-License-Identifier: Apache-2.0
// Status codes.
#pragma once

#include <string_view>

#include "weft/base/export.hpp"

namespace weft::http {

/// The reason phrase of RFC 9110 (and 6585, 7725, 8470); empty for a code that is not registered.
[[nodiscard]] WEFT_API std::string_view status_text(int status) noexcept;

}  // namespace weft::http
