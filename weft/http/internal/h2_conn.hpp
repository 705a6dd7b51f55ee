// SPDX-License-Identifier: Apache-2.0
// A server's connection while it speaks HTTP/2: requests in, a goroutine for each, and the limits
// that keep a client from keeping the server busy with frames instead of requests.
//
// What each limit is against (http::h2_limits; exceeding one ends the connection with GOAWAY and
// ENHANCE_YOUR_CALM):
//
//   resets_max          requests that are asked for and taken back at once (CVE-2023-44487), or
//   that
//                       the client makes us take back (MadeYouReset): both cost us a handler
//   streams_max         handlers that run, not streams that are open: a stream that was reset is
//                       closed, but its handler runs
//   control_frames_max  PING, SETTINGS, PRIORITY, empty DATA, windows that open by a few bytes
//   continuations_max   header blocks without an end
//   header_bytes_max    header lists, counted decoded and as they come (HPACK bombs)
//   outgoing_frames_max a client that sends what wants an answer, and does not read
//   timeouts.write      windows that stay closed
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/http/internal/h2_session.hpp"
#include "weft/http/internal/http_date.hpp"
#include "weft/http/internal/server_state.hpp"

namespace weft::rt {

class h2_request;

/// How often something happened in a window of time.
class event_rate {
 public:
  /// True: more often than `most` times in `window_ns`. 0: never.
  [[nodiscard]] bool exceeded(uint32_t most, int64_t window_ns) noexcept;

 private:
  uint32_t count_ = 0;
  int64_t since_ns_ = 0;
};

class h2_conn final : public h2_session, public server_connection {
 public:
  /// The client speaks HTTP/2 from the start: by ALPN, or by what it sent first. `instead_of` is in
  /// the server's list until now, or null.
  [[nodiscard]] static std::shared_ptr<h2_conn> make(std::shared_ptr<server_state> server,
                                                     net::conn made, bool secure,
                                                     server_connection* instead_of);
  /// `Upgrade: h2c` in a request without a body: answers 101; the request becomes stream 1.
  /// `settings` is the value of HTTP2-Settings. Null: that is malformed, and nothing was done.
  [[nodiscard]] static std::shared_ptr<h2_conn> make_upgraded(std::shared_ptr<server_state> server,
                                                              const net::conn& made,
                                                              server_connection* instead_of,
                                                              std::string_view settings,
                                                              http::request&& first);
  /// Once: serves on this goroutine as long as there is something to read, then without one.
  /// `read_ahead`: the bytes that were read from the connection already.
  void serve(std::string_view read_ahead);

  // server_connection
  void wind_up() noexcept override;
  net::conn wire() const override { return connection(); }

  // For requests.
  [[nodiscard]] server_state& state() const noexcept { return server(); }
  [[nodiscard]] bool secure() const noexcept { return secure_; }
  /// Under lock: a handler has returned; its stream may still be sending.
  void handler_returned() noexcept { --running_; }
  /// Under lock. `by_us`: the client had neither ended nor reset it.
  void stream_closed(int32_t id, bool by_us) {
    if (by_us) remember_reset(id);
  }
  [[nodiscard]] std::string_view date();

 private:
  friend class h2_request;
  h2_conn(std::shared_ptr<server_state> server, net::conn made, bool secure);
  ~h2_conn() override;
  /// Joins the server's list; a server that closes has it wind up.
  void enlist(server_connection* instead_of);
  static std::shared_ptr<h2_conn> create(std::shared_ptr<server_state> server, net::conn made,
                                         bool secure);
  void submit_settings();

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
  int64_t write_limit_ns() override;
  void all_written() override;
  size_t outgoing_frames_max() override;

  [[nodiscard]] h2_request* find(int32_t id) const noexcept;
  /// A frame that begins or goes on with a stream: terminates the connection if there can be none.
  void check_stream(int32_t id, bool headers) noexcept;
  void remember_reset(int32_t id);
  void headers_complete(h2_request& r);
  void too_many_control_frames();
  void count_reset();
  /// `what` there was too much of.
  void end_badly(const char* what) noexcept;
  void drain() noexcept;
  void say_last_stream() noexcept;
  void end_stalled();

  const bool secure_;
  /// Requests whose heads have come: received() starts their handlers.
  std::vector<h2_request*> ready_;
  uint32_t running_ = 0;  // handlers
  uint64_t requests_ = 0;
  event_rate resets_;
  event_rate controls_;
  /// Since when a header block is incomplete; 0: none is.
  int64_t head_began_ns_ = 0;
  int32_t last_id_ = 0;
  /// Identifiers that the client has left out: [first, last] pairs. A stream that begins with one
  /// of these now is an error (the library takes it for one that has been closed).
  std::vector<std::pair<int32_t, int32_t>> skipped_;
  /// Streams that we have ended before the client did, the latest ones: it may not know yet, and go
  /// on sending. On any other closed stream it may not. (The library could remember them, too, at
  /// 200 bytes for each stream.)
  std::vector<int32_t> reset_by_us_;
  size_t reset_at_ = 0;
  enum class ending : uint8_t { no, announced, told };
  ending ending_ = ending::no;
  bool stall_alarm_ = false;
  int64_t date_second_ = -1;
  http_date date_{};
};

}  // namespace weft::rt
