// SPDX-License-Identifier: Apache-2.0
// HTTP/2 from the client's side: many requests at a time over one connection, which stays in the
// pool while it is used.
//
// A request's goroutine submits it and waits for the answer's head; whoever has the response reads
// the body. A body to be sent that is not in memory has a goroutine of its own, as in HTTP/1. A
// context that ends, or a limit of time, resets the stream and leaves the others alone.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "weft/http/internal/client_pool.hpp"
#include "weft/http/internal/h2_session.hpp"

namespace weft::rt {

class h2_client_conn;

class h2_client_session final : public h2_session {
 public:
  [[nodiscard]] static std::shared_ptr<h2_client_session> make(net::conn wire,
                                                               const http::client_options& options);
  /// The preface goes out; from now on it is read.
  void start(const std::shared_ptr<h2_client_conn>& owner);

  // Not under the lock.
  /// A place for one more request.
  [[nodiscard]] bool reserve() noexcept;
  void unreserve() noexcept;
  /// No further requests; ends after those that run.
  void wind_up() noexcept;

  // Under the lock.
  /// Something came since then.
  [[nodiscard]] bool heard_since(int64_t when_ns) const noexcept { return heard_ns_ > when_ns; }
  /// A request has waited in vain, and nothing has come meanwhile: this is perhaps a connection to
  /// nowhere. No further requests.
  void suspect() noexcept;
  [[nodiscard]] const http::client_limits& limits() const noexcept { return limits_; }

 private:
  h2_client_session(net::conn wire, const http::client_options& options);
  void give_up_pool();

  // h2_session
  void on_begin_frame(const frame_head& head) override;
  int on_begin_headers(const nghttp2_frame& frame) override;
  int on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value) override;
  int on_frame(const nghttp2_frame& frame) override;
  void on_frame_sent(const nghttp2_frame& frame) override;
  void on_invalid_frame(const nghttp2_frame& frame) override;
  void received() override;
  int64_t patience_ns() override;
  bool peer_is_silent() override;
  int64_t write_limit_ns() override { return timeouts_.stall.count(); }
  size_t outgoing_frames_max() override;
  void ended() override;

  const http::client_timeouts timeouts_;
  const http::client_limits limits_;
  std::weak_ptr<h2_client_conn> owner_;
  // Under the lock.
  uint32_t places_taken_ = 0;
  bool closed_to_new_ = false;
  int64_t heard_ns_ = 0;
};

/// What the pool has.
class h2_client_conn final : public client_conn {
 public:
  h2_client_conn(std::shared_ptr<h2_client_session> session, std::shared_ptr<client_pool> of)
      : session_(std::move(session)) {
    pool = std::move(of);
  }

  [[nodiscard]] result<http::response> round_trip(exchange& x) override;
  void close() noexcept override { (void)session_->stream().close(); }
  [[nodiscard]] const net::conn& wire() const noexcept override { return session_->connection(); }
  [[nodiscard]] bool multiplexed() const noexcept override { return true; }
  [[nodiscard]] bool reserve() noexcept override { return session_->reserve(); }
  void unreserve() noexcept override { session_->unreserve(); }
  void wind_up() noexcept override { session_->wind_up(); }
  [[nodiscard]] const std::shared_ptr<h2_client_session>& session() const noexcept {
    return session_;
  }

 private:
  const std::shared_ptr<h2_client_session> session_;
};

}  // namespace weft::rt
