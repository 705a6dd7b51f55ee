// SPDX-License-Identifier: Apache-2.0
// Serving a connection of HTTP/1: one request after the other, and no goroutine in between.
#include "weft/http/internal/h1_conn.hpp"

#include <algorithm>
#include <chrono>
#include <string>

#include "weft/http/internal/h1_request_body.hpp"
#include "weft/http/internal/h1_writer.hpp"
#include "weft/http/internal/h2_conn.hpp"
#include "weft/http/internal/hangup_watch.hpp"
#include "weft/http/status.hpp"
#include "weft/net/errors.hpp"
#include "weft/sched/internal/section.hpp"
#include "weft/sched/throw_trace.hpp"

namespace weft::rt {

namespace {

/// What is thrown away of a body that its handler did not read, to keep the connection. As Go's.
constexpr size_t drained_max = size_t{256} << 10;
/// How long a client that is still sending gets to read why it is refused: a close with unread
/// bytes resets the connection, and the answer would be lost. As Go's rstAvoidanceDelay.
constexpr int64_t linger_ns = 500'000'000;
constexpr size_t linger_bytes_max = size_t{1} << 20;

const error request_over("http: the request has been answered");

h1::head_limits limits_of(const http::server_limits& limits) noexcept {
  return {.head_bytes_max = static_cast<uint32_t>(limits.header_bytes_max),
          .fields_max = static_cast<uint32_t>(limits.header_fields_max),
          .target_bytes_max = static_cast<uint32_t>(limits.target_bytes_max)};
}

/// A limit in force may end up to a quarter late: then it need not be set for each request.
int64_t slack(int64_t limit_ns) noexcept { return limit_ns / 4; }

}  // namespace

h1_conn::h1_conn(std::shared_ptr<server_state> server, net::conn made) noexcept
    : server_connection(std::move(server)), conn_(std::move(made)) {
  join_list();
}

h1_conn::~h1_conn() {
  end_context();
  leave_list();
}

void h1_conn::start(std::shared_ptr<server_state> server, net::conn made) {
  auto* made_conn = new h1_conn(std::move(server), std::move(made));
  // No goroutine until the first bytes.
  if (made_conn->go_idle()) return;
  if (made_conn->server().closing() && made_conn->leave_if_silent()) return;
  go([made_conn] { made_conn->serve(); });
}

// --- waiting ---

void h1_conn::limit_read(std::chrono::nanoseconds limit) {
  const int64_t limit_ns = limit.count();
  if (limit_ns <= 0) {
    if (read_until_ == 0) return;
    read_until_ = 0;
  } else {
    const int64_t wanted = now_ns() + limit_ns;
    if (read_until_ >= wanted && read_until_ <= wanted + slack(limit_ns)) return;
    read_until_ = wanted + slack(limit_ns);
  }
  (void)stream().set_deadline(read_until_, true, false);
}

void h1_conn::set_body_deadline() { limit_read(server().options.timeouts.read); }

void h1_conn::set_answer_deadline() {
  const int64_t limit_ns = server().options.timeouts.write.count();
  if (limit_ns <= 0) return;
  const int64_t wanted = now_ns() + limit_ns;
  if (write_until_ >= wanted) return;
  write_until_ = wanted + slack(limit_ns);
  (void)stream().set_deadline(write_until_, false, true);
}

result<void> h1_conn::set_own_deadline(net::time_point when, bool read) {
  (read ? read_until_ : write_until_) = -1;
  return stream().set_deadline(deadline_ns(when), read, !read);
}

bool h1_conn::go_idle() {
  const http::server_timeouts& limits = server().options.timeouts;
  limit_read(fresh_ ? limits.read_header : limits.idle);
  now_doing(doing::waiting);
  // seq_cst: shutdown() sets closing() and then looks at phases.
  phase_.store(static_cast<uint32_t>(phase::idle), seq_cst);
  if (!server().closing() && stream().watch_readable(*this)) return true;
  now_doing(doing::other);
  return false;
}

void h1_conn::wind_up() noexcept {
  uint32_t idle = static_cast<uint32_t>(phase::idle);
  if (phase_.compare_exchange(idle, static_cast<uint32_t>(phase::poked), seq_cst, seq_cst))
    (void)stream().set_deadline(1, true, false);
}

void h1_conn::readable() {
  now_doing(doing::other);
  // Over TLS too: a handshake with a client that says nothing would take its whole limit.
  if (server().closing() && leave_if_silent()) return;
  serve();
}

bool h1_conn::poked() const noexcept {
  return phase_.load(seq_cst) == static_cast<uint32_t>(phase::poked);
}

void h1_conn::turn_busy() {
  const uint32_t before = phase_.exchange(static_cast<uint32_t>(phase::busy), seq_cst);
  if (before == static_cast<uint32_t>(phase::poked)) forget_poke();
}

/// shutdown() sets a deadline in the past just now, or has.
void h1_conn::forget_poke() {
  server().pass_list();
  (void)stream().set_deadline(0, true, false);
  read_until_ = 0;
}

bool h1_conn::leave_if_silent() {
  forget_poke();
  // Looked at, not watched: who takes a watcher out again may find that of another goroutine, which
  // goes on with this object.
  if (stream().has_input()) return false;
  delete this;
  return true;
}

// --- serving ---

h1_conn::outcome h1_conn::shake_hands() {
  if (!fresh_ || shaken_ || !secure()) return outcome::next;
  shaken_ = true;
  turn_busy();
  if (const auto agreed = net::handshake(conn_, background()); !agreed) {
    server().count.bad_requests.fetch_add(1, relaxed);
    // Scanners and those who give up are every day's business, and would fill the log.
    return outcome::end;
  }
  const auto state = net::tls_state(conn_);
  if (!state || state->alpn != "h2" || !server().options.http2) return outcome::rest;
  successor_ =
      std::make_unique<successor>(h2_conn::make(shared_server(), conn_, true, this), std::string());
  return outcome::gone;
}

void h1_conn::serve() {
  outcome end = shake_hands();
  for (;;) {
    if (end == outcome::rest) {
      if (go_idle()) return;
      if (server().closing() && leave_if_silent()) return;
      end = outcome::next;
    }
    if (end != outcome::next) break;
    auto work = server().works.borrow();
    do {
      end = serve_one(*work);
    } while (end == outcome::next);
    work->trim();
  }
  if (end == outcome::linger) linger();
  if (end != outcome::gone) (void)stream().close();
  const std::unique_ptr<successor> next = std::move(successor_);
  delete this;
  if (next != nullptr) next->conn->serve(next->read_ahead);
}

result<size_t> h1_conn::fill(h1_work& work) {
  size_t bytes = 0;
  char* to = work.in.room(bytes);
  result<size_t> got = stream().read(to, bytes);
  if (got) work.in.filled(*got);
  return got;
}

h1_conn::outcome h1_conn::read_head(h1_work& work) {
  const h1::head_limits limits = limits_of(server().options.limits);
  work.head.reset();
  bool limited = false;
  for (;;) {
    const outcome h2 = match_h2(work);
    if (h2 == outcome::gone) return h2;
    if (!work.in.empty() && h2 == outcome::next) {
      const h1::verdict found = work.head.parse_request(work.in.data(), work.in.size(), limits);
      if (found == h1::verdict::error) return refuse(work, work.head.why());
      if (found == h1::verdict::ok) return outcome::next;
      if (!limited) {
        // The rest comes later. From here on slowness has a limit.
        limited = true;
        const int64_t limit_ns = server().options.timeouts.read_header.count();
        read_until_ = -1;
        (void)stream().set_deadline(limit_ns > 0 ? now_ns() + limit_ns : 0, true, false);
      }
    }
    const result<size_t> got = fill(work);
    if (!got) {
      if (work.in.empty() && poked()) return outcome::rest;
      const bool slow = got.error().timeout() && !work.in.empty();
      return slow ? refuse(work, {408, "the request's head took longer than timeouts.read_header"})
                  : outcome::end;
    }
    if (*got == 0) return outcome::end;
    if (work.in.size() == *got) turn_busy();
    fresh_ = false;
  }
}

h1_conn::outcome h1_conn::match_h2(h1_work& work) {
  if (spoken_ || work.in.empty() || !server().options.h2c) return outcome::next;
  // Without HTTP/1 it is a client of HTTP/2, or an error that it is told of in HTTP/2's way.
  const h1::verdict preface = server().options.http1
                                  ? h1::match_h2_preface(work.in.data(), work.in.size())
                                  : h1::verdict::ok;
  switch (preface) {
    case h1::verdict::error:
      return outcome::next;
    case h1::verdict::need_more:
      return outcome::rest;
    case h1::verdict::ok:
      break;
  }
  successor_ = std::make_unique<successor>(h2_conn::make(shared_server(), conn_, secure(), this),
                                           std::string(work.in.view()));
  return outcome::gone;
}

h1_conn::outcome h1_conn::upgrade_to_h2(h1_work& work, const h1::request_framing& framing) {
  http::request& request = work.request;
  // A body would have to be read first, and a handler wants it as it comes: answered as it is.
  if (!server().options.h2c || secure() || framing.body != h1::body_kind::none ||
      !http::equal_fold(request.headers.get("Upgrade"), "h2c") ||
      !request.headers.has_token("Connection", "HTTP2-Settings") ||
      request.headers.values("HTTP2-Settings").size() != 1)
    return outcome::next;
  const std::string settings(request.headers.get("HTTP2-Settings"));
  for (const char* name : {"Upgrade", "Connection", "HTTP2-Settings"}) request.headers.erase(name);
  request.version = http::version::http_2;
  std::shared_ptr<h2_conn> made =
      h2_conn::make_upgraded(shared_server(), conn_, this, settings, std::move(request));
  if (made == nullptr) return refuse(work, {400, "malformed HTTP2-Settings"});
  successor_ = std::make_unique<successor>(std::move(made), std::string(work.in.view()));
  return outcome::gone;
}

h1_conn::outcome h1_conn::refuse(h1_work& work, const h1::refusal& why) {
  server().count.bad_requests.fetch_add(1, relaxed);
  keep_ = false;
  std::string text = std::to_string(why.status) + " " + std::string(http::status_text(why.status)) +
                     ": " + why.text + "\n";
  work.out =
      "HTTP/1.1 " + std::to_string(why.status) + " " + std::string(http::status_text(why.status)) +
      "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: " +
      std::to_string(text.size()) + "\r\n\r\n" + text;
  set_answer_deadline();
  return conn_.write(work.out) ? outcome::linger : outcome::end;
}

h1_conn::outcome h1_conn::serve_one(h1_work& work) {
  if (const outcome head = read_head(work); head != outcome::next) return head;
  spoken_ = true;
  h1::request_framing framing;
  h1::refusal why;
  if (!h1::frame_request(work.head, framing, why)) return refuse(work, why);
  count_request();

  http::request& request = work.request;
  request.reset();
  request.set_origin(this);
  request.method.assign(work.head.method_text());
  request.version =
      work.head.minor_version() == 0 ? http::version::http_1_0 : http::version::http_1_1;
  request.host.assign(work.head.text(framing.host));
  if (work.head.method() == h1::method_id::connect) {
    request.url.host = request.host;
  } else if (framing.form == h1::target_form::asterisk) {
    request.url.path = "*";
  } else {
    const std::string_view path = work.head.text(framing.path);
    if (!http::url::parse_target(path.empty() ? std::string_view("/") : path, request.url))
      return refuse(work, {400, "malformed request target"});
  }
  for (const h1::field& f : work.head) {
    if (f.id == header_id::host || f.id == header_id::content_length ||
        f.id == header_id::transfer_encoding)
      continue;
    request.headers.add_unchecked(work.head.name(f), work.head.value(f));
  }
  work.in.consume(work.head.bytes());
  if (framing.upgrade) {
    if (const outcome h2 = upgrade_to_h2(work, framing); h2 != outcome::next) return h2;
  }
  const uint64_t most = server().options.limits.requests_per_connection_max;
  keep_ = framing.keep_alive && !server().closing() && (most == 0 || served() < most);
  return answer(work, framing);
}

h1_conn::outcome h1_conn::answer(h1_work& work, const h1::request_framing& framing) {
  const bool to_head = work.head.method() == h1::method_id::head;
  h1_writer writer(*this, work, to_head, work.head.minor_version() == 0,
                   framing.expect_continue && framing.body != h1::body_kind::none);
  writer.start_over();
  body_over_ = framing.body == h1::body_kind::none;
  h1_request_body* body = nullptr;
  if (!body_over_) {
    auto made = std::make_unique<h1_request_body>(*this, work, writer, framing,
                                                  server().options.limits.body_bytes_max);
    body = made.get();
    work.request.body = http::body(std::move(made));
  }

  now_doing(doing::serving);
  run_handler(writer, work.request);
  now_doing(doing::other);
  end_context();
  if (writer.hijacked()) return outcome::gone;

  // A handler may have closed the body, or taken it away; then nothing is known about the rest.
  const bool ours = body != nullptr && work.request.body.source() == body;
  const bool seen = ours && body->failure();
  if (ours && body->limit_exceeded() && writer.status() == 0) {
    writer.start_over();
    http::reply_error(writer, 413, body->failure().message());
  }
  const bool unread = !body_over_ && !(ours && body->over());
  bool lingering = false;
  if (unread && keep_ && writer.body_not_permitted()) keep_ = false;
  if (unread && !writer.head_sent() && keep_ && !(ours && drain(*body))) keep_ = false;
  // What is no HTTP is refused, whatever a handler thinks of the part that it has read; one that
  // has seen the failure and answered knows better.
  if (ours && body->malformed().status != 0 && !writer.head_sent()) {
    server().count.bad_requests.fetch_add(1, relaxed);
    if (!seen || writer.status() == 0) {
      writer.start_over();
      http::reply_error(writer, body->malformed().status, body->failure().message());
    }
  }
  writer.finish();
  if (unread && keep_ && !(ours && body->over()) && !(ours && drain(*body))) keep_ = false;
  if (unread && !keep_) lingering = true;
  work.request.body.close();
  if (!keep_) return lingering ? outcome::linger : outcome::end;
  return work.in.empty() ? outcome::rest : outcome::next;
}

void h1_conn::run_handler(h1_writer& writer, http::request& request) {
  const http::handler& handler = server().options.handler;
  try {
    if (handler)
      handler(writer, request);
    else
      http::not_found(writer, request);
  } catch (const http::abort_handler&) {
    keep_ = false;
    (void)stream().close();
  } catch (const throw_probe&) {  // never: it notes where the next one's exceptions are thrown
  } catch (...) {
    log_panic(std::current_exception(), writer);
  }
}

void h1_conn::log_panic(std::exception_ptr what, h1_writer& writer) {
  server().log_panic(std::move(what), remote());
  keep_ = false;
  if (writer.hijacked()) return;
  if (writer.head_sent()) {
    // The client must not take what it has for the whole.
    (void)stream().close();
    return;
  }
  writer.start_over();
  http::reply_error(writer, 500, "500 internal server error");
}

bool h1_conn::drain(h1_request_body& body) {
  if (body.over()) return true;
  if (body.failure() || body.certain_bytes() > drained_max) return false;
  body.discard();
  char thrown_away[4096];
  for (size_t total = 0; total < drained_max;) {
    const result<size_t> got = body.read(thrown_away);
    if (!got) return false;
    if (*got == 0) return true;
    total += *got;
  }
  return body.over();
}

void h1_conn::linger() {
  (void)stream().shut_down(1 /* SHUT_WR */);
  (void)stream().set_deadline(now_ns() + linger_ns, true, false);
  char thrown_away[4096];
  for (size_t total = 0; total < linger_bytes_max;) {
    const result<size_t> got = stream().read(thrown_away, sizeof thrown_away);
    if (!got || *got == 0) return;
    total += *got;
  }
}

void h1_conn::hijack() {
  // The context goes on until the handler returns, but nobody looks at the connection.
  if (watch_ != nullptr) watch_->end();
  leave_list();
  (void)stream().set_deadline(0, true, true);
  keep_ = false;
}

// --- the request's context ---

context h1_conn::request_context() {
  if (watch_ == nullptr) {
    const http::server_options& options = server().options;
    context parent = options.base ? options.base : background();
    cancel_func limit_stop;
    if (const auto limit = options.timeouts.handler; limit.count() > 0) {
      auto [limited, stop] = with_timeout(parent, limit);
      limit_stop = std::move(stop);
      parent = limited;
    }
    auto [ctx, cancel] = with_cancel_cause(parent);
    watch_ = std::make_unique<hangup_watch>(stream(), std::move(ctx), std::move(cancel),
                                            std::move(limit_stop));
    if (body_over_) watch_->begin();
  }
  return watch_->ctx();
}

void h1_conn::body_is_over() {
  body_over_ = true;
  if (watch_ != nullptr) watch_->begin();
}

void h1_conn::end_context() noexcept {
  if (watch_ == nullptr) return;
  watch_->end();
  watch_->cancel(request_over);
  watch_.reset();
}

}  // namespace weft::rt
