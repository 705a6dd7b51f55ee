// SPDX-License-Identifier: Apache-2.0
// One exchange: the request out, the answer's head in, the end.
#include "weft/http/internal/h1_client_conn.hpp"

#include <cstring>
#include <mutex>

#include "weft/http/internal/h1_framing.hpp"
#include "weft/http/internal/h1_response_body.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::rt {

namespace {

using namespace std::chrono_literals;

// A socket that has nothing to send takes this much at once or not at all: its buffer is larger on
// every system. More may be cut by an error in the middle, unseen.
constexpr size_t all_or_nothing_bytes = 4096;
// What is sent together with the head: copied by the kernel, not by us, and more than this waits
// for the server anyway.
constexpr size_t at_once_bytes_max = size_t{64} << 10;
constexpr size_t buffer_bytes = 4096;
// A server may say 100, 102, 103 before it answers; one that says nothing else is ended.
constexpr int interim_max = 20;
// For the answer of a server that did not take the whole request.
constexpr auto grace_for_answer = 1s;

const error many_interim("http: the server sends one interim response after the other");
const error switched("http: the server switched protocols, which nobody had asked for");

h1::method_id method_of(std::string_view method) noexcept {
  if (method == "HEAD") return h1::method_id::head;
  if (method == "GET") return h1::method_id::get;
  if (method == "CONNECT") return h1::method_id::connect;
  return h1::method_id::other;
}

}  // namespace

std::shared_ptr<client_conn> make_h1_client_conn(net::conn wire,
                                                 std::shared_ptr<client_pool> pool) {
  return std::make_shared<h1_client_conn>(std::move(wire), std::move(pool));
}

net::time_point h1_client_conn::limit_from_now(std::chrono::nanoseconds limit) const {
  if (limit.count() <= 0) return deadline_;
  const net::time_point at = weft::now() + limit;
  return deadline_ == net::time_point{} ? at : std::min(at, deadline_);
}

void h1_client_conn::begin(exchange& x) {
  ctx_ = x.ctx;
  deadline_ = x.deadline;
  trace_ = x.trace;
  keep_alive_ = pool->options().keep_alive;
  method_ = method_of(x.request.method);
  writer_.reset();
  watches_ctx_ = ctx_.done_raw() != nullptr;
  if (watches_ctx_) {
    stop_watching_ = after_func(ctx_, [wire = wire_] {
      (void)wire.set_deadline(net::time_point(1ns));  // wakes whoever waits for a turn as well
      (void)wire.close();
    });
  }
}

error h1_client_conn::explain(error why, const char* waiting_for) const {
  if (error ended = ctx_.err()) return ended;
  if (!why.timeout()) return why;
  if (deadline_ != net::time_point{} && weft::now() >= deadline_)
    return error::wrap(std::string("http: the request's timeout, while ") + waiting_for,
                       deadline_exceeded);
  return error::wrap(std::string("http: timeout, while ") + waiting_for, std::move(why));
}

void h1_client_conn::abandon() {
  if (watches_ctx_) (void)stop_watching_();
  if (writer_) writer_->stop();
  close();
  writer_.reset();
  ctx_ = context();
  pool->forget(*this);
}

void h1_client_conn::finish(bool whole) {
  bool keep = whole && keep_alive_ && begin_ == end_;
  // Not prevented: it has run, or is about to close the wire.
  if (watches_ctx_ && !stop_watching_()) keep = false;
  if (writer_ && (!keep || !writer_->wait_done())) {
    writer_->stop();
    keep = false;
  }
  writer_.reset();
  stop_watching_ = stop_func();
  const context traced = std::exchange(ctx_, context());  // keeps the trace
  const http::client_trace* const trace = std::exchange(trace_, nullptr);
  error why;
  if (keep) {
    std::string().swap(buffer_);
    begin_ = end_ = 0;
    why = pool->put_idle(shared_from_this());
  } else {
    close();
    pool->forget(*this);
    why = error("http: the connection carries no further request");
  }
  if (trace != nullptr && trace->put_idle_conn) trace->put_idle_conn(why);
}

result<size_t> h1_client_conn::fill() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
    if (buffer_.empty()) buffer_.resize(buffer_bytes);
  } else if (end_ == buffer_.size()) {
    if (begin_ > 0) {
      std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    } else {
      buffer_.resize(2 * buffer_.size());
    }
  }
  const result<size_t> got = wire_.read(std::span<char>(buffer_).subspan(end_));
  if (got) end_ += *got;
  return got;
}

