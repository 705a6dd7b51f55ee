// SPDX-License-Identifier: Apache-2.0
// What a client accepts (RFC 9110 12.5.3).
#pragma once

#include "weft/http/header.hpp"
#include "weft/http/internal/codec.hpp"

namespace weft::rt {

/// The coding that the fields like best of those that are offered. Of equals: zstd, gzip, none.
[[nodiscard]] coding choose_coding(const http::header& of, bool gzip, bool zstd);

}  // namespace weft::rt
