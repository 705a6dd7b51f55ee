// SPDX-License-Identifier: Apache-2.0
// permessage-deflate (RFC 7692), each message by itself: no state is kept between messages, so a
// silent connection costs nothing, and coders are shared by all connections.
#pragma once

#include <string>
#include <string_view>

namespace weft::rt {

/// Appends the compressed message, without the four bytes that the extension leaves out.
void ws_deflate(std::string_view message, std::string& out);

enum class ws_inflate_result : unsigned char { good, too_large, bad };
[[nodiscard]] ws_inflate_result ws_inflate(std::string_view compressed, size_t bytes_max,
                                           std::string& out);

}  // namespace weft::rt
