// SPDX-License-Identifier: Apache-2.0
// Files read whole, and written whole or not at all.
#pragma once

#include <string>
#include <string_view>

#include "weft/base/error.hpp"

namespace weft_command {

/// "-" is standard input.
[[nodiscard]] weft::result<std::string> read_file(const std::string& path);
/// Writes `bytes` to `path` by way of a temporary file beside it; "-" is standard output. A device
/// or a pipe is written to as it is.
[[nodiscard]] weft::result<void> write_file(const std::string& path, std::string_view bytes);

}  // namespace weft_command
