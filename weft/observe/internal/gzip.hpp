// SPDX-License-Identifier: Apache-2.0
// gzip (RFC 1952) of a whole text, as profiles are kept. By zlib at its fastest level, as Go does;
// where the build has no zlib (cross builds), in stored blocks, which every reader takes.
#pragma once

#include <string>
#include <string_view>

namespace weft::rt {

/// Empty: there is no memory for it.
[[nodiscard]] std::string gzip(std::string_view text);

}  // namespace weft::rt