result<http::response> h1_client_conn::round_trip(exchange& x) {
  begin(x);
  bool any_byte = false;
  result<void> done = send_request(x);
  if (done) done = read_head(x, any_byte);
  if (!done) {
    // What ended the writer says more than what the reader saw of it.
    if (writer_)
      if (error why = writer_->failure()) done = fail(explain(std::move(why), "writing the body"));
    abandon();
    return fail(done.error());
  }
  return make_response(x);
}

result<void> h1_client_conn::send_request(exchange& x) {
  const http::client_options& options = x.options;
  const result<request_framing_out> how = frame_client_request(x.request);
  if (!how) return fail(how.error());
  if (how->closes) keep_alive_ = false;
  request_head_extras extras;
  extras.user_agent = options.user_agent;
  extras.accept_compression = x.asks_compression;
  extras.whole_url = x.through_proxy;
  extras.close = !options.keep_alive;
  extras.cookies = x.cookies;
  extras.proxy_authorization = x.proxy_authorization;
  const std::string head = make_request_head(x.request, *how, extras);
  const http::body_source* const content = x.request.body.source();
  const std::string_view at_hand = content != nullptr ? content->at_hand() : std::string_view();
  const bool at_once = how->length == 0 || (how->length > 0 && !how->expects_continue &&
                                            at_hand.size() == static_cast<size_t>(how->length) &&
                                            at_hand.size() <= at_once_bytes_max);
  if (at_once) return send_at_once(x, head, how->length == 0 ? std::string_view() : at_hand);
  (void)wire_.set_deadline(limit_from_now(options.timeouts.stall));
  const result<size_t> put = wire_.write(head);
  if (!put) {
    x.failure = failure_kind::nothing_written;  // a head without its body starts nothing
    return fail(explain(put.error(), "writing the request"));
  }
  if (trace_ != nullptr && trace_->wrote_headers) trace_->wrote_headers();
  (void)wire_.set_read_deadline(deadline_);
  writer_ = std::make_shared<h1_body_writer>(wire_, std::move(x.request.body), how->length,
                                             x.request.trailers, options.timeouts, deadline_);
  weft::go({.name = "http body"}, [writer = writer_, expects = how->expects_continue, ctx = ctx_,
                                   trace = trace_] { writer->run(expects, ctx, trace); });
  return {};
}

result<void> h1_client_conn::send_at_once(exchange& x, std::string_view head,
                                          std::string_view content) {
  (void)wire_.set_deadline(limit_from_now(x.options.timeouts.response_header));
  result<size_t> put = size_t{0};
  // Only what is written in one go is known not to be written when it fails. (The first request of
  // a connection is not sent again anyway.)
  const bool small = content.empty() || head.size() + content.size() <= all_or_nothing_bytes;
  const bool together = small || !x.reused;
  bool nothing = small;
  if (together) {
    const std::string_view parts[] = {head, content};
    put = content.empty() ? wire_.write(head) : wire_.writev(parts);
  } else {
    put = wire_.write(head);
    nothing = !put;  // a head without its body starts nothing
    if (put) put = wire_.write(content);
  }
  if (trace_ != nullptr && trace_->wrote_headers && (put || !nothing)) trace_->wrote_headers();
  if (trace_ != nullptr && trace_->wrote_request)
    trace_->wrote_request(put ? error() : put.error());
  if (put) return {};
  if (ctx_.err() || put.error().timeout()) return fail(explain(put.error(), "writing the request"));
  x.failure = nothing ? failure_kind::nothing_written : failure_kind::no_first_byte;
  if (nothing) return fail(put.error());
  // It may have said why before it stopped reading.
  keep_alive_ = false;
  (void)wire_.set_read_deadline(limit_from_now(grace_for_answer));
  bool any_byte = false;
  if (read_head(x, any_byte)) {
    head_read_ = true;
    return {};
  }
  x.failure = any_byte ? failure_kind::final : failure_kind::no_first_byte;
  return fail(put.error());
}

