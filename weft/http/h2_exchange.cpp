// SPDX-License-Identifier: Apache-2.0
#include "weft/http/internal/h2_exchange.hpp"

#include <algorithm>
#include <charconv>
#include <mutex>

#include "weft/http/internal/header_id.hpp"
#include "weft/net/errors.hpp"
#include "weft/net/internal/stream.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::rt {

namespace {

/// A body in memory up to this is copied and needs no goroutine.
constexpr size_t at_once_bytes_max = size_t{64} << 10;
constexpr size_t piece_bytes = size_t{16} << 10;
/// A server may say 100, 102, 103 before it answers; one that says nothing else is ended.
constexpr int interim_max = 20;
/// RFC 9113, 10.5.1: what a field counts beside its texts.
constexpr size_t field_overhead = 32;

const error many_interim("http: the server sends one interim response after the other");
const error head_too_large("http: the response's head is too large (client_limits)");
const error given_up("http: the response's body was closed early");

/// The connection's fields are HTTP/1's; the body's length is said here.
bool is_left_out(std::string_view name, std::string_view value) noexcept {
  switch (find_header_id(name)) {
    case header_id::host:
    case header_id::content_length:
    case header_id::transfer_encoding:
    case header_id::trailer:
    case header_id::connection:
    case header_id::keep_alive:
    case header_id::proxy_connection:
    case header_id::upgrade:
      return true;
    case header_id::te:
      return !http::equal_fold(value, "trailers");
    default:
      return false;
  }
}

class h2_response_body final : public http::body_source {
 public:
  h2_response_body(h2_exchange& of, int64_t length) noexcept : of_(of), length_(length) {}
  ~h2_response_body() override {
    if (!over_) of_.finish();
  }

  result<size_t> read(std::span<char> to) override {
    if (failed_) return fail(failed_);
    if (over_ || to.empty()) return size_t{0};
    const result<size_t> got = of_.read_body(to);
    if (!got) {
      failed_ = got.error();
    } else if (*got == 0) {
      if (of_.answer_trailers() != nullptr) {
        trailers_ = *of_.answer_trailers();
        has_trailers_ = true;
      }
      over_ = true;
      of_.finish();
    }
    return got;
  }
  int64_t length() const noexcept override { return length_; }
  const http::header* trailers() const noexcept override {
    return has_trailers_ ? &trailers_ : nullptr;
  }

 private:
  h2_exchange& of_;
  int64_t length_;
  bool over_ = false;
  bool has_trailers_ = false;
  http::header trailers_;
  error failed_;
};

}  // namespace

h2_exchange::h2_exchange(std::shared_ptr<h2_client_conn> over, exchange& x,
                         const request_framing_out& how)
    : h2_stream(*over->session()),
      conn_(std::move(over)),
      ctx_(x.ctx),
      deadline_(x.deadline),
      trace_(x.trace),
      limits_(x.options.timeouts) {
  const http::request& r = x.request;
  const auto add = [this](std::string_view name, std::string_view value) {
    fields_.emplace_back(name, value);
  };
  add(":method", r.method);
  add(":scheme", r.url.scheme);
  add(":authority", r.host.empty() ? r.url.host : r.host);
  add(":path", r.url.target());
  bool has_agent = false;
  std::string cookies(x.cookies);
  for (const http::header::field f : r.headers) {
    if (is_left_out(f.name, f.value)) continue;
    const header_id id = find_header_id(f.name);
    if (id == header_id::user_agent) {
      has_agent = true;
      if (f.value.empty()) continue;  // as Go: sends none
    }
    if (id == header_id::cookie && !cookies.empty()) {
      cookies.insert(0, "; ").insert(0, f.value);
      continue;
    }
    add(f.name, f.value);
  }
  if (!has_agent && !x.options.user_agent.empty()) add("user-agent", x.options.user_agent);
  if (!cookies.empty()) add("cookie", cookies);
  if (x.asks_compression) add("accept-encoding", "gzip, zstd");
  if (!r.url.user.empty() && !r.headers.has("Authorization"))
    add("authorization", basic_authorization(r.url.user));
  const bool says_nothing = r.method == "POST" || r.method == "PUT" || r.method == "PATCH";
  if (how.length > 0 || (how.length == 0 && says_nothing))
    add("content-length", std::to_string(how.length));
  sends_body_ = how.length != 0;
  if (how.length < 0) trailers_ = r.trailers;
  users_ = 1;
}

