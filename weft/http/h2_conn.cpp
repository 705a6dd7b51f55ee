// SPDX-License-Identifier: Apache-2.0
#include "weft/http/internal/h2_conn.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <mutex>

#include "weft/http/internal/h2_request.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sync/timer.hpp"

namespace weft::rt {

namespace {

/// A window that opens by less than this is a frame that makes work, and no room.
constexpr int32_t small_window_bytes = 256;
/// Left-out identifiers that are remembered; clients leave out none.
constexpr size_t skipped_max = 32;
/// As many as there can be streams at a time, by default.
constexpr size_t reset_by_us_max = 256;
/// By how much a header list may exceed the limit before the connection ends, too: up to there the
/// client learns of the limit by an answer of 431.
constexpr size_t bomb_factor = 8;
/// How long the final GOAWAY of a shutdown waits for the client to have seen the first.
constexpr auto notice_time = std::chrono::seconds(1);
/// What the PING behind that first GOAWAY carries.
constexpr std::array<uint8_t, 8> notice_mark{'w', 'e', 'f', 't', 'd', 'o', 'n', 'e'};

/// -1 if it is none of the alphabet (RFC 4648, 5).
int base64url_value(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '-' ? 62 : c == '_' ? 63 : -1;
}

std::optional<std::string> base64url_decode(std::string_view text) {
  std::string out;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = base64url_value(c);
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(bits >> count & 0xff));
  }
  return out;
}

}  // namespace

bool event_rate::exceeded(uint32_t most, int64_t window_ns) noexcept {
  if (most == 0) return false;
  if (++count_ <= most && count_ != 1) return false;
  const int64_t now = now_ns();
  if (count_ == 1 || now - since_ns_ > window_ns) {
    count_ = 1;
    since_ns_ = now;
    return false;
  }
  return true;
}

h2_conn::h2_conn(std::shared_ptr<server_state> server, net::conn made, bool secure)
    : h2_session(std::move(made), h1::h2_preface.size()),
      server_connection(std::move(server)),
      secure_(secure) {
  const http::h2_limits& limits = state().options.h2;
  nghttp2_option* how = nullptr;
  nghttp2_option_new(&how);
  // Windows open as handlers read.
  nghttp2_option_set_no_auto_window_update(how, 1);
  nghttp2_option_set_max_continuations(how, limits.continuations_max);
  // Memory of streams that are closed; only priorities would want it.
  nghttp2_option_set_no_closed_streams(how, 1);
  nghttp2_session_server_new2(&core_, callbacks(), static_cast<h2_session*>(this), how);
  nghttp2_option_del(how);
}

h2_conn::~h2_conn() { leave_list(); }

std::shared_ptr<h2_conn> h2_conn::create(std::shared_ptr<server_state> server, net::conn made,
                                         bool secure) {
  return {new h2_conn(std::move(server), std::move(made), secure), [](h2_conn* c) { delete c; }};
}

void h2_conn::submit_settings() {
  const http::server_options& options = state().options;
  const std::array<nghttp2_settings_entry, 4> settings{{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, options.h2.streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, options.h2.stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, options.h2.frame_bytes_max},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
       static_cast<uint32_t>(options.limits.header_bytes_max)},
  }};
  (void)nghttp2_submit_settings(core_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  (void)nghttp2_session_set_local_window_size(
      core_, NGHTTP2_FLAG_NONE, 0, static_cast<int32_t>(options.h2.connection_window_bytes));
}

std::shared_ptr<h2_conn> h2_conn::make(std::shared_ptr<server_state> server, net::conn made,
                                       bool secure, server_connection* instead_of) {
  std::shared_ptr<h2_conn> c = create(std::move(server), std::move(made), secure);
  c->submit_settings();
  c->enlist(instead_of);
  return c;
}