result<void> h1_client_conn::read_head(exchange& x, bool& any_byte) {
  if (std::exchange(head_read_, false)) return {};
  const h1::head_limits limits{
      .head_bytes_max = static_cast<uint32_t>(x.options.limits.header_bytes_max),
      .fields_max = static_cast<uint32_t>(x.options.limits.header_fields_max)};
  int interim_count = 0;
  head_.reset();
  for (;;) {
    if (begin_ != end_) {
      const h1::verdict said = head_.parse_response(buffer_.data() + begin_, end_ - begin_, limits);
      if (said == h1::verdict::error) {
        x.failure = failure_kind::final;
        return fail(error(std::string("http: malformed response: ") + head_.why().text));
      }
      if (said == h1::verdict::ok) {
        const int status = head_.status();
        if (status >= 200 || status == 101) break;
        if (++interim_count > interim_max) return fail(many_interim);
        interim();
        begin_ += head_.bytes();
        head_.reset();
        continue;
      }
    }
    const result<size_t> got = fill();
    if (got && *got > 0) {
      if (!std::exchange(any_byte, true) && trace_ != nullptr && trace_->first_byte)
        trace_->first_byte();
      continue;
    }
    if (!any_byte && (got || !got.error().timeout())) x.failure = failure_kind::no_first_byte;
    if (!got) return fail(explain(got.error(), "waiting for the response's head"));
    if (error ended = ctx_.err()) return fail(ended);
    return fail(error::wrap(any_byte
                                ? "http: the server closed the connection in the middle of its "
                                  "response's head"
                                : "http: the server closed the connection without an answer",
                            net::unexpected_eof));
  }
  if (writer_) writer_->answered();
  return {};
}

/// A 1xx.
void h1_client_conn::interim() {
  if (head_.status() == 100 && writer_) writer_->go_on();
  if (trace_ != nullptr && trace_->got_1xx) {
    http::header fields;
    for (const h1::field& f : head_) fields.add_unchecked(head_.name(f), head_.value(f));
    trace_->got_1xx(head_.status(), fields);
  }
}

result<http::response> h1_client_conn::make_response(exchange& x) {
  h1::response_framing framing;
  h1::refusal why;
  const auto refuse = [&](error reason) {
    abandon();
    return fail(std::move(reason));
  };
  if (head_.status() == 101) return refuse(switched);
  if (!h1::frame_response(head_, method_, framing, why))
    return refuse(error(std::string("http: malformed response: ") + why.text));
  http::response out;
  out.status = head_.status();
  out.reason = head_.reason();
  out.version = head_.minor_version() == 0 ? http::version::http_1_0 : http::version::http_1_1;
  out.headers.reserve(head_.size(), head_.bytes());
  for (const h1::field& f : head_)
    if (f.id != header_id::transfer_encoding)
      out.headers.add_unchecked(head_.name(f), head_.value(f));
  begin_ += head_.bytes();
  if (!framing.keep_alive) keep_alive_ = false;
  if (writer_ && out.status >= 400) {
    writer_->stop();
    keep_alive_ = keep_alive_ && writer_->wait_done();
  }
  if (framing.body == h1::body_kind::none) {
    finish(true);
    return out;
  }
  const bool all_here = framing.body == h1::body_kind::length && framing.length <= end_ - begin_;
  if (all_here) {
    out.body = http::body(std::string(buffered().substr(0, framing.length)));
    begin_ += framing.length;
    finish(true);
    return out;
  }
  (void)wire_.set_deadline(limit_from_now(x.options.timeouts.stall));
  out.body = http::body(std::make_unique<h1_response_body>(
      std::static_pointer_cast<h1_client_conn>(shared_from_this()), framing));
  return out;
}

result<void> h1_client_conn::open_tunnel(std::string_view host_port,
                                         std::string_view proxy_authorization,
                                         net::time_point deadline) {
  std::string head("CONNECT ");
  head.append(host_port).append(" HTTP/1.1\r\nHost: ").append(host_port).append("\r\n");
  if (!proxy_authorization.empty())
    head.append("Proxy-Authorization: ").append(proxy_authorization).append("\r\n");
  head += "\r\n";
  ctx_ = background();
  deadline_ = deadline;
  method_ = h1::method_id::connect;
  (void)wire_.set_deadline(deadline);
  const result<size_t> put = wire_.write(head);
  if (!put) return fail(put.error());
  const http::client_options& options = pool->options();
  http::request unused;
  exchange x{.request = unused, .ctx = ctx_, .options = options, .deadline = deadline};
  bool any_byte = false;
  if (result<void> got = read_head(x, any_byte); !got) return got;
  if (head_.status() / 100 != 2)
    return fail(
        error("proxy said " + std::to_string(head_.status()) + ' ' + std::string(head_.reason())));
  begin_ += head_.bytes();
  if (begin_ != end_) return fail(error("proxy sent data before the tunnel was used"));
  (void)wire_.set_deadline({});
  return {};
}

}  // namespace weft::rt
