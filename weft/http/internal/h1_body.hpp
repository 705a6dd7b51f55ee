// SPDX-License-Identifier: Apache-2.0
// Bodies of HTTP/1 messages: where they end, and what of the bytes on the wire is theirs. Nothing
// is copied: the decoder says which bytes of the caller's buffer are the body's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "weft/base/export.hpp"
#include "weft/http/internal/h1_framing.hpp"

namespace weft::rt::h1 {

/// Bounds of what stands around the bytes of a chunked body, since it costs the reader time but is
/// in no Content-Length.
struct chunk_limits {
  /// Of one chunk's extensions, from the ';' on. Signed uploads (AWS) have 85.
  uint32_t extension_bytes_max = 256;
  /// Of all extensions, beyond the bytes of the body so far: a body of one-byte chunks with long
  /// extensions is refused, a large one of signed chunks is not.
  uint32_t extension_bytes_excess_max = 16 * 1024;
};

enum class body_event : uint8_t {
  need_more,  // all bytes were consumed
  data,       // a piece of the body
  trailers,   // the last chunk has gone by; head::parse_trailers() reads what follows
  done,       // the body has ended; what was not consumed is not its
  error,
};

/// Decodes one body. Copying is cheap and meaningless.
class WEFT_API body_decoder {
 public:
  body_decoder() = default;
  explicit body_decoder(const framing& of, const chunk_limits& limits = {}) noexcept
      : limits_{limits}, left_{of.length}, state_{first_state(of.body)} {}

  struct step {
    body_event event = body_event::need_more;
    /// Bytes that are done with, those of the piece among them.
    size_t consumed = 0;
    /// The piece of the body, for body_event::data.
    size_t at = 0;
    size_t bytes = 0;
  };
  /// Looks at [data, data + bytes), which follow what was consumed.
  [[nodiscard]] step next(const char* data, size_t bytes) noexcept;
  [[nodiscard]] const refusal& why() const noexcept { return why_; }

  /// How many of the next bytes on the wire are the body's without doubt (until_close: SIZE_MAX).
  /// The caller may read that many elsewhere and say so by skip().
  [[nodiscard]] uint64_t direct_bytes() const noexcept;
  void skip(uint64_t bytes) noexcept;

  /// Nothing is left, trailers aside.
  [[nodiscard]] bool done() const noexcept {
    return state_ == state::done || state_ == state::trailers;
  }
  /// The connection has ended. True if that ends the body, false if it cuts it off.
  [[nodiscard]] bool end_of_stream() noexcept;

 private:
  enum class state : uint8_t {
    done,
    length,
    until_close,
    size,       // at the first digit of a chunk's size
    digits,     // after a digit
    extension,  // after a ';'
    size_lf,    // after the CR of the size's line
    chunk,      // in a chunk's bytes
    chunk_cr,   // after them
    chunk_lf,
    trailers,
    failed,
  };
  static constexpr state first_state(body_kind of) noexcept {
    return of == body_kind::length        ? state::length
           : of == body_kind::chunked     ? state::size
           : of == body_kind::until_close ? state::until_close
                                          : state::done;
  }
  /// One byte of framing. False: refused.
  bool frame_byte(char c) noexcept;
  bool refuse(const char* text) noexcept;
  bool add_digit(char c) noexcept;
  bool extension_byte(char c) noexcept;

  chunk_limits limits_;
  uint64_t left_ = 0;        // of the length, of the chunk; while in its size: the size so far
  uint64_t passed_ = 0;      // bytes of the body
  uint64_t extensions_ = 0;  // bytes of all extensions
  uint32_t extension_ = 0;   // bytes of this chunk's
  uint8_t digits_ = 0;
  state state_ = state::done;
  refusal why_;
};

/// Whether fields after the body may have this name. Not those that say how the message is framed,
/// routed, or to be understood: a reader that sees them late, or merges them, is misled.
[[nodiscard]] WEFT_API bool allowed_in_trailers(std::string_view name, header_id id) noexcept;
/// Of a section that parse_trailers() said ok to. False: refused, and why.
[[nodiscard]] WEFT_API bool check_trailers(const head& of, refusal& why) noexcept;

/// Writing chunks: head, bytes, `chunk_end`; at last `last_chunk`, trailers, and an empty line.
struct chunk_head {
  std::array<char, 18> text;  // at most 16 digits and CR LF
  uint8_t bytes = 0;
  [[nodiscard]] std::string_view view() const noexcept { return {text.data(), bytes}; }
};
/// `size` is not 0: a chunk of size 0 is the last one.
[[nodiscard]] WEFT_API chunk_head make_chunk_head(uint64_t size) noexcept;
inline constexpr std::string_view chunk_end = "\r\n";
inline constexpr std::string_view last_chunk = "0\r\n";
/// Without trailers.
inline constexpr std::string_view last_chunk_and_end = "0\r\n\r\n";

}  // namespace weft::rt::h1
