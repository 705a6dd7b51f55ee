// SPDX-License-Identifier: Apache-2.0
// The head of an HTTP/1 message: start line and header fields, read from a buffer that grows.
//
// The caller keeps all bytes of the head in one buffer and calls parse_...() again when there are
// more; the buffer may have moved. Each line is read once. A line that is not whole yet is looked
// at again only from where the search for its end has come to, so a head that arrives byte by byte
// costs a constant for each byte.
//
// Strict: what RFC 9112 lets a recipient forgive is refused (line ends without CR, folded lines,
// whitespace in wrong places), since two parsers that forgive differently see different messages in
// the same bytes: request smuggling. The one kindness is an empty line before a request line, which
// cannot be read in two ways. How the body is framed: h1_framing.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "weft/base/export.hpp"
#include "weft/http/internal/header_id.hpp"

namespace weft::rt::h1 {

enum class verdict : uint8_t { need_more, ok, error };

/// Why a message is refused. `status` is what a server answers; the connection ends with it. A
/// client has no use for `status`.
struct refusal {
  int status = 0;
  /// Static; names what is wrong, and the limit where one is exceeded.
  const char* text = "";
};

/// Bounds of what one head may cost. Each is named in the refusal's text.
struct head_limits {
  /// All bytes, with line ends. Browsers' cookies may reach 10 KB; nginx allows 32 KB, Go 1 MB. A
  /// connection holds a buffer of this size at most, so it is what one that says nothing can cost.
  uint32_t head_bytes_max = 64 * 1024;
  /// Twice Apache's: proxies add theirs. Browsers send about 20; each costs 16 bytes here, and more
  /// in a header.
  uint32_t fields_max = 200;
  /// What servers and browsers agree on (nginx, Apache: 8 KB).
  uint32_t target_bytes_max = 8 * 1024;
};

/// Bytes [at, at + bytes) of the buffer.
struct slice {
  uint32_t at = 0;
  uint32_t bytes = 0;
};

/// One header field. The value has no whitespace at its ends.
struct field {
  uint32_t name_at = 0;
  uint16_t name_bytes = 0;
  header_id id = header_id::other;
  slice value;
};

enum class method_id : uint8_t {
  other,
  get,
  head,
  post,
  put,
  del,
  options,
  patch,
  connect,
  trace,
};

/// Reused for one message after another: reset() keeps what memory it has.
class WEFT_API head {
 public:
  head() noexcept { fields_ = inline_.data(); }
  head(const head&) = delete;  // fields_ points inside
  head& operator=(const head&) = delete;
  ~head() = default;

  /// To be called before each message.
  void reset() noexcept;

  /// Reads a request's head from [data, data + bytes). ok: bytes() of them are the head. error:
  /// why().
  [[nodiscard]] verdict parse_request(const char* data, size_t bytes, const head_limits& limits);
  /// The same for a response's.
  [[nodiscard]] verdict parse_response(const char* data, size_t bytes, const head_limits& limits);
  /// The same for what follows the last chunk: fields only.
  [[nodiscard]] verdict parse_trailers(const char* data, size_t bytes, const head_limits& limits);
  [[nodiscard]] const refusal& why() const noexcept { return why_; }

  // After ok. Texts lie in the buffer of the last parse, or of rebase().

  [[nodiscard]] size_t bytes() const noexcept { return line_; }
  /// The buffer has moved.
  void rebase(const char* data) noexcept { data_ = data; }
  [[nodiscard]] std::string_view text(slice of) const noexcept { return {data_ + of.at, of.bytes}; }

  [[nodiscard]] method_id method() const noexcept { return method_; }
  [[nodiscard]] std::string_view method_text() const noexcept { return text(method_text_); }
  [[nodiscard]] slice target() const noexcept { return target_; }
  [[nodiscard]] std::string_view target_text() const noexcept { return text(target_); }
  /// 0 or 1: HTTP/1.0 or HTTP/1.1.
  [[nodiscard]] int minor_version() const noexcept { return minor_version_; }
  [[nodiscard]] int status() const noexcept { return status_; }
  [[nodiscard]] std::string_view reason() const noexcept { return text(reason_); }

  [[nodiscard]] size_t size() const noexcept { return size_; }
  [[nodiscard]] const field& operator[](size_t i) const noexcept { return fields_[i]; }
  [[nodiscard]] const field* begin() const noexcept { return fields_; }
  [[nodiscard]] const field* end() const noexcept { return fields_ + size_; }
  [[nodiscard]] std::string_view name(const field& of) const noexcept {
    return {data_ + of.name_at, of.name_bytes};
  }
  [[nodiscard]] std::string_view value(const field& of) const noexcept { return text(of.value); }

  /// How many fields have this name; of the first few names (header_id_framing_max) only.
  [[nodiscard]] uint32_t count(header_id id) const noexcept {
    return counts_[static_cast<size_t>(id)];
  }
  /// The first field of this name, or null; of any name.
  [[nodiscard]] const field* find(header_id id) const noexcept;

 private:
  enum class part : uint8_t { start_line, fields, whole };
  enum class line : uint8_t { whole, incomplete, refused };
  static constexpr size_t inline_fields = 32;

  template <bool Request>
  [[nodiscard]] verdict parse_message(const char* data, size_t bytes, const head_limits& limits);
  [[nodiscard]] verdict parse_fields(const char* data, const char* end, const head_limits& limits);
  [[nodiscard]] line request_line(const char* data, const char* end, const head_limits& limits);
  [[nodiscard]] line status_line(const char* data, const char* end);
  [[nodiscard]] bool line_arrived(const char* data, size_t bytes) noexcept;
  [[nodiscard]] bool grow(const head_limits& limits);
  [[nodiscard]] verdict more(size_t bytes, const head_limits& limits) noexcept;
  verdict refuse(int status, const char* text) noexcept;
  line refuse_line(int status, const char* text) noexcept;

  const char* data_ = nullptr;
  field* fields_ = nullptr;
  uint32_t size_ = 0;
  uint32_t capacity_ = inline_fields;
  /// Where the line begins that is to be read next; after ok, the end of the head.
  uint32_t line_ = 0;
  /// Up to where this line is known to have no end; 0: it was not looked at.
  uint32_t searched_ = 0;
  part part_ = part::start_line;
  method_id method_ = method_id::other;
  uint8_t minor_version_ = 0;
  uint16_t status_ = 0;
  slice method_text_;
  slice target_;
  slice reason_;
  refusal why_;
  std::array<uint32_t, header_id_framing_max + 1> counts_{};
  /// Where the first of them is, if there is one.
  std::array<uint32_t, header_id_framing_max + 1> firsts_{};
  /// In place of inline_ once a message had more fields.
  std::unique_ptr<field[]> more_fields_;
  std::array<field, inline_fields> inline_{};
};

/// If the bytes begin as a connection of HTTP/2 does ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"): ok;
/// need_more: they may; error: they do not.
[[nodiscard]] WEFT_API verdict match_h2_preface(const char* data, size_t bytes) noexcept;
inline constexpr std::string_view h2_preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// True if all characters may stand in a token (a name, a method) and there is one.
[[nodiscard]] WEFT_API bool is_token(std::string_view text) noexcept;

}  // namespace weft::rt::h1
