// SPDX-License-Identifier: Apache-2.0
// Answers with content whose size is known and that can be read from anywhere: ranges, conditions,
// types.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/http/handler.hpp"

namespace weft::http {

/// What serve_content() sends.
class WEFT_API content {
 public:
  content() = default;
  content(const content&) = delete;
  content& operator=(const content&) = delete;
  virtual ~content() = default;
  [[nodiscard]] virtual uint64_t size() const noexcept = 0;
  /// At least one byte; 0 only at the end. May park.
  [[nodiscard]] virtual result<size_t> read_at(std::span<char> to, uint64_t offset) = 0;
  /// A descriptor with the same bytes at the same offsets, to be sent without reading them; -1:
  /// there is none.
  [[nodiscard]] virtual int descriptor() const noexcept { return -1; }
};

/// A text that outlives it.
class WEFT_API text_content final : public content {
 public:
  explicit text_content(std::string_view text) noexcept : text_(text) {}
  [[nodiscard]] uint64_t size() const noexcept override { return text_.size(); }
  [[nodiscard]] result<size_t> read_at(std::span<char> to, uint64_t offset) override;

 private:
  std::string_view text_;
};

struct content_info {
  /// Tells the type by its extension, unless the headers have a Content-Type.
  std::string_view name{};
  /// Seconds since 1970, sent as Last-Modified; negative: none.
  int64_t modified_s = -1;
};

/// Answers GET and HEAD with `what`, or the part that Range asks for (several as
/// multipart/byteranges), or 304, 412, 416, as the conditions in the request say; they are compared
/// with `info` and the Etag that is in w.headers(). Other methods: 405. May park.
///
/// An answer is never longer than Content-Length said: content that has shrunk meanwhile cuts the
/// connection.
WEFT_API void serve_content(response_writer& w, request& r, const content_info& info,
                            content& what);

/// "text/css; charset=utf-8" for "a/b.CSS"; "application/octet-stream" for what is not known. The
/// name decides, never the content: a browser that guesses runs uploaded pictures as scripts.
[[nodiscard]] WEFT_API std::string_view content_type_of(std::string_view name) noexcept;

}  // namespace weft::http
