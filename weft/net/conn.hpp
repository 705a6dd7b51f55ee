// SPDX-License-Identifier: Apache-2.0
// A stream connection (TCP or Unix), used in straight lines: read() and write() park the goroutine,
// never the thread. Any thread may call; one that is no goroutine blocks instead.
//
// A conn is a shared handle: copies are the same connection. One reader and one writer proceed at
// a time, others wait for their turn. close() may be called at any moment from anywhere: whoever is
// inside an operation gets net::closed, and the descriptor's number is given back only when the
// last of them has left. The last handle gone closes too.
//
// Spans of a moved-from or default-constructed conn: every operation fails with net::closed.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "weft/base/chrono.hpp"
#include "weft/base/error.hpp"
#include "weft/net/address.hpp"
#include "weft/net/errors.hpp"
#include "weft/net/options.hpp"

namespace weft::rt {
class stream;
}

namespace weft::net {

using time_point = std::chrono::steady_clock::time_point;

class WEFT_API conn {
 public:
  conn() noexcept = default;
  // Not inline: the count is the runtime's, and orders nothing in the race detector's eyes.
  conn(const conn&) noexcept;
  conn(conn&&) noexcept = default;
  conn& operator=(const conn&) noexcept;
  conn& operator=(conn&&) noexcept;
  ~conn();
  /// For Weft's own code.
  explicit conn(std::shared_ptr<rt::stream> to) noexcept : stream_(std::move(to)) {}
  [[nodiscard]] const std::shared_ptr<rt::stream>& stream() const noexcept { return stream_; }
  [[nodiscard]] explicit operator bool() const noexcept { return stream_ != nullptr; }

  /// Reads what is there, at least one byte; parks until then. 0: the peer has ended its stream
  /// (or the span is empty).
  [[nodiscard]] result<size_t> read(std::span<std::byte> to) const;
  [[nodiscard]] result<size_t> read(std::span<char> to) const;
  /// Reads until the span is full. 0: end before the first byte; net::unexpected_eof after it.
  [[nodiscard]] result<size_t> read_full(std::span<std::byte> to) const;
  [[nodiscard]] result<size_t> read_full(std::span<char> to) const;
  /// Writes everything, parking as often as it takes; returns the size. On an error part of it may
  /// have been sent.
  [[nodiscard]] result<size_t> write(std::span<const std::byte> from) const;
  [[nodiscard]] result<size_t> write(std::string_view from) const;
  /// Writes all parts in order with few system calls.
  [[nodiscard]] result<size_t> writev(std::span<const std::string_view> parts) const;

  /// Parks until a read may succeed: for servers that hold no buffer while a client is silent.
  /// Returns at once unless the last read took all there was. A read after it may still park.
  [[nodiscard]] result<void> wait_readable() const;
  /// Parks until the peer has gone (true), or a read deadline passes or this side closes (false;
  /// true if it was closed before). Takes no data. Holds the reader's turn meanwhile.
  [[nodiscard]] bool wait_hangup() const;

  /// Ends everything; operations in progress get net::closed. A second close fails with it.
  result<void> close() const;
  /// Ends our stream: the peer reads an end. Reading goes on.
  result<void> close_write() const;
  result<void> close_read() const;

  /// From `when` on, operations that wait or begin fail with net::err_timeout; a default time_point
  /// takes the deadline away. In the past: at once, also those that wait now.
  result<void> set_deadline(time_point when) const;
  result<void> set_read_deadline(time_point when) const;
  result<void> set_write_deadline(time_point when) const;

  /// TCP_NODELAY; on from the start.
  result<void> set_no_delay(bool on) const;
  /// SO_KEEPALIVE; on from the start.
  result<void> set_keep_alive(bool on) const;
  result<void> set_keep_alive(const keep_alive_options& options) const;

  [[nodiscard]] address local_addr() const;
  [[nodiscard]] address remote_addr() const;
  /// The descriptor: non-blocking, still ours, valid until closed; -1 if none.
  [[nodiscard]] int native_handle() const noexcept;

  friend bool operator==(const conn&, const conn&) noexcept = default;

 private:
  result<void> deadline(time_point when, bool read, bool write) const;
  std::shared_ptr<rt::stream> stream_;
};

}  // namespace weft::net
