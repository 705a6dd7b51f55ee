// SPDX-License-Identifier: Apache-2.0
// The answer to a request, as HTTP/1 sends it.
//
// Content is collected until there is more than fits, the handler flushes, or it returns. Only then
// the head is made: an answer that fits has a Content-Length and is one system call; a longer one
// without a declared length is sent in chunks (HTTP/1.0: until the connection closes).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weft/http/handler.hpp"
#include "weft/http/internal/file_taker.hpp"
#include "weft/http/internal/h1_conn.hpp"

namespace weft::rt {

class h1_writer final : public http::response_writer, public file_taker {
 public:
  h1_writer(h1_conn& to, h1_work& work, bool to_head, bool http_1_0, bool expects) noexcept
      : conn_(to),
        work_(work),
        to_head_(to_head),
        http_1_0_(http_1_0),
        expects_continue_(expects) {}

  http::header& headers() override { return work_.headers; }
  void write_head(int status) override;
  result<size_t> write(std::string_view content) override;
  result<void> flush() override;
  result<int64_t> write_file(int file, uint64_t offset, size_t bytes) override;
  http::header& trailers() override { return work_.trailers; }
  int status() const noexcept override { return status_; }
  result<http::hijacked> hijack() override;
  result<void> set_read_deadline(net::time_point when) override;
  result<void> set_write_deadline(net::time_point when) override;

  /// The handler has returned: sends what is left.
  void finish();
  /// The body is asked for: if the client waits for permission to send it, it gets it.
  result<void> permit_body();
  /// The client was promised a body, waits for permission, and did not get it.
  [[nodiscard]] bool body_not_permitted() const noexcept { return expects_continue_; }
  [[nodiscard]] bool hijacked() const noexcept { return hijacked_; }
  /// Bytes are out: the status can no longer be changed.
  [[nodiscard]] bool head_sent() const noexcept { return head_sent_; }
  /// Forgets an answer of which nothing was sent.
  void start_over();

 private:
  enum class framing : uint8_t { none, length, chunked, until_close };
  [[nodiscard]] bool may_have_content() const noexcept;
  /// `whole`: nothing follows what was collected.
  void make_head(bool whole);
  void add_field(std::string_view name, std::string_view value);
  void add_date();
  void send_informational(int status);
  /// Sends the head if it was not, and what was collected, and `content`.
  result<void> send(std::string_view content, bool last);
  result<void> put(std::string_view a, std::string_view b, std::string_view c, std::string_view d);

  h1_conn& conn_;
  h1_work& work_;
  int status_ = 0;
  int64_t declared_ = -1;
  uint64_t written_ = 0;
  framing framing_ = framing::none;
  bool to_head_;
  bool http_1_0_;
  bool expects_continue_;
  bool head_sent_ = false;
  bool hijacked_ = false;
  bool own_write_deadline_ = false;
  error failed_;
};

}  // namespace weft::rt