int64_t h2_exchange::until(std::chrono::nanoseconds limit) const {
  const int64_t deadline = deadline_ == net::time_point{} ? 0 : deadline_ns(deadline_);
  if (limit.count() <= 0) return deadline;
  const int64_t at = now_ns() + limit.count();
  return deadline == 0 ? at : std::min(at, deadline);
}

int h2_exchange::submit_head(bool empty) {
  std::vector<nghttp2_nv> fields;
  fields.reserve(fields_.size());
  for (const auto& [name, value] : fields_) fields.push_back(pair(name, value));
  const nghttp2_data_provider from = provider();
  const int32_t id = nghttp2_submit_request(session_.core(), nullptr, fields.data(), fields.size(),
                                            empty ? nullptr : &from, static_cast<h2_stream*>(this));
  if (id < 0) return id;
  opened(id);
  return 0;
}

int h2_exchange::add_field(std::string_view name, std::string_view value) {
  const http::client_limits& limits = session().limits();
  head_bytes_ += name.size() + value.size() + field_overhead;
  if (head_bytes_ > limits.header_bytes_max || ++head_fields_ > limits.header_fields_max) {
    if (!why_) why_ = head_too_large;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  if (head_done_) {
    answer_trailers_.add_unchecked(name, value);
  } else if (name == ":status") {
    std::from_chars(value.data(), value.data() + value.size(), status_);
  } else {
    if (name == "content-length")
      std::from_chars(value.data(), value.data() + value.size(), length_);
    headers_.add_unchecked(name, value);
  }
  return 0;
}

void h2_exchange::headers_end(bool) {
  if (head_done_) return;
  if (status_ >= 200) {
    head_done_ = true;
  } else {
    ++interim_count_;
    interim_status_ = status_;
    interim_ = std::exchange(headers_, http::header());
    if (status_ == 100) may_send_ = true;
  }
  wake();
}

error h2_exchange::explain(error why, const char* waiting_for) {
  if (error ended = ctx_.err()) return ended;
  if (!why.timeout()) return why;
  if (deadline_ != net::time_point{} && weft::now() >= deadline_)
    return error::wrap(std::string("http: the request's timeout, while ") + waiting_for,
                       deadline_exceeded);
  return error::wrap(std::string("http: timeout, while ") + waiting_for, std::move(why));
}

void h2_exchange::abort(const error& why) {
  const std::scoped_lock hold(session_.lock());
  if (!why_) why_ = why;
  if (!closed_ && open_) {
    (void)nghttp2_submit_rst_stream(session_.core(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
    session_.flush();
  }
  wake();
}

void h2_exchange::watch_context() {
  if (ctx_.done_raw() == nullptr) return;
  {
    const std::scoped_lock hold(session_.lock());
    hold_one();
  }
  watches_ = true;
  stop_watching_ = after_func(ctx_, [this, kept = conn_->session()] {
    abort(ctx_.err());
    const std::scoped_lock hold(kept->lock());
    release();
  });
}

error h2_exchange::wait_for_head(std::unique_lock<mutex>& hold, exchange& x) {
  int told = 0;
  int64_t until_ns = 0;  // 0: not known yet; -1: none
  for (;;) {
    if (why_) return why_;
    if (interim_count_ > interim_max) return many_interim;
    if (told < interim_count_) {
      // Of several that came together only the last is told.
      told = interim_count_;
      if (trace_ == nullptr || !trace_->got_1xx) continue;
      const http::header fields = std::move(interim_);
      const int status = interim_status_;
      hold.unlock();
      trace_->got_1xx(status, fields);
      hold.lock();
      continue;
    }
    if (head_done_) return {};
    if (closed_) {
      if (!failure_ && code_ == NGHTTP2_REFUSED_STREAM) x.failure = failure_kind::nothing_written;
      if (failure_) x.failure = failure_kind::no_first_byte;
      return closed_error();
    }
    // The limit begins with the request's end; until then who sends the body has one.
    if (end_taken_ && until_ns == 0) {
      until_ns = until(limits_.response_header);
      if (until_ns == 0) until_ns = -1;
    }
    if (wait(hold, until_ns == 0 ? until({}) : std::max<int64_t>(until_ns, 0))) continue;
    if (!session().heard_since(began_ns_)) session().suspect();
    return explain(net::err_timeout, "waiting for the response's head");
  }
}

result<http::response> h2_exchange::run(exchange& x) {
  began_ns_ = now_ns();
  const http::body_source* const content = x.request.body.source();
  const std::string_view at_hand = content != nullptr ? content->at_hand() : std::string_view();
  const bool expects = x.request.headers.has_token("Expect", "100-continue");
  const bool at_once =
      !sends_body_ || (!expects && !at_hand.empty() && at_hand.size() <= at_once_bytes_max &&
                       static_cast<int64_t>(at_hand.size()) == content->length());
  {
    const std::scoped_lock hold(session_.lock());
    if (session_.failure()) {
      why_ = session_.failure();
      x.failure = failure_kind::nothing_written;
    }
  }
  if (why_) return refused(x);
  std::string collected(sends_body_ && at_once ? at_hand : std::string_view());
  const result<void> sent = send(collected, {}, at_once, until(limits_.stall));
  if (!sent) {
    why_ = sent.error();
    x.failure = failure_kind::nothing_written;
    return refused(x);
  }
  if (trace_ != nullptr && trace_->wrote_headers) trace_->wrote_headers();
  watch_context();
  if (!at_once) {
    {
      const std::scoped_lock hold(session_.lock());
      hold_one();
    }
    weft::go({.name = "http body"},
             [this, kept = conn_->session(), body = std::move(x.request.body), expects]() mutable {
               send_body(std::move(body), expects);
               const std::scoped_lock hold(kept->lock());
               release();
             });
  } else if (trace_ != nullptr && trace_->wrote_request) {
    trace_->wrote_request({});
  }
  std::unique_lock hold(session_.lock());
  if (error why = wait_for_head(hold, x)) {
    hold.unlock();
    if (error ended = ctx_.err()) why = std::move(ended);
    abort(why);
    finish();
    return fail(std::move(why));
  }
  http::response out;
  out.status = status_;
  out.version = http::version::http_2;
  out.headers = std::move(headers_);
  const bool nothing = in_end_ && in_.empty();
  hold.unlock();
  if (trace_ != nullptr && trace_->first_byte) trace_->first_byte();
  if (nothing) {
    finish();
  } else {
    out.body = http::body(std::make_unique<h2_response_body>(*this, length_));
  }
  return out;
}

std::unexpected<error> h2_exchange::refused(exchange&) {
  error why = why_;
  finish();
  return fail(std::move(why));
}

result<size_t> h2_exchange::read_body(std::span<char> to) {
  const int64_t began = now_ns();
  result<size_t> got = read(to, until(limits_.stall));
  if (got) return got;
  error why = got.error();
  {
    const std::scoped_lock hold(session_.lock());
    if (why_) why = why_;
    if (why.timeout() && !session().heard_since(began)) session().suspect();
  }
  why = explain(std::move(why), "reading the response's body");
  abort(why);
  return fail(std::move(why));
}

void h2_exchange::finish() {
  // What it does not prevent runs, and lets go by itself.
  const bool prevented = watches_ && stop_watching_();
  const std::shared_ptr<h2_client_conn> conn = conn_;
  const context kept = ctx_;  // keeps the trace
  const http::client_trace* const trace = trace_;
  {
    const std::scoped_lock hold(session_.lock());
    if (open_ && !closed_ && !(in_end_ && end_taken_)) {
      if (!why_) why_ = given_up;
      (void)nghttp2_submit_rst_stream(session_.core(), NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
    }
    discard_input();
    conn->session()->flush();
    if (prevented) release();
    release();  // this may be gone now
  }
  conn->pool->given_back(*conn);
  if (trace != nullptr && trace->put_idle_conn) trace->put_idle_conn({});
}

void h2_exchange::send_body(http::body content, bool expects) {
  if (expects) {
    if (trace_ != nullptr && trace_->wait_100_continue) trace_->wait_100_continue();
    const int64_t until_ns = until(limits_.expect_continue);
    std::unique_lock hold(session_.lock());
    while (!may_send_ && !head_done_ && !closed_ && !why_)
      if (!wait(hold, until_ns)) break;
    // It has answered without the body.
    if (head_done_ && status_ >= 300 && !may_send_) return;
  }
  const auto done = [this](const error& why) {
    if (trace_ != nullptr && trace_->wrote_request) trace_->wrote_request(why);
    if (why) abort(why);
  };
  const auto buffer = std::make_unique<char[]>(piece_bytes);
  std::string nothing;
  for (;;) {
    const result<size_t> got = content.read({buffer.get(), piece_bytes});
    if (!got) return done(got.error());
    const std::string_view piece(buffer.get(), *got);
    const result<void> sent = send(nothing, piece, piece.empty(), until(limits_.stall));
    if (!sent) {
      // A server that has answered need not read the rest.
      if (is_answered()) return;
      return done(explain(sent.error(), "writing the body"));
    }
    if (piece.empty()) return done({});
  }
}

bool h2_exchange::is_answered() {
  const std::scoped_lock hold(session_.lock());
  return head_done_;
}

}  // namespace weft::rt
