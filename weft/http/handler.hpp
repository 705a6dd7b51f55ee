// SPDX-License-Identifier: Apache-2.0
// What a server calls for each request, and what it answers with.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/http/header.hpp"
#include "weft/http/request.hpp"
#include "weft/net/conn.hpp"

namespace weft::http {

/// A connection taken over from the server: nobody else reads, writes or closes it any more.
struct hijacked {
  net::conn conn;
  /// What the server had read ahead: the first bytes that the client sent after the request.
  std::string read_ahead;
};

/// The answer to one request. Valid during its handler, for one goroutine at a time. The base of
/// what a middleware puts between server and handler: forward everything that is not changed.
class WEFT_API response_writer {
 public:
  response_writer() = default;
  response_writer(const response_writer&) = delete;
  response_writer& operator=(const response_writer&) = delete;

  /// Fields to send. Without effect after write_head(), but for trailers.
  [[nodiscard]] virtual header& headers() = 0;
  /// Ends the head. The first call counts; later ones are logged. A status of 1xx (103 Early Hints)
  /// is sent at once and another head follows. Panics for a status outside of 100..999.
  virtual void write_head(int status) = 0;
  /// Content; the first write is write_head(200), if that was not called. Collected, and sent when
  /// there is enough, at flush(), or at the end: a short answer is then one packet with a
  /// Content-Length. May park. Fails when the client has left or the deadline has passed, with
  /// http::body_not_allowed for 1xx, 204, 304, and http::content_length_exceeded.
  virtual result<size_t> write(std::string_view content) = 0;
  /// Sends what was collected, and the head.
  virtual result<void> flush() = 0;
  /// Sent after the content, if its length was not declared. Fill it before the handler returns.
  [[nodiscard]] virtual header& trailers() = 0;
  /// 0: no head yet.
  [[nodiscard]] virtual int status() const noexcept = 0;
  /// Takes the connection over, before anything is written (WebSocket, CONNECT). HTTP/1 only, else
  /// fails with http::not_hijackable. The caller closes the connection.
  [[nodiscard]] virtual result<hijacked> hijack() = 0;
  /// Instead of the server's read and write timeouts, for this request; a default time_point: none.
  virtual result<void> set_read_deadline(net::time_point when) = 0;
  virtual result<void> set_write_deadline(net::time_point when) = 0;

 protected:
  ~response_writer() = default;
};

extern WEFT_API const error body_not_allowed;
extern WEFT_API const error content_length_exceeded;
extern WEFT_API const error not_hijackable;

/// Called on a goroutine of its own for each request. May be called many times at once. An
/// exception that leaves it is logged with its trace and answered by 500, or, if the head has been
/// sent already, by cutting the connection; abort_handler does so silently.
using handler = std::function<void(response_writer&, request&)>;
using middleware = std::function<handler(handler)>;

/// The first is the outermost: chain(h, {log, auth}) is log(auth(h)).
[[nodiscard]] WEFT_API handler chain(handler inner, std::initializer_list<middleware> around);

/// Throw it to cut the connection without a word in the log.
struct WEFT_API abort_handler{};

/// Answers in text/plain, with a line end; drops what the headers said about content.
WEFT_API void reply_error(response_writer& w, int status, std::string_view text);
/// "404 page not found"
WEFT_API void not_found(response_writer& w, request& r);
/// Location: `where`, which may be relative to the request's path; and a short text for GET.
WEFT_API void redirect(response_writer& w, request& r, std::string_view where, int status);

}  // namespace weft::http
