// SPDX-License-Identifier: Apache-2.0
// A WebSocket connection after its handshake.
//
// Two locks. `reading_` is held by whoever reads frames; all that is about receiving is behind it.
// `writing_` is held while a frame is sent, and guards what is about sending. A reader takes
// `writing_` for pongs and close frames; nobody takes `reading_` with `writing_` held.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "weft/http/internal/ws_frames.hpp"
#include "weft/http/websocket.hpp"
#include "weft/sync/mutex.hpp"

namespace weft::rt {

class ws_connection {
 public:
  ws_connection(net::conn over, const ws_rules& rules, const http::websocket_options& options,
                std::string protocol, std::string read_ahead);
  ~ws_connection();
  ws_connection(const ws_connection&) = delete;
  ws_connection& operator=(const ws_connection&) = delete;

  result<http::ws_message> read();
  result<void> write(http::ws_kind kind, std::string_view data);
  result<void> ping(std::string_view payload);
  result<void> close(int code, std::string_view reason);
  [[nodiscard]] std::string_view protocol() const noexcept { return protocol_; }
  [[nodiscard]] bool compressed() const noexcept { return rules_.deflate; }
  [[nodiscard]] const net::conn& over() const noexcept { return over_; }

 private:
  /// With reading_ held: until a message, or the end (which is in end_ then).
  result<http::ws_message> read_locked();
  result<void> fill();
  result<void> wait_for_bytes();
  error end_with(int code, std::string reason, error cause);
  error fail_peer();
  error closed_by_peer();

  result<void> send(ws_opcode opcode, bool compressed, std::string_view payload);
  result<void> send_locked(ws_opcode opcode, bool compressed, std::string_view payload);
  result<void> send_close(int code, std::string_view reason);

  const net::conn over_;
  const ws_rules rules_;
  const std::string protocol_;
  const std::chrono::nanoseconds ping_interval_;
  const std::chrono::nanoseconds write_timeout_;
  const std::chrono::nanoseconds close_timeout_;
  const size_t compression_bytes_min_;

  weft::mutex reading_;
  ws_receiver receiver_;
  std::string buffer_;
  size_t begin_ = 0;
  size_t end_bytes_ = 0;
  bool pinged_ = false;  // and no byte since
  error end_;            // why there is no more to read

  weft::mutex writing_;
  std::string out_;
  net::time_point write_armed_{};
  bool close_sent_ = false;
  bool broken_ = false;  // a frame was sent in part
  /// Set once, under writing_: a reader then waits for the peer's close frame only so long.
  net::time_point close_deadline_{};
};

}  // namespace weft::rt
