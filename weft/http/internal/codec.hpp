// SPDX-License-Identifier: Apache-2.0
// Compressors and decompressors behind one interface: gzip and deflate (zlib), zstd (libzstd).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"

namespace weft::rt {

enum class coding : uint8_t { identity, gzip, deflate, zstd };
/// Of a Content-Encoding field; nothing for those that are not known, and for lists.
[[nodiscard]] bool coding_of(std::string_view name, coding& out) noexcept;
[[nodiscard]] std::string_view coding_name(coding c) noexcept;

class encoder {
 public:
  enum class how : uint8_t { more, flush, finish };
  encoder() = default;
  encoder(const encoder&) = delete;
  encoder& operator=(const encoder&) = delete;
  virtual ~encoder() = default;
  /// Takes all of `in` and appends what comes of it. After `finish` only reset() may be called.
  virtual void push(std::string_view in, how mode, std::string& out) = 0;
  virtual void reset() noexcept = 0;
};

class decoder {
 public:
  enum class verdict : uint8_t { more, end, bad };
  decoder() = default;
  decoder(const decoder&) = delete;
  decoder& operator=(const decoder&) = delete;
  virtual ~decoder() = default;
  /// Takes some of `in` (and removes it), puts some into [out, out + room) and sets `made`. `more`
  /// with nothing made: it wants more input. `end`: a member or frame is whole, another may follow.
  [[nodiscard]] virtual verdict pull(std::string_view& in, char* out, size_t room,
                                     size_t& made) = 0;
};

/// Levels as each library counts them. Throws std::bad_alloc.
[[nodiscard]] std::unique_ptr<encoder> make_encoder(coding c, int level);
[[nodiscard]] std::unique_ptr<decoder> make_decoder(coding c);

}  // namespace weft::rt
