// SPDX-License-Identifier: Apache-2.0
// WebSocket (RFC 6455), for servers and clients, with compression of messages (RFC 7692).
//
//   routes.handle("/chat", [](http::response_writer& w, http::request& r) {
//     auto ws = http::websocket::accept(w, r);
//     if (!ws) return;                       // answered already
//     while (auto m = ws->read()) (void)ws->write(m->kind, m->data);
//   });
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/error.hpp"
#include "weft/http/handler.hpp"
#include "weft/http/header.hpp"
#include "weft/http/request.hpp"
#include "weft/net/conn.hpp"
#include "weft/sync/context.hpp"

namespace weft::rt {
class ws_connection;
}

namespace weft::http {

enum class ws_kind : uint8_t { text, binary };

struct ws_message {
  ws_kind kind = ws_kind::text;
  std::string data;
};

/// Why a connection has ended: `err.as<http::ws_close>()` of what read() fails with.
struct ws_close {
  /// The peer's code, or ours if we ended it for a reason. 1005: the peer gave none; 1006: it has
  /// gone without a word.
  int code = 0;
  std::string reason;
};

struct websocket_options {
  /// Subprotocols: a server takes the first of its own that the client knows, a client offers them.
  std::vector<std::string> protocols{};
  /// Of one message, decompressed; so no frame is larger either. 1009.
  size_t message_bytes_max = size_t{1} << 20;
  /// permessage-deflate, if the peer wants it, too. Messages from `compression_bytes_min` on.
  bool compression = true;
  size_t compression_bytes_min = 256;
  /// A server's: if a page of this origin may connect. Null: requests without an Origin field, and
  /// those whose origin is the host that they ask: otherwise any page in the world could speak with
  /// our server in its visitor's name.
  std::function<bool(const request&)> check_origin{};
  /// While somebody reads: after so long without a byte a ping is sent, after as long again without
  /// an answer the peer is given up. Zero: never.
  std::chrono::nanoseconds ping_interval = std::chrono::seconds(30);
  /// Of a write, and of waiting for the peer's close frame.
  std::chrono::nanoseconds write_timeout = std::chrono::seconds(30);
  std::chrono::nanoseconds close_timeout = std::chrono::seconds(5);
  /// A client's: more fields for the request, how long the handshake may take, and how to connect
  /// (null: net::dial, and for "wss" net::dial_tls with the system's roots, read each time).
  http::header headers{};
  std::chrono::nanoseconds handshake_timeout = std::chrono::seconds(30);
  std::function<result<net::conn>(const context& ctx, const url& to)> dial{};
};

/// A shared handle; the last one gone cuts the connection without a close frame. One goroutine may
/// read while others write; two readers take turns, so do writers. Pings are answered by whoever
/// reads: a connection that nobody reads answers none, and sees no end.
class WEFT_API websocket {
 public:
  /// Empty: every operation fails with ws_ended.
  websocket() noexcept = default;
  explicit websocket(std::shared_ptr<rt::ws_connection> to) noexcept : to_(std::move(to)) {}
  [[nodiscard]] explicit operator bool() const noexcept { return to_ != nullptr; }

  /// A server's side of the handshake: takes the connection over. If that fails, the request has
  /// been answered (400, 403 for the origin, 426 for another version).
  [[nodiscard]] static result<websocket> accept(response_writer& w, request& r,
                                                const websocket_options& options = {});
  /// Connects to "ws://host/path" (or "wss://"). May park.
  [[nodiscard]] static result<websocket> connect(const context& ctx, std::string_view where,
                                                 const websocket_options& options = {});

  /// The next message; parks. Fails with ws_ended (and a ws_close) when either side has closed,
  /// with the connection's error if that broke.
  [[nodiscard]] result<ws_message> read() const;
  /// Sends a message; parks while the peer does not take it. A text must be UTF-8: fails with
  /// std::errc::illegal_byte_sequence otherwise, since the peer would have to end the connection.
  result<void> write(ws_kind kind, std::string_view data) const;
  result<void> write_text(std::string_view text) const { return write(ws_kind::text, text); }
  result<void> write_binary(std::string_view data) const { return write(ws_kind::binary, data); }
  /// At most 125 bytes.
  result<void> ping(std::string_view payload = {}) const;
  /// Sends a close frame, waits for the peer's (close_timeout), closes the connection. Messages
  /// that come meanwhile are dropped, unless somebody reads them. A code is 1000..1003, 1007..1014
  /// or 3000..4999; a reason has at most 123 bytes of UTF-8.
  result<void> close(int code = 1000, std::string_view reason = {}) const;

  /// What was agreed on; empty: none.
  [[nodiscard]] std::string_view protocol() const noexcept;
  [[nodiscard]] bool compressed() const noexcept;
  [[nodiscard]] const net::conn& connection() const noexcept;

 private:
  std::shared_ptr<rt::ws_connection> to_;
};

/// "http: websocket closed"
extern WEFT_API const error ws_ended;

}  // namespace weft::http
