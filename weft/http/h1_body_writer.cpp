// SPDX-License-Identifier: Apache-2.0
// Sending what must be read from somewhere first.
#include <mutex>

#include "weft/base/defer.hpp"
#include "weft/http/internal/h1_client_conn.hpp"
#include "weft/sched/runtime.hpp"
#include "weft/sync/select.hpp"

namespace weft::rt {

namespace {

using namespace std::chrono_literals;

// The answer of a server that stopped reading may still be on its way: it says why.
constexpr auto grace_for_answer = 1s;
// As Go: an answer may arrive while the last write returns.
constexpr auto grace_for_writer = 50ms;

const error stopped_by_answer("http: the server answered before it had read the request");

net::time_point soonest(net::time_point a, net::time_point b) {
  if (a == net::time_point{}) return b;
  if (b == net::time_point{}) return a;
  return std::min(a, b);
}
net::time_point after_now(std::chrono::nanoseconds limit) {
  return limit.count() > 0 ? weft::now() + limit : net::time_point{};
}

}  // namespace

void h1_body_writer::run(bool expects_continue, const context& ctx,
                         const http::client_trace* trace) {
  bool may = true;
  if (expects_continue) {
    if (trace != nullptr && trace->wait_100_continue) trace->wait_100_continue();
    if (timeouts_.expect_continue.count() > 0) {
      timer limit(timeouts_.expect_continue);
      select(on_recv(permission_, [&](std::optional<bool> said) { may = said.value_or(false); }),
             on_recv(limit.c(), [](auto) {}), on_done(ctx, [&] { may = false; }));
      limit.stop();
    } else {
      select(on_recv(permission_, [&](std::optional<bool> said) { may = said.value_or(false); }),
             on_done(ctx, [&] { may = false; }));
    }
  }
  error why = may ? write_all() : stopped_by_answer;
  content_.close();
  if (trace != nullptr && trace->wrote_request) trace->wrote_request(why);
  finish(std::move(why));
}

error h1_body_writer::write_all() {
  constexpr size_t piece_bytes = size_t{32} << 10;
  const std::unique_ptr<char[]> piece(new char[piece_bytes]);
  int64_t sent = 0;
  for (;;) {
    {
      const std::lock_guard<mutex> held(lock_);
      if (stopped_) return stopped_by_answer;
    }
    const result<size_t> got = content_.read({piece.get(), piece_bytes});
    if (!got) return error::wrap("http: reading the request's body", got.error());
    if (*got == 0) break;
    sent += static_cast<int64_t>(*got);
    if (length_ >= 0 && sent > length_)
      return error("http: the request's body is longer than the " + std::to_string(length_) +
                   " bytes that it announced");
    if (error why = write_piece({piece.get(), *got})) return why;
  }
  if (length_ >= 0 && sent < length_)
    return error("http: the request's body ended after " + std::to_string(sent) + " of " +
                 std::to_string(length_) + " bytes");
  return length_ < 0 ? write_end() : error();
}

error h1_body_writer::write_piece(std::string_view piece) {
  (void)wire_.set_write_deadline(soonest(deadline_, after_now(timeouts_.stall)));
  if (length_ >= 0) return written(wire_.write(piece));
  const h1::chunk_head head = h1::make_chunk_head(piece.size());
  const std::string_view parts[] = {head.view(), piece, h1::chunk_end};
  return written(wire_.writev(parts));
}

error h1_body_writer::write_end() {
  std::string text(h1::last_chunk);
  for (const http::header::field f : trailers_)
    text.append(f.name).append(": ").append(f.value).append("\r\n");
  text += "\r\n";
  (void)wire_.set_write_deadline(soonest(deadline_, after_now(timeouts_.stall)));
  return written(wire_.write(text));
}

error h1_body_writer::written(const result<size_t>& put) {
  if (put) return {};
  wire_failed_ = true;
  return put.error();
}

void h1_body_writer::finish(error why) {
  {
    const std::lock_guard<mutex> held(lock_);
    finished_ = true;
    why_ = std::move(why);
    if (!answered_) {
      // From here on the server has its time to answer; but there is nothing to wait for when it
      // was not the server that stopped.
      net::time_point limit(1ns);
      if (!why_) limit = after_now(timeouts_.response_header);
      if (wire_failed_) limit = after_now(grace_for_answer);
      (void)wire_.set_read_deadline(soonest(deadline_, limit));
    }
  }
  done_.close();
}

void h1_body_writer::stop() noexcept {
  {
    const std::lock_guard<mutex> held(lock_);
    stopped_ = true;
  }
  (void)permission_.try_send(false);
}

void h1_body_writer::answered() {
  const std::lock_guard<mutex> held(lock_);
  answered_ = true;
}

bool h1_body_writer::wait_done() {
  bool done = false;
  if (!done_.try_recv(done) && !done) {
    timer limit(grace_for_writer);
    select(on_recv(done_, [&](auto) { done = true; }), on_recv(limit.c(), [](auto) {}));
    limit.stop();
  }
  if (!done) return false;
  const std::lock_guard<mutex> held(lock_);
  return !why_;
}

error h1_body_writer::failure() {
  const std::lock_guard<mutex> held(lock_);
  return why_;
}

}  // namespace weft::rt
