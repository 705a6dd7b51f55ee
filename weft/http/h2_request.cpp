// SPDX-License-Identifier: Apache-2.0
#include "weft/http/internal/h2_request.hpp"

#include <array>
#include <charconv>
#include <exception>
#include <mutex>
#include <vector>

#include "weft/base/panic.hpp"
#include "weft/http/internal/answer_rules.hpp"
#include "weft/http/internal/h1_body.hpp"
#include "weft/http/internal/h1_framing.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/throw_trace.hpp"

namespace weft::rt {

namespace {

const error request_over("http: the request has been answered");

struct digits {
  explicit digits(uint64_t number) noexcept {
    bytes = static_cast<size_t>(std::to_chars(text.data(), text.data() + text.size(), number).ptr -
                                text.data());
  }
  [[nodiscard]] std::string_view view() const noexcept { return {text.data(), bytes}; }
  std::array<char, 20> text;
  size_t bytes;
};

/// Fields that speak of an HTTP/1 connection; HTTP/2 forbids them.
bool of_connection(std::string_view name) noexcept {
  switch (name.size()) {
    case 7:
      return http::equal_fold(name, "Upgrade");
    case 10:
      return http::equal_fold(name, "Connection") || http::equal_fold(name, "Keep-Alive");
    case 16:
      return http::equal_fold(name, "Proxy-Connection");
    case 17:
      return http::equal_fold(name, "Transfer-Encoding");
    default:
      return false;
  }
}

error too_large(uint64_t limit) {
  return error::wrap("more than " + std::to_string(limit) +
                         " bytes (server_limits::body_bytes_max, or http::limit_body)",
                     http::body_too_large);
}

/// What is thrown away of a body that its handler did not read, before the stream is reset: there
/// are clients (curl 7) that take a reset for an error, although the answer came before it.
constexpr size_t drained_max = size_t{256} << 10;

/// RFC 9113, 10.5.1: what a field counts beside its texts.
constexpr size_t field_overhead = 32;

}  // namespace

h2_request::h2_request(h2_conn& of) : h2_stream(of) { request_.version = http::version::http_2; }

// --- the head ---

size_t h2_request::count_field(std::string_view name, std::string_view value) noexcept {
  ++head_fields_;
  return head_bytes_ += name.size() + value.size() + field_overhead;
}

void h2_request::add_pseudo(std::string_view name, std::string_view value) {
  if (name == ":method") {
    request_.method.assign(value);
  } else if (name == ":path") {
    path_.assign(value);
  } else if (name == ":authority") {
    authority_.assign(value);
  }
}

void h2_request::add_field(std::string_view name, std::string_view value, bool trailer) {
  const http::server_limits& limits = conn().state().options.limits;
  // What exceeds the limits is refused by complete(), and not kept.
  if (head_bytes_ > limits.header_bytes_max || head_fields_ > limits.header_fields_max + 4) return;
  if (trailer) {
    if (h1::allowed_in_trailers(name, find_header_id(name)))
      request_trailers_.add_unchecked(name, value);
    return;
  }
  if (name[0] == ':') return add_pseudo(name, value);
  switch (find_header_id(name)) {
    case header_id::host:
      request_.host.assign(value);
      return;
    case header_id::content_length: {
      uint64_t length = 0;
      // The library has refused what is no number, and two that differ.
      if (h1::parse_length(value, length)) length_ = static_cast<int64_t>(length);
      return;
    }
    case header_id::cookie:
      // RFC 9113, 8.2.3: in pieces for compression's sake; one field for everybody else.
      if (!cookie_.empty()) cookie_.append("; ");
      cookie_.append(value);
      return;
    case header_id::expect:
      expects_continue_ = http::equal_fold(value, "100-continue");
      break;
    default:
      break;
  }
  request_.headers.add_unchecked(name, value);
}

int h2_request::complete() {
  const http::server_options& options = conn().state().options;
  request_.set_origin(this);
  if (adopted_) {
    hold();
    return 0;
  }
  if (head_bytes_ > options.limits.header_bytes_max ||
      head_fields_ > options.limits.header_fields_max + 4)
    return 431;
  if (path_.size() > options.limits.target_bytes_max) return 414;
  if (!cookie_.empty()) request_.headers.add_unchecked("cookie", cookie_);
  // :authority is who is asked; a Host beside it that differs asks somebody else.
  if (!authority_.empty()) {
    if (!request_.host.empty() && !http::equal_fold(authority_, request_.host)) return 400;
    request_.host = authority_;
  }
  if (!h1::valid_host(request_.host)) return 400;
  if (request_.method == "CONNECT") {
    request_.url.host = request_.host;
  } else if (path_ == "*") {
    if (request_.method != "OPTIONS") return 400;
    request_.url.path = "*";
  } else if (path_.empty() || path_[0] != '/' || !http::url::parse_target(path_, request_.url)) {
    return 400;
  }
  to_head_ = request_.method == "HEAD";
  if (!in_end_) {
    request_.body = http::body(
        std::make_unique<h2_request_body>(*this, length_, options.limits.body_bytes_max));
  }
  hold();
  return 0;
}

void h2_request::adopt(http::request&& whole) {
  request_ = std::move(whole);
  to_head_ = request_.method == "HEAD";
  adopted_ = true;
  in_end_ = true;
}

void h2_request::refuse(int status) {
  const digits text(static_cast<uint64_t>(status));
  const std::array<nghttp2_nv, 2> fields{pair(":status", text.view()), pair("content-length", "0")};
  head_submitted_ = true;
  out_end_ = end_taken_ = true;
  (void)nghttp2_submit_response(session_.core(), id_, fields.data(), fields.size(), nullptr);
  returned_ns_ = now_ns();
  discard_input();
}

// --- the handler ---

void h2_request::serve() {
  const std::shared_ptr<h2_session> keep = session_.shared_from_this();
  server_state& state = conn().state();
  const http::server_timeouts& limits = state.options.timeouts;
  const int64_t now = now_ns();
  if (limits.read.count() > 0) read_until_ns_ = now + limits.read.count();
  if (limits.write.count() > 0) write_until_ns_ = now + limits.write.count();

  auto* const body = static_cast<h2_request_body*>(request_.body.source());
  state.count.requests_now.fetch_add(1, relaxed);
  run_handler();
  state.count.requests_now.fetch_sub(1, relaxed);
  // A handler may have closed the body, or taken it away.
  const bool ours = body != nullptr && request_.body.source() == body;
  if (ours && body->limit_exceeded() && !head_submitted_) {
    start_over();
    http::reply_error(*this, 413, body->failure().message());
  }
  finish();
  request_.body.close();

  const std::scoped_lock hold(session_.lock());
  if (context_) {
    context_->cancel(request_over);
    limit_stop_ = cancel_func();
  }
  returned_ns_ = now_ns();
  conn().handler_returned();
  if (answered_) stop_reading();
  h2_session& session = session_;
  release();  // this may be gone now
  session.flush();
}

void h2_request::run_handler() {
  const http::handler& handler = conn().state().options.handler;
  try {
    if (handler)
      handler(*this, request_);
    else
      http::not_found(*this, request_);
  } catch (const http::abort_handler&) {
    reset_after_sending(NGHTTP2_INTERNAL_ERROR, write_until_ns_);
  } catch (const throw_probe&) {  // never: it notes where the next one's exceptions are thrown
  } catch (...) {
    handler_threw(std::current_exception());
  }
}

void h2_request::handler_threw(std::exception_ptr what) {
  conn().state().log_panic(std::move(what), remote());
  if (head_submitted_) {
    // The client must not take what it has for the whole.
    reset_after_sending(NGHTTP2_INTERNAL_ERROR, write_until_ns_);
    return;
  }
  start_over();
  http::reply_error(*this, 500, "500 internal server error");
}

void h2_request::start_over() {
  headers_.clear();
  trailers_.clear();
  collected_.clear();
  status_ = 0;
  declared_ = -1;
  written_ = 0;
}

void h2_request::answer_sent() noexcept {
  answered_ = true;
  // While the handler runs it may still read.
  if (users_ == 0) stop_reading();
}

void h2_request::on_unwanted(size_t bytes) {
  unwanted_ += bytes;
  if (answered_) stop_reading();
}

void h2_request::stop_reading() noexcept {
  if (in_end_ || !open_ || closed_) return;
  if (unwanted_ <= drained_max && length_ <= static_cast<int64_t>(drained_max)) return;
  // RFC 9113, 8.1: the answer is whole, and the rest is not wanted.
  (void)nghttp2_submit_rst_stream(session_.core(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_NO_ERROR);
}

context h2_request::request_context() {
  const std::scoped_lock hold(session_.lock());
  if (!context_) {
    const http::server_options& options = conn().state().options;
    context parent = options.base ? options.base : background();
    if (const auto limit = options.timeouts.handler; limit.count() > 0) {
      auto [limited, stop] = with_timeout(parent, limit);
      limit_stop_ = std::move(stop);
      parent = limited;
    }
    context_.emplace(with_cancel_cause(parent));
    if (closed_) context_->cancel(closed_error());
  }
  return context_->ctx;
}

void h2_request::on_closed() {
  conn().stream_closed(id_, !in_end_ && !reset_by_client_);
  if (context_ && users_ != 0) context_->cancel(closed_error());
}

const net::address& h2_request::remote() const noexcept { return session_.stream().remote(); }
const net::address& h2_request::local() const noexcept { return session_.stream().local(); }
bool h2_request::secure() const noexcept { return conn().secure(); }

// --- the answer ---

bool h2_request::may_have_content() const noexcept { return !never_has_content(status_); }

void h2_request::write_head(int status) {
  if (status < 100 || status > 999) panic("http: write_head of status " + std::to_string(status));
  server_state& state = conn().state();
  if (status < 200) {
    if (status == 101) {
      state.log("http: write_head(101), which HTTP/2 does not have");
    } else if (status_ == 0) {
      send_informational(status);
    }
    return;
  }
  if (status_ != 0) {
    state.log("http: a second write_head(" + std::to_string(status) + ") after " +
              std::to_string(status_));
    return;
  }
  status_ = status;
  if (const auto text = headers_.find("Content-Length")) {
    uint64_t length = 0;
    if (h1::parse_length(*text, length)) {
      declared_ = static_cast<int64_t>(length);
    } else {
      state.log("http: a handler's Content-Length is no number: " + std::string(*text));
      headers_.erase("Content-Length");
    }
  }
}

void h2_request::send_informational(int status) {
  const std::scoped_lock hold(session_.lock());
  if (closed_ || head_submitted_) return;
  const digits text(static_cast<uint64_t>(status));
  std::vector<nghttp2_nv> fields{pair(":status", text.view())};
  if (status == 100) {
    expects_continue_ = false;
  } else {
    for (const http::header::field f : headers_)
      if (!of_connection(f.name)) fields.push_back(pair(f.name, f.value));
  }
  (void)nghttp2_submit_headers(session_.core(), NGHTTP2_FLAG_NONE, id_, nullptr, fields.data(),
                               fields.size(), nullptr);
  session_.flush();
}

/// The handler asks for the body, and the client waits to be asked.
void h2_request::before_first_wait() {
  if (!expects_continue_ || head_submitted_) return;
  expects_continue_ = false;
  const nghttp2_nv go_on = pair(":status", "100");
  (void)nghttp2_submit_headers(session_.core(), NGHTTP2_FLAG_NONE, id_, nullptr, &go_on, 1,
                               nullptr);
  session_.flush();
}

result<size_t> h2_request::write(std::string_view content) {
  if (status_ == 0) write_head(200);
  if (content.empty()) return size_t{0};
  if (!may_have_content()) return fail(http::body_not_allowed);
  if (declared_ >= 0 && written_ + content.size() > static_cast<uint64_t>(declared_))
    return fail(http::content_length_exceeded);
  written_ += content.size();
  if (to_head_) {
    // A little is kept to tell what its type would be.
    if (collected_.size() < 512) collected_.append(content.substr(0, 512));
    return content.size();
  }
  if (collected_.size() + content.size() <= collected_max) {
    collected_.append(content);
    return content.size();
  }
  if (result<void> sent = send_now(content, false); !sent) return fail(sent.error());
  return content.size();
}

result<void> h2_request::flush() {
  if (status_ == 0) write_head(200);
  if (to_head_ && written_ == 0 && declared_ < 0) return {};
  return send_now({}, false);
}

void h2_request::finish() {
  if (status_ == 0) write_head(200);
  if (declared_ >= 0 && written_ < static_cast<uint64_t>(declared_) && !to_head_ &&
      may_have_content()) {
    conn().state().log("http: a handler wrote " + std::to_string(written_) + " bytes of " +
                       std::to_string(declared_) + " that it had declared");
    reset_after_sending(NGHTTP2_INTERNAL_ERROR, write_until_ns_);
    return;
  }
  (void)send_now({}, true);
}

result<void> h2_request::send_now(std::string_view content, bool last) {
  if (to_head_) {
    // The head is all there is.
    if (head_submitted_) return {};
    last = true;
  }
  whole_ = last && content.empty();
  return send(collected_, content, last, write_until_ns_);
}

int h2_request::submit_head(bool empty) {
  std::vector<nghttp2_nv> fields;
  fields.reserve(headers_.size() + 5);
  const digits status(static_cast<uint64_t>(status_));
  fields.push_back(pair(":status", status.view()));
  const bool own_length = declared_ >= 0 || status_ == 304;
  bool has_date = false, has_type = false, has_server = false, has_encoding = false;
  for (const http::header::field f : headers_) {
    switch (find_header_id(f.name)) {
      case header_id::date:
        has_date = true;
        break;
      case header_id::server:
        has_server = true;
        break;
      case header_id::content_type:
        has_type = true;
        break;
      case header_id::content_encoding:
        has_encoding = true;
        break;
      case header_id::content_length:
        if (!own_length) continue;
        break;
      default:
        if (of_connection(f.name)) continue;
        break;
    }
    fields.push_back(pair(f.name, f.value));
  }
  const digits length(written_);
  // To HEAD: what GET would have said, if the handler has written it.
  if (declared_ < 0 && whole_ && may_have_content() && (!to_head_ || written_ > 0))
    fields.push_back(pair("content-length", length.view()));
  if (!has_type && !has_encoding && written_ > 0 && may_have_content())
    fields.push_back(pair("content-type", content_type_of(content_.empty() ? direct_ : content_)));
  const http::server_options& options = conn().state().options;
  if (!has_date && options.date) fields.push_back(pair("date", conn().date()));
  if (!has_server && !options.server_name.empty())
    fields.push_back(pair("server", options.server_name));
  const bool no_content = empty || to_head_;
  if (no_content) {
    content_.clear();
    content_at_ = 0;
    out_end_ = end_taken_ = true;
  }
  const nghttp2_data_provider from = provider();
  return nghttp2_submit_response(session_.core(), id_, fields.data(), fields.size(),
                                 no_content ? nullptr : &from);
}

result<void> h2_request::set_read_deadline(net::time_point when) {
  read_until_ns_ = deadline_ns(when);
  return {};
}

result<void> h2_request::set_write_deadline(net::time_point when) {
  write_until_ns_ = deadline_ns(when);
  return {};
}

// --- the body ---

result<size_t> h2_request_body::read(std::span<char> to) {
  if (failed_) return fail(failed_);
  if (over_) return size_t{0};
  if (limit_ != 0 && length_ > 0 && static_cast<uint64_t>(length_) > limit_) {
    exceeded_ = true;
    failed_ = too_large(limit_);
    return fail(failed_);
  }
  const result<size_t> got = of_.h2_stream::read(to, of_.read_until_ns());
  if (!got) {
    failed_ = error::wrap("http: body", got.error());
    return fail(failed_);
  }
  if (*got == 0 && !to.empty()) over_ = true;
  passed_ += *got;
  if (limit_ != 0 && passed_ > limit_) {
    exceeded_ = true;
    failed_ = too_large(limit_);
    return fail(failed_);
  }
  return got;
}

}  // namespace weft::rt
