// SPDX-License-Identifier: Apache-2.0
// A message's content, read as a stream.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/http/header.hpp"

namespace weft::http {

/// Where a body comes from. Implement it to send what is made on the way.
class WEFT_API body_source {
 public:
  body_source() = default;
  body_source(const body_source&) = delete;
  body_source& operator=(const body_source&) = delete;
  virtual ~body_source() = default;

  /// At least one byte; 0 at the end. May park.
  [[nodiscard]] virtual result<size_t> read(std::span<char> to) = 0;
  /// Bytes in all; -1: not known before the end (sent in chunks, or as HTTP/2 frames).
  [[nodiscard]] virtual int64_t length() const noexcept { return -1; }
  /// Fields that came after the content; null before the end, or if there are none.
  [[nodiscard]] virtual const header* trailers() const noexcept { return nullptr; }
  /// All that is left, if it is in memory: so that it can be sent together with the head. Valid
  /// until the next read(). Empty: it must be read.
  [[nodiscard]] virtual std::string_view at_hand() const noexcept { return {}; }
  /// The same content from its beginning, for a client that must send it again (a redirect, a
  /// connection that was dead); null: cannot be had a second time.
  [[nodiscard]] virtual std::unique_ptr<body_source> again() const { return nullptr; }
};

/// A handle of one; movable. Destroying it is closing it: what was not read is given up, and a
/// client's connection is then closed instead of being used again (unless little is missing).
class WEFT_API body {
 public:
  /// No content.
  body() noexcept = default;
  /// This text. It can be had again.
  body(std::string text);                                   // NOLINT(google-explicit-constructor)
  body(std::string_view text) : body(std::string(text)) {}  // NOLINT(google-explicit-constructor)
  body(const char* text) : body(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  explicit body(std::unique_ptr<body_source> from) noexcept : from_(std::move(from)) {}

  /// At least one byte, as many as are there; 0 at the end. May park. Fails with
  /// http::body_too_large beyond the limit, net::unexpected_eof if the message was cut off, and
  /// what the connection says.
  [[nodiscard]] result<size_t> read(std::span<char> to);
  /// All that is left. Fails with http::body_too_large if it is more than `limit_bytes`.
  [[nodiscard]] result<std::string> read_all(size_t limit_bytes = size_t{32} << 20);
  /// Bytes in all; 0: no content; -1: not known.
  [[nodiscard]] int64_t length() const noexcept { return from_ ? from_->length() : 0; }
  /// As body_source::trailers().
  [[nodiscard]] const header* trailers() const noexcept {
    return from_ ? from_->trailers() : nullptr;
  }
  void close() noexcept { from_.reset(); }
  [[nodiscard]] body_source* source() const noexcept { return from_.get(); }
  /// Takes the source out, to wrap it in another one.
  [[nodiscard]] std::unique_ptr<body_source> release() noexcept { return std::move(from_); }

 private:
  std::unique_ptr<body_source> from_;
};

/// "http: body too large": a limit of the server, of read_all() or of a decoder; which one is in
/// the text. A server answers 413.
extern WEFT_API const error body_too_large;

}  // namespace weft::http
