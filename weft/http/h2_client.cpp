// SPDX-License-Identifier: Apache-2.0
#include "weft/http/internal/h2_client.hpp"

#include <algorithm>
#include <array>
#include <mutex>

#include "weft/http/internal/h2_exchange.hpp"
#include "weft/sched/internal/section.hpp"

namespace weft::rt {

namespace {

/// What a server may send before somebody has read it: for a stream, and for all of them.
constexpr uint32_t stream_window_bytes = 1u << 20;
constexpr int32_t connection_window_bytes = 16 << 20;
/// Whatever the server allows.
constexpr uint32_t streams_max = 1000;
/// Frames that wait for a server that does not read; answers to its PINGs and SETTINGS, mostly.
constexpr size_t outgoing_max = 10'000;

}  // namespace

h2_client_session::h2_client_session(net::conn wire, const http::client_options& options)
    : h2_session(std::move(wire), 0), timeouts_(options.timeouts), limits_(options.limits) {
  nghttp2_option* how = nullptr;
  nghttp2_option_new(&how);
  nghttp2_option_set_no_auto_window_update(how, 1);
  nghttp2_option_set_no_closed_streams(how, 1);
  nghttp2_session_client_new2(&core_, callbacks(), static_cast<h2_session*>(this), how);
  nghttp2_option_del(how);
}

std::shared_ptr<h2_client_session> h2_client_session::make(net::conn wire,
                                                           const http::client_options& options) {
  std::shared_ptr<h2_client_session> made(new h2_client_session(std::move(wire), options));
  const std::array<nghttp2_settings_entry, 3> settings{{
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
       static_cast<uint32_t>(options.limits.header_bytes_max)},
  }};
  (void)nghttp2_submit_settings(made->core_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  (void)nghttp2_session_set_local_window_size(made->core_, NGHTTP2_FLAG_NONE, 0,
                                              connection_window_bytes);
  return made;
}

void h2_client_session::start(const std::shared_ptr<h2_client_conn>& owner) {
  owner_ = owner;
  heard_ns_ = now_ns();
  begin({});
}

bool h2_client_session::reserve() noexcept {
  const std::scoped_lock hold(lock_);
  if (failure() || closed_to_new_) return false;
  const uint32_t allowed =
      nghttp2_session_get_remote_settings(core_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  if (places_taken_ >= std::min(allowed, streams_max)) return false;
  ++places_taken_;
  return true;
}

void h2_client_session::unreserve() noexcept {
  const std::scoped_lock hold(lock_);
  --places_taken_;
  if (closed_to_new_ && places_taken_ == 0 && !failure()) {
    terminate(NGHTTP2_NO_ERROR);
    flush();
  }
}

void h2_client_session::wind_up() noexcept {
  const std::scoped_lock hold(lock_);
  closed_to_new_ = true;
  if (places_taken_ != 0 || failure()) return;
  terminate(NGHTTP2_NO_ERROR);
  flush();
}

void h2_client_session::suspect() noexcept { closed_to_new_ = true; }

void h2_client_session::on_begin_frame(const frame_head&) {}

int h2_client_session::on_begin_headers(const nghttp2_frame&) { return 0; }

int h2_client_session::on_header(const nghttp2_frame& frame, std::string_view name,
                                 std::string_view value) {
  void* const s = nghttp2_session_get_stream_user_data(core_, frame.hd.stream_id);
  if (s == nullptr) return 0;
  return static_cast<h2_exchange*>(static_cast<h2_stream*>(s))->add_field(name, value);
}

int h2_client_session::on_frame(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_GOAWAY) closed_to_new_ = true;
  if (frame.hd.type != NGHTTP2_HEADERS && frame.hd.type != NGHTTP2_DATA) return 0;
  void* const s = nghttp2_session_get_stream_user_data(core_, frame.hd.stream_id);
  if (s == nullptr) return 0;
  auto& e = *static_cast<h2_exchange*>(static_cast<h2_stream*>(s));
  const bool last = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  if (last) e.take_end();
  if (frame.hd.type == NGHTTP2_HEADERS) e.headers_end(last);
  return 0;
}

void h2_client_session::on_frame_sent(const nghttp2_frame&) {}
void h2_client_session::on_invalid_frame(const nghttp2_frame&) {}

void h2_client_session::received() {
  bool leaves = false;
  {
    const std::scoped_lock hold(lock_);
    heard_ns_ = now_ns();
    leaves = closed_to_new_;
  }
  if (leaves) give_up_pool();
}

void h2_client_session::give_up_pool() {
  if (const std::shared_ptr<h2_client_conn> owner = owner_.lock(); owner != nullptr)
    owner->pool->lost(*owner);
}

void h2_client_session::ended() { give_up_pool(); }

int64_t h2_client_session::patience_ns() { return timeouts_.idle_conn.count(); }

bool h2_client_session::peer_is_silent() {
  // Requests have limits of their own.
  if (places_taken_ != 0 || stream_count_ != 0) return true;
  closed_to_new_ = true;
  terminate(NGHTTP2_NO_ERROR);
  return true;
}

size_t h2_client_session::outgoing_frames_max() { return outgoing_max; }

std::shared_ptr<client_conn> make_h2_client_conn(net::conn wire,
                                                 std::shared_ptr<client_pool> pool) {
  std::shared_ptr<h2_client_session> session =
      h2_client_session::make(std::move(wire), pool->options());
  auto made = std::make_shared<h2_client_conn>(session, std::move(pool));
  session->start(made);
  return made;
}

result<http::response> h2_client_conn::round_trip(exchange& x) {
  const result<request_framing_out> how = frame_client_request(x.request);
  if (!how) {
    pool->given_back(*this);
    return fail(how.error());
  }
  auto self = std::static_pointer_cast<h2_client_conn>(shared_from_this());
  return (new h2_exchange(std::move(self), x, *how))->run(x);
}

}  // namespace weft::rt
