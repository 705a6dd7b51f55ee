// SPDX-License-Identifier: Apache-2.0
// Reading, writing, ending.
#include "weft/http/internal/ws_connection.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "weft/http/internal/random_bytes.hpp"
#include "weft/http/internal/ws_deflate.hpp"
#include "weft/net/errors.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::http {

const error ws_ended("http: websocket closed");

}  // namespace weft::http

namespace weft::rt {

namespace {

using namespace std::chrono_literals;
using http::ws_close;
using http::ws_ended;

inline constexpr size_t buffer_bytes = size_t{8} << 10;
// When a large frame is known to come.
inline constexpr size_t buffer_bytes_max = size_t{64} << 10;
// Larger ones of a server are sent from where they are, in a second part.
inline constexpr size_t copied_bytes_max = size_t{16} << 10;
inline constexpr size_t reason_bytes_max = 123;
inline constexpr int no_code = 1005;
inline constexpr int gone = 1006;
// After an error of the peer's: closing with bytes unread would take our close frame with it.
inline constexpr auto linger_time = 500ms;
inline constexpr size_t linger_bytes_max = size_t{1} << 20;

bool is_utf8(std::string_view text) noexcept {
  utf8_checker check;
  return check.feed(text) && check.whole();
}

error bad_argument(const char* why) {
  return error(std::make_error_code(std::errc::invalid_argument),
               std::string("http: websocket: ") + why);
}

}  // namespace

ws_connection::ws_connection(net::conn over, const ws_rules& rules,
                             const http::websocket_options& options, std::string protocol,
                             std::string read_ahead)
    : over_(std::move(over)),
      rules_(rules),
      protocol_(std::move(protocol)),
      ping_interval_(options.ping_interval),
      write_timeout_(options.write_timeout),
      close_timeout_(options.close_timeout),
      compression_bytes_min_(options.compression_bytes_min),
      receiver_(rules),
      buffer_(std::move(read_ahead)),
      end_bytes_(buffer_.size()) {}

ws_connection::~ws_connection() { (void)over_.close(); }

error ws_connection::end_with(int code, std::string reason, error cause) {
  end_ = std::move(cause).with(ws_close{code, std::move(reason)});
  (void)over_.close();
  return end_;
}

/// Parks until something can be read, pinging a silent peer.
result<void> ws_connection::wait_for_bytes() {
  for (;;) {
    net::time_point closing{};
    {
      const std::lock_guard hold(writing_);
      closing = close_deadline_;
      net::time_point until = closing;
      if (until == net::time_point{} && ping_interval_ != 0ns) until = now() + ping_interval_;
      (void)over_.set_read_deadline(until);
    }
    result<void> can = over_.wait_readable();
    if (can || !can.error().timeout()) return can;
    if (closing != net::time_point{}) return can;
    {
      const std::lock_guard hold(writing_);
      if (close_deadline_ != net::time_point{}) continue;  // close() has woken us
    }
    if (pinged_) return can;
    pinged_ = true;
    if (auto sent = send(ws_opcode::ping, false, {}); !sent) return sent;
  }
}

result<void> ws_connection::fill() {
  if (begin_ == end_bytes_) {
    begin_ = end_bytes_ = 0;
    // Silent: no buffer is held.
    if (buffer_.capacity() > 64) std::string().swap(buffer_);
  } else {
    buffer_.erase(0, begin_);
    end_bytes_ -= begin_;
    begin_ = 0;
  }
  if (auto can = wait_for_bytes(); !can) return can;
  const auto room = static_cast<size_t>(
      std::clamp<uint64_t>(receiver_.bytes_wanted(), buffer_bytes, buffer_bytes_max));
  buffer_.resize(end_bytes_ + room);
  const result<size_t> got = over_.read(std::span<char>(buffer_.data() + end_bytes_, room));
  if (!got) return fail(got.error());
  if (*got == 0) return fail(net::unexpected_eof);
  pinged_ = false;
  end_bytes_ += *got;
  return {};
}

/// The peer broke a rule: we say which, and end.
error ws_connection::fail_peer() {
  const int code = receiver_.code();
  const std::string why = receiver_.why();
  if (send_close(code, why)) {
    (void)over_.close_write();
    (void)over_.set_read_deadline(now() + linger_time);
    buffer_.resize(buffer_bytes);
    for (size_t dropped = 0; dropped < linger_bytes_max;) {
      const result<size_t> got = over_.read(std::span<char>(buffer_));
      if (!got || *got == 0) break;
      dropped += *got;
    }
  }
  return end_with(code, why, error::wrap("http: websocket: the peer sent " + why, ws_ended));
}

error ws_connection::closed_by_peer() {
  const int code = receiver_.code();
  std::string reason = receiver_.payload();
  (void)send_close(code, {});
  return end_with(code, std::move(reason), ws_ended);
}

result<http::ws_message> ws_connection::read_locked() {
  if (end_) return fail(end_);
  for (;;) {
    size_t used = 0;
    const ws_receiver::event event =
        receiver_.next(buffer_.data() + begin_, end_bytes_ - begin_, used);
    begin_ += used;
    switch (event) {
      case ws_receiver::event::need_more:
        if (auto more = fill(); !more)
          return fail(end_with(gone, {}, error::wrap("http: websocket", more.error())));
        break;
      case ws_receiver::event::message:
        return http::ws_message{receiver_.text() ? http::ws_kind::text : http::ws_kind::binary,
                                receiver_.take_message()};
      case ws_receiver::event::ping:
        // Who does not take a pong will not take more either: the next write says so.
        (void)send(ws_opcode::pong, false, receiver_.payload());
        break;
      case ws_receiver::event::pong:
        break;
      case ws_receiver::event::close:
        return fail(closed_by_peer());
      case ws_receiver::event::error:
        return fail(fail_peer());
    }
  }
}

result<http::ws_message> ws_connection::read() {
  const std::lock_guard hold(reading_);
  return read_locked();
}

result<void> ws_connection::send_locked(ws_opcode opcode, bool compressed,
                                        std::string_view payload) {
  if (close_sent_ || broken_) return fail(ws_ended);
  // Set once for many frames: it fires between one and two timeouts after a write began.
  if (write_timeout_ != 0ns) {
    const net::time_point time = now();
    if (write_armed_ < time + write_timeout_) {
      write_armed_ = time + 2 * write_timeout_;
      (void)over_.set_write_deadline(write_armed_);
    }
  }
  out_.clear();
  result<size_t> put;
  if (!rules_.server) {
    std::array<char, 4> mask{};
    fill_random({reinterpret_cast<unsigned char*>(mask.data()), mask.size()});
    ws_append_head(out_, opcode, true, compressed, payload.size(), &mask);
    const size_t head_bytes = out_.size();
    out_.append(payload);
    ws_mask(out_.data() + head_bytes, payload.size(), mask, 0);
    put = over_.write(out_);
  } else {
    ws_append_head(out_, opcode, true, compressed, payload.size(), nullptr);
    if (payload.size() <= copied_bytes_max) {
      put = over_.write(out_.append(payload));
    } else {
      const std::string_view parts[] = {out_, payload};
      put = over_.writev(parts);
    }
  }
  if (out_.capacity() > 4 * copied_bytes_max) std::string().swap(out_);
  if (put) return {};
  broken_ = true;
  // Wakes who reads: nothing can be sent any more.
  (void)over_.close();
  return fail(put.error());
}

result<void> ws_connection::send(ws_opcode opcode, bool compressed, std::string_view payload) {
  const std::lock_guard hold(writing_);
  return send_locked(opcode, compressed, payload);
}

result<void> ws_connection::send_close(int code, std::string_view reason) {
  std::string payload;
  if (code != no_code) {
    payload += static_cast<char>(code >> 8);
    payload += static_cast<char>(code & 0xFF);
    payload.append(reason.substr(0, reason_bytes_max));
  }
  const std::lock_guard hold(writing_);
  if (close_sent_) return {};
  result<void> sent = send_locked(ws_opcode::close, false, payload);
  close_sent_ = true;
  return sent;
}

result<void> ws_connection::write(http::ws_kind kind, std::string_view data) {
  const bool text = kind == http::ws_kind::text;
  if (text && !is_utf8(data))
    return fail(error(std::make_error_code(std::errc::illegal_byte_sequence),
                      "http: websocket: a text that is no UTF-8"));
  const ws_opcode opcode = text ? ws_opcode::text : ws_opcode::binary;
  if (rules_.deflate && data.size() >= compression_bytes_min_) {
    std::string smaller;
    ws_deflate(data, smaller);
    if (smaller.size() < data.size()) return send(opcode, true, smaller);
  }
  return send(opcode, false, data);
}

result<void> ws_connection::ping(std::string_view payload) {
  constexpr size_t payload_bytes_max = 125;
  if (payload.size() > payload_bytes_max)
    return fail(bad_argument("a ping carries at most 125 bytes"));
  return send(ws_opcode::ping, false, payload);
}

result<void> ws_connection::close(int code, std::string_view reason) {
  if (!ws_close_code_good(code)) return fail(bad_argument("a close code that nobody may send"));
  if (reason.size() > reason_bytes_max || !is_utf8(reason))
    return fail(bad_argument("a close reason has at most 123 bytes of UTF-8"));
  if (auto sent = send_close(code, reason); !sent) return sent;
  {
    const std::lock_guard hold(writing_);
    if (close_deadline_ == net::time_point{}) close_deadline_ = now() + close_timeout_;
    // Also for who waits in a read now.
    (void)over_.set_read_deadline(close_deadline_);
  }
  const std::lock_guard hold(reading_);
  while (!end_) (void)read_locked();
  if (end_.is(ws_ended)) return {};
  return fail(end_);
}

}  // namespace weft::rt
