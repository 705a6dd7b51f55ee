// SPDX-License-Identifier: Apache-2.0
// Buffers over a conn, as Go's bufio: few system calls for many small reads and writes. Not
// synchronized: one goroutine at a time.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "weft/net/conn.hpp"

namespace weft::net {

/// Reads ahead. 4096 is Go's default: most requests fit, and an idle reader stays small.
class WEFT_API buffered_reader {
 public:
  explicit buffered_reader(conn from, size_t buffer_bytes = 4096);

  /// As conn::read, from the buffer first.
  [[nodiscard]] result<size_t> read(std::span<char> to);
  /// As conn::read_full.
  [[nodiscard]] result<size_t> read_full(std::span<char> to);
  /// The text up to and with `delimiter`, valid until the next call. Fails with net::unexpected_eof
  /// when the end comes in the middle (an empty text: at once), and with `line too long` beyond
  /// `limit_bytes`.
  [[nodiscard]] result<std::string_view> read_until(char delimiter, size_t limit_bytes = 65536);
  /// Bytes read ahead.
  [[nodiscard]] size_t buffered() const noexcept { return end_ - begin_; }

 private:
  [[nodiscard]] result<size_t> fill();
  conn from_;
  std::string buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

/// Collects writes. flush() before waiting for an answer, and at the end: the destructor does not
/// (it must not park).
class WEFT_API buffered_writer {
 public:
  explicit buffered_writer(conn to, size_t buffer_bytes = 4096);
  [[nodiscard]] result<size_t> write(std::string_view from);
  [[nodiscard]] result<void> flush();
  [[nodiscard]] size_t buffered() const noexcept { return buffer_.size(); }

 private:
  conn to_;
  std::string buffer_;
  size_t limit_;
};

}  // namespace weft::net
