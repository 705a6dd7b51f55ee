// SPDX-License-Identifier: Apache-2.0
// gzip without compression (RFC 1951 §3.2.4), for builds without zlib.
#include <array>
#include <cstdint>

#include "weft/observe/internal/gzip.hpp"

namespace weft::rt {

namespace {

constexpr std::array<uint32_t, 256> crc_table = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t n = 0; n < 256; ++n) {
    uint32_t c = n;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? 0xEDB88320u ^ (c >> 1) : c >> 1;
    table[n] = c;
  }
  return table;
}();

uint32_t crc32_of(std::string_view text) noexcept {
  uint32_t c = ~uint32_t{0};
  for (const char byte : text) c = crc_table[(c ^ static_cast<uint8_t>(byte)) & 0xff] ^ (c >> 8);
  return ~c;
}

void put_little_endian(std::string& out, uint32_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

}  // namespace

std::string gzip(std::string_view text) {
  constexpr size_t block_max = 65535;
  std::string out("\x1f\x8b\x08\0\0\0\0\0\0\xff", 10);
  out.reserve(text.size() + text.size() / block_max * 5 + 32);
  size_t at = 0;
  do {
    const std::string_view block = text.substr(at, block_max);
    at += block.size();
    out += at == text.size() ? '\1' : '\0';
    put_little_endian(out, static_cast<uint32_t>(block.size()), 2);
    put_little_endian(out, ~static_cast<uint32_t>(block.size()), 2);
    out += block;
  } while (at < text.size());
  put_little_endian(out, crc32_of(text), 4);
  put_little_endian(out, static_cast<uint32_t>(text.size()), 4);
  return out;
}

}  // namespace weft::rt
