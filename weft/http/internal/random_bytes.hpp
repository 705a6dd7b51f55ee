// SPDX-License-Identifier: Apache-2.0
// Bytes that nobody can guess, from the system.
#pragma once

#include <span>
#include <string>

namespace weft::rt {

void fill_random(std::span<unsigned char> to) noexcept;
/// As many hexadecimal digits.
[[nodiscard]] std::string random_hex(size_t digits);

}  // namespace weft::rt
