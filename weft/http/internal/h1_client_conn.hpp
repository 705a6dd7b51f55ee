// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 from the client's side: one request at a time over one connection.
//
// The sender's goroutine writes the head, together with a body that is in memory, and reads the
// answer. A body that must be read from somewhere is written by a goroutine of its own, as that may
// wait for what the answer brings, and a server may answer before it has read everything.
//
// A context that ends closes the connection, from a goroutine that exists only then; all limits of
// time are deadlines of the connection. So each wait is a plain read or write.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "weft/http/internal/client_pool.hpp"
#include "weft/http/internal/h1_body.hpp"
#include "weft/http/internal/h1_head.hpp"
#include "weft/http/internal/h1_request_head.hpp"

namespace weft::rt {

/// Writes one request's body. Shared by its goroutine and the connection.
class h1_body_writer {
 public:
  h1_body_writer(net::conn wire, http::body content, int64_t length, http::header trailers,
                 const http::client_timeouts& timeouts, net::time_point deadline)
      : wire_(std::move(wire)),
        content_(std::move(content)),
        length_(length),
        trailers_(std::move(trailers)),
        timeouts_(timeouts),
        deadline_(deadline) {}

  /// The whole life of the goroutine.
  void run(bool expects_continue, const context& ctx, const http::client_trace* trace);
  /// The server said 100.
  void go_on() const { (void)permission_.try_send(true); }
  /// Not a byte more: the answer is an error.
  void stop() noexcept;
  /// The answer's head is there: the limit for it is no longer the writer's to set.
  void answered();
  /// Waits a moment for the end. True if everything was sent.
  [[nodiscard]] bool wait_done();
  /// Why it was not; false while it goes on.
  [[nodiscard]] error failure();

 private:
  [[nodiscard]] error write_all();
  [[nodiscard]] error write_piece(std::string_view piece);
  [[nodiscard]] error write_end();
  [[nodiscard]] error written(const result<size_t>& put);
  void finish(error why);

  const net::conn wire_;
  // The goroutine's.
  http::body content_;
  bool wire_failed_ = false;

  const int64_t length_;
  const http::header trailers_;
  const http::client_timeouts timeouts_;
  const net::time_point deadline_;
  chan<bool> permission_ = make_chan<bool>(1);
  /// Closed at the end.
  chan<std::monostate> done_ = make_chan<std::monostate>();
  mutex lock_;  // of what follows
  bool answered_ = false;
  bool finished_ = false;
  bool stopped_ = false;
  error why_;
};

class h1_client_conn final : public client_conn {
 public:
  h1_client_conn(net::conn wire, std::shared_ptr<client_pool> of) : wire_(std::move(wire)) {
    pool = std::move(of);
  }

  [[nodiscard]] result<http::response> round_trip(exchange& x) override;
  void close() noexcept override { (void)wire_.close(); }
  [[nodiscard]] const net::conn& wire() const noexcept override { return wire_; }

  /// Sends CONNECT and takes the answer: from then on the wire is a tunnel.
  [[nodiscard]] result<void> open_tunnel(std::string_view host_port,
                                         std::string_view proxy_authorization,
                                         net::time_point deadline);

 private:
  friend class h1_response_body;

  void begin(exchange& x);
  [[nodiscard]] result<void> send_request(exchange& x);
  [[nodiscard]] result<void> send_at_once(exchange& x, std::string_view head,
                                          std::string_view content);
  [[nodiscard]] result<void> send_by_writer(exchange& x, const std::string& head);
  /// The final head.
  [[nodiscard]] result<void> read_head(exchange& x, bool& any_byte);
  void interim();
  [[nodiscard]] result<http::response> make_response(exchange& x);
  /// What a reader is told instead of the wire's own words.
  [[nodiscard]] error explain(error why, const char* waiting_for) const;
  [[nodiscard]] net::time_point limit_from_now(std::chrono::nanoseconds limit) const;

  [[nodiscard]] std::string_view buffered() const noexcept {
    return std::string_view(buffer_).substr(begin_, end_ - begin_);
  }
  /// Reads something behind what is buffered. 0: the end.
  [[nodiscard]] result<size_t> fill();
  /// The exchange is over; may wait a moment for the writer.
  void finish(bool whole);
  /// It failed.
  void abandon();

  const net::conn wire_;
  std::string buffer_;  // of which [begin_, end_) is not used yet
  size_t begin_ = 0;
  size_t end_ = 0;
  h1::head head_;

  // Of the exchange.
  context ctx_;
  stop_func stop_watching_;
  bool watches_ctx_ = false;
  net::time_point deadline_;
  const http::client_trace* trace_ = nullptr;
  bool keep_alive_ = false;
  bool head_read_ = false;  // already, while the request was being written
  h1::method_id method_ = h1::method_id::other;
  std::shared_ptr<h1_body_writer> writer_;
};

}  // namespace weft::rt
