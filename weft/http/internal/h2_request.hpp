// SPDX-License-Identifier: Apache-2.0
// A request of HTTP/2 and its answer: what a handler sees of an h2_stream. It belongs to its
// handler's goroutine; what the session calls happens under the session's lock.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "weft/http/handler.hpp"
#include "weft/http/internal/h2_conn.hpp"
#include "weft/http/internal/limited_body.hpp"

namespace weft::rt {

class h2_request_body;

class h2_request final : public h2_stream, public http_origin, public http::response_writer {
 public:
  explicit h2_request(h2_conn& of);

  // While the head comes in, under the lock.
  void begin(int32_t id) { opened(id); }
  /// Bytes of all fields so far, as SETTINGS_MAX_HEADER_LIST_SIZE counts them.
  [[nodiscard]] size_t count_field(std::string_view name, std::string_view value) noexcept;
  void add_field(std::string_view name, std::string_view value, bool trailer);
  /// The status of a refusal, or 0: the head is good.
  [[nodiscard]] int complete();
  void refuse(int status);
  /// For an upgraded connection: the request is there already.
  void adopt(http::request&& whole);

  /// Runs the handler, and lets go. Not under the lock.
  void serve();

  // http_origin
  context request_context() override;
  const net::address& remote() const noexcept override;
  const net::address& local() const noexcept override;
  bool secure() const noexcept override;

  // response_writer
  http::header& headers() override { return headers_; }
  void write_head(int status) override;
  result<size_t> write(std::string_view content) override;
  result<void> flush() override;
  http::header& trailers() override { return trailers_; }
  int status() const noexcept override { return status_; }
  result<http::hijacked> hijack() override { return fail(http::not_hijackable); }
  result<void> set_read_deadline(net::time_point when) override;
  result<void> set_write_deadline(net::time_point when) override;

  // For the body.
  [[nodiscard]] int64_t read_until_ns() const noexcept { return read_until_ns_; }
  [[nodiscard]] const http::header* request_trailers() const noexcept {
    return request_trailers_.empty() ? nullptr : &request_trailers_;
  }

  // For the connection, under the lock.
  void reset_by_client() noexcept { reset_by_client_ = true; }
  /// The last frame of the answer is out.
  void answer_sent() noexcept;
  [[nodiscard]] bool stalled_since(int64_t when_ns) const noexcept {
    return open_ && users_ == 0 && returned_ns_ != 0 && returned_ns_ <= when_ns;
  }

 private:
  [[nodiscard]] h2_conn& conn() const noexcept { return static_cast<h2_conn&>(session_); }
  // h2_stream
  int submit_head(bool empty) override;
  void on_closed() override;
  void on_unwanted(size_t bytes) override;
  void dispose() override { delete this; }
  const http::header* trailers_to_send() override {
    return trailers_.empty() || to_head_ ? nullptr : &trailers_;
  }
  void before_first_wait() override;

  void add_pseudo(std::string_view name, std::string_view value);
  /// The answer is out and the handler has gone: what else comes of the body is thrown away, or,
  /// if that is much, not waited for.
  void stop_reading() noexcept;
  void run_handler();
  void handler_threw(std::exception_ptr what);
  void finish();
  void start_over();
  void send_informational(int status);
  result<void> send_now(std::string_view content, bool last);
  [[nodiscard]] bool may_have_content() const noexcept;

  http::request request_;
  std::string cookie_;
  std::string authority_;
  std::string path_;
  size_t head_bytes_ = 0;
  size_t head_fields_ = 0;
  int64_t length_ = -1;
  bool adopted_ = false;
  bool reset_by_client_ = false;
  bool answered_ = false;
  bool expects_continue_ = false;
  http::header request_trailers_;

  http::header headers_;
  http::header trailers_;
  /// Content that was collected.
  std::string collected_;
  int status_ = 0;
  int64_t declared_ = -1;
  uint64_t written_ = 0;
  bool to_head_ = false;
  bool whole_ = false;  // for submit_head(): nothing follows what was collected
  int64_t read_until_ns_ = 0;
  int64_t write_until_ns_ = 0;
  int64_t returned_ns_ = 0;
  uint64_t unwanted_ = 0;  // bytes of the body that were thrown away

  // Under the lock, once somebody has asked for the context.
  std::optional<context_and_cancel_cause> context_;
  cancel_func limit_stop_;
};

class h2_request_body final : public limited_body {
 public:
  h2_request_body(h2_request& of, int64_t length, uint64_t limit) noexcept
      : of_(of), length_(length) {
    limit_ = limit;
  }
  result<size_t> read(std::span<char> to) override;
  int64_t length() const noexcept override { return length_; }
  const http::header* trailers() const noexcept override {
    return over_ ? of_.request_trailers() : nullptr;
  }
  [[nodiscard]] const error& failure() const noexcept { return failed_; }

 private:
  h2_request& of_;
  int64_t length_;
  uint64_t passed_ = 0;
  bool over_ = false;
  error failed_;
};

}  // namespace weft::rt