std::shared_ptr<h2_conn> h2_conn::make_upgraded(std::shared_ptr<server_state> server,
                                                const net::conn& made,
                                                server_connection* instead_of,
                                                std::string_view settings, http::request&& first) {
  const std::optional<std::string> payload = base64url_decode(settings);
  if (!payload) return nullptr;
  std::shared_ptr<h2_conn> c = create(std::move(server), made, false);
  auto request = std::make_unique<h2_request>(*c);
  const bool to_head = first.method == "HEAD";
  if (nghttp2_session_upgrade2(c->core_, reinterpret_cast<const uint8_t*>(payload->data()),
                               payload->size(), to_head ? 1 : 0,
                               static_cast<h2_stream*>(request.get())) != 0)
    return nullptr;
  c->submit_settings();
  // Before there is anybody who could send a frame.
  (void)made.write(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
  {
    const std::scoped_lock hold(c->lock_);
    request->begin(1);
    request->adopt(std::move(first));
    c->last_id_ = 1;
    c->headers_complete(*request.release());
  }
  c->enlist(instead_of);
  return c;
}

void h2_conn::enlist(server_connection* instead_of) {
  join_list(instead_of);
  // shutdown() may have gone through the list before.
  if (state().closing()) wind_up();
}

void h2_conn::serve(std::string_view read_ahead) {
  received();
  begin(read_ahead);
}

// --- what comes in ---

h2_request* h2_conn::find(int32_t id) const noexcept {
  void* const s = nghttp2_session_get_stream_user_data(core_, id);
  return static_cast<h2_request*>(static_cast<h2_stream*>(s));
}

void h2_conn::check_stream(int32_t id, bool headers) noexcept {
  if (id % 2 == 0) return;  // the library knows that we have opened none
  if (id > last_id_) {
    if (!headers) return;  // it refuses that
    const int32_t next = last_id_ == 0 ? 1 : last_id_ + 2;
    if (id > next) {
      if (skipped_.size() == skipped_max) skipped_.erase(skipped_.begin());
      skipped_.emplace_back(next, id - 2);
    }
    last_id_ = id;
    return;
  }
  if (nghttp2_session_find_stream(core_, id) != nullptr) return;
  const bool was_left_out = std::ranges::any_of(
      skipped_, [id](const auto& range) { return id >= range.first && id <= range.second; });
  if (was_left_out) {
    terminate(NGHTTP2_PROTOCOL_ERROR);
  } else if (std::ranges::find(reset_by_us_, id) == reset_by_us_.end()) {
    terminate(NGHTTP2_STREAM_CLOSED);
  }
}

void h2_conn::remember_reset(int32_t id) {
  if (reset_by_us_.size() < reset_by_us_max) {
    reset_by_us_.push_back(id);
  } else {
    reset_by_us_[reset_at_++ % reset_by_us_max] = id;
  }
}

void h2_conn::too_many_control_frames() {
  const http::h2_limits& limits = state().options.h2;
  if (controls_.exceeded(limits.control_frames_max, limits.window.count()))
    end_badly("control frames (limit: h2_limits::control_frames_max)");
}

void h2_conn::count_reset() {
  const http::h2_limits& limits = state().options.h2;
  if (resets_.exceeded(limits.resets_max, limits.window.count()))
    end_badly("streams that were reset (limit: h2_limits::resets_max)");
}

void h2_conn::end_badly(const char*) noexcept {
  state().count.bad_requests.fetch_add(1, relaxed);
  terminate(NGHTTP2_ENHANCE_YOUR_CALM);
}

void h2_conn::on_begin_frame(const frame_head& head) {
  switch (head.type) {
    case NGHTTP2_HEADERS:
      check_stream(head.stream, true);
      break;
    case NGHTTP2_DATA:
      check_stream(head.stream, false);
      if (head.bytes == 0 && (head.flags & NGHTTP2_FLAG_END_STREAM) == 0) too_many_control_frames();
      break;
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_WINDOW_UPDATE:
    case NGHTTP2_CONTINUATION:
      break;
    default:
      too_many_control_frames();
      break;
  }
}

int h2_conn::on_begin_headers(const nghttp2_frame& frame) {
  head_began_ns_ = now_ns();
  if (frame.headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
  const int32_t id = frame.hd.stream_id;
  // What counts is who works for the client: a stream that it has reset may still have a handler.
  if (running_ >= state().options.h2.streams_max) {
    (void)nghttp2_submit_rst_stream(core_, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
    remember_reset(id);
    return 0;
  }
  auto request = std::make_unique<h2_request>(*this);
  (void)nghttp2_session_set_stream_user_data(core_, id, static_cast<h2_stream*>(request.get()));
  request.release()->begin(id);
  return 0;
}

int h2_conn::on_header(const nghttp2_frame& frame, std::string_view name, std::string_view value) {
  h2_request* const r = find(frame.hd.stream_id);
  if (r == nullptr) return 0;
  const http::server_limits& limits = state().options.limits;
  const size_t bytes = r->count_field(name, value);
  if (bytes > bomb_factor * limits.header_bytes_max) {
    end_badly("header list (limit: server_limits::header_bytes_max)");
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  r->add_field(name, value, frame.headers.cat != NGHTTP2_HCAT_REQUEST);
  return 0;
}

int h2_conn::on_frame(const nghttp2_frame& frame) {
  switch (frame.hd.type) {
    case NGHTTP2_HEADERS: {
      head_began_ns_ = 0;
      h2_request* const r = find(frame.hd.stream_id);
      if (r == nullptr) break;
      const bool last = (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
      if (last) r->take_end();
      if (frame.headers.cat != NGHTTP2_HCAT_REQUEST) break;
      state().count.requests.fetch_add(1, relaxed);
      headers_complete(*r);
      break;
    }
    case NGHTTP2_DATA:
      if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
        if (h2_request* const r = find(frame.hd.stream_id); r != nullptr) r->take_end();
      }
      break;
    case NGHTTP2_RST_STREAM:
      count_reset();
      if (h2_request* const r = find(frame.hd.stream_id); r != nullptr) r->reset_by_client();
      break;
    case NGHTTP2_WINDOW_UPDATE:
      if (frame.window_update.window_size_increment < small_window_bytes) too_many_control_frames();
      break;
    case NGHTTP2_PING:
      if (ending_ == ending::announced && (frame.hd.flags & NGHTTP2_FLAG_ACK) != 0 &&
          std::memcmp(frame.ping.opaque_data, notice_mark.data(), notice_mark.size()) == 0)
        say_last_stream();
      break;
    default:
      break;
  }
  return 0;
}

void h2_conn::on_frame_sent(const nghttp2_frame& frame) {
  if (frame.hd.type == NGHTTP2_RST_STREAM) {
    // What we did not end on our own the client has made us reset.
    const uint32_t code = frame.rst_stream.error_code;
    if (code != NGHTTP2_NO_ERROR && code != NGHTTP2_CANCEL && code != NGHTTP2_INTERNAL_ERROR)
      count_reset();
    return;
  }
  const bool head = frame.hd.type == NGHTTP2_HEADERS;
  if (!head && frame.hd.type != NGHTTP2_DATA) return;
  h2_request* const r = find(frame.hd.stream_id);
  if (r == nullptr) return;
  if (head) r->head_went_out();
  if ((frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) r->answer_sent();
}

void h2_conn::on_invalid_frame(const nghttp2_frame& frame) {
  head_began_ns_ = 0;
  // A stream that the library refuses by itself: we have heard of it only by its head.
  const int32_t id = frame.hd.stream_id;
  if (id != 0 && nghttp2_session_find_stream(core_, id) == nullptr) remember_reset(id);
}

void h2_conn::headers_complete(h2_request& r) {
  if (const int status = r.complete(); status != 0) {
    state().count.bad_requests.fetch_add(1, relaxed);
    r.refuse(status);
    return;
  }
  ++running_;
  ready_.push_back(&r);
  const uint64_t most = state().options.limits.requests_per_connection_max;
  if (++requests_ == most || state().closing()) drain();
}

void h2_conn::received() {
  std::vector<h2_request*> starting;
  {
    const std::scoped_lock hold(lock_);
    if (ready_.empty()) return;
    starting.swap(ready_);
  }
  for (h2_request* const r : starting) go([r, self = shared_from_this()] { r->serve(); });
}

std::string_view h2_conn::date() {
  using namespace std::chrono;
  const int64_t second = duration_cast<seconds>(system_clock::now().time_since_epoch()).count();
  if (second != date_second_) {
    date_second_ = second;
    date_ = format_http_date(second);
  }
  return date_.view();
}

// --- time ---

int64_t h2_conn::patience_ns() {
  const http::server_timeouts& limits = state().options.timeouts;
  if (head_began_ns_ != 0 && limits.read_header.count() > 0)
    return std::max<int64_t>(1, head_began_ns_ + limits.read_header.count() - now_ns());
  return requests_ == 0 ? limits.read_header.count() : limits.idle.count();
}

bool h2_conn::peer_is_silent() {
  if (head_began_ns_ != 0) {
    end_badly("a header block took longer than timeouts.read_header");
  } else if (stream_count_ == 0) {
    terminate(NGHTTP2_NO_ERROR);
  }
  // Otherwise handlers work, or have deadlines of their own.
  return true;
}

int64_t h2_conn::write_limit_ns() { return state().options.timeouts.write.count(); }

size_t h2_conn::outgoing_frames_max() { return state().options.h2.outgoing_frames_max; }

void h2_conn::all_written() {
  // Streams whose handlers have returned, and which the client does not let come to an end.
  const int64_t limit_ns = state().options.timeouts.write.count();
  if (stream_count_ <= running_ || stall_alarm_ || limit_ns <= 0) return;
  stall_alarm_ = true;
  (void)after_func(std::chrono::nanoseconds(limit_ns), [weak = weak_from_this()] {
    const std::shared_ptr<h2_session> self = weak.lock();
    if (self != nullptr) static_cast<h2_conn&>(*self).end_stalled();
  });
}

void h2_conn::end_stalled() {
  const std::scoped_lock hold(lock_);
  stall_alarm_ = false;
  if (failure()) return;
  const int64_t since = now_ns() - state().options.timeouts.write.count();
  for_each_stream([&](h2_stream& s) {
    if (static_cast<h2_request&>(s).stalled_since(since))
      (void)nghttp2_submit_rst_stream(core_, NGHTTP2_FLAG_NONE, s.id(), NGHTTP2_CANCEL);
  });
  all_written();
  flush();
}

// --- the end ---

void h2_conn::wind_up() noexcept {
  const std::scoped_lock hold(lock_);
  if (failure()) return;
  drain();
  flush();
}

/// Says that it will end, and goes on for a round trip: what the client had sent before it knew is
/// served. Then it says which stream was the last.
void h2_conn::drain() noexcept {
  if (ending_ != ending::no) return;
  ending_ = ending::announced;
  (void)nghttp2_submit_shutdown_notice(core_);
  (void)nghttp2_submit_ping(core_, NGHTTP2_FLAG_NONE, notice_mark.data());
  // A client that does not answer PINGs is not waited for.
  (void)after_func(notice_time, [weak = weak_from_this()] {
    const std::shared_ptr<h2_session> self = weak.lock();
    if (self == nullptr) return;
    const std::scoped_lock hold(self->lock());
    if (self->failure()) return;
    static_cast<h2_conn&>(*self).say_last_stream();
    self->flush();
  });
}

void h2_conn::say_last_stream() noexcept {
  if (ending_ != ending::announced) return;
  ending_ = ending::told;
  (void)nghttp2_submit_goaway(core_, NGHTTP2_FLAG_NONE,
                              nghttp2_session_get_last_proc_stream_id(core_), NGHTTP2_NO_ERROR,
                              nullptr, 0);
}

}  // namespace weft::rt
