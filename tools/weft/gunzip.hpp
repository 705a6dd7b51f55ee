// SPDX-License-Identifier: Apache-2.0
// Gzip undone, within a limit.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"

namespace weft_command {

[[nodiscard]] bool is_gzip(std::string_view bytes) noexcept;
/// All members of a gzip file. Fails when it is damaged, ends early, or holds more than
/// `bytes_max`.
[[nodiscard]] weft::result<std::string> gunzip(std::string_view bytes, size_t bytes_max);

}  // namespace weft_command
