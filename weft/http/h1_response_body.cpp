// SPDX-License-Identifier: Apache-2.0
// Reading a response's content, and what becomes of its connection.
#include "weft/http/internal/h1_response_body.hpp"

#include <algorithm>
#include <cstring>

#include "weft/sched/go.hpp"
#include "weft/sched/runtime.hpp"

namespace weft::rt {

namespace {

using namespace std::chrono_literals;

// Reading less than this to the end is cheaper than a new connection (Go's number); it gets a
// moment only, since what is not on its way already may never come.
constexpr uint64_t drain_bytes_max = uint64_t{256} << 10;
constexpr auto drain_time = 50ms;
// Smaller reads go through the buffer, to save system calls.
constexpr size_t direct_bytes_min = 2048;

}  // namespace

h1_response_body::~h1_response_body() {
  if (!conn_) return;
  if (failed_ || !conn_->keep_alive_ || conn_->ctx_.err() ||
      decoder_.direct_bytes() > drain_bytes_max) {
    end(false);
    return;
  }
  // A destructor does not wait for a network.
  std::unique_ptr<h1_response_body> rest(new h1_response_body(std::move(conn_), decoder_));
  weft::go({.name = "http drain"}, [rest = std::move(rest)]() mutable { drain(std::move(rest)); });
}

void h1_response_body::drain(std::unique_ptr<h1_response_body> rest) {
  constexpr size_t piece_bytes = size_t{16} << 10;
  const std::unique_ptr<char[]> piece(new char[piece_bytes]);
  rest->draining_until_ = weft::now() + drain_time;
  for (uint64_t done = 0; done <= drain_bytes_max;) {
    const result<size_t> got = rest->read({piece.get(), piece_bytes});
    if (!got || *got == 0) return;
    done += *got;
  }
  rest->end(false);
}

void h1_response_body::end(bool whole) {
  const std::shared_ptr<h1_client_conn> conn = std::move(conn_);
  if (conn) conn->finish(whole);
}

std::unexpected<error> h1_response_body::broken(error why) {
  failed_ = why;
  end(false);
  return fail(std::move(why));
}

result<size_t> h1_response_body::read(std::span<char> to) {
  if (failed_) return fail(failed_);
  if (to.empty()) return size_t{0};
  while (conn_) {
    result<size_t> got = from_buffer(to);
    if (got && *got == 0 && conn_) got = from_wire(to);
    if (!got || *got > 0) return got;
  }
  return size_t{0};
}

/// 0: what is buffered says no more, or all has ended (then there is no conn_).
result<size_t> h1_response_body::from_buffer(std::span<char> to) {
  size_t copied = 0;
  for (;;) {
    if (decoder_.done()) {
      const result<bool> ended = after_content();
      if (!ended) return broken(ended.error());
      if (*ended) end(true);
      return copied;
    }
    const std::string_view have = conn_->buffered();
    const size_t room = to.size() - copied;
    const bool content = decoder_.direct_bytes() > 0;
    if (have.empty() || (content && room == 0)) return copied;
    // Of framing one byte at a time, so that no content comes along that has no room.
    const h1::body_decoder::step step =
        decoder_.next(have.data(), content ? std::min(have.size(), room) : 1);
    if (step.event == h1::body_event::error)
      return broken(error(std::string("http: malformed response: ") + decoder_.why().text));
    if (step.bytes > 0) std::memcpy(to.data() + copied, have.data() + step.at, step.bytes);
    copied += step.bytes;
    conn_->begin_ += step.consumed;
  }
}

/// After the last byte of content. False: the end of the trailers is not here yet.
result<bool> h1_response_body::after_content() {
  if (decoder_.next(nullptr, 0).event != h1::body_event::trailers) return true;
  if (!std::exchange(in_trailers_, true)) conn_->head_.reset();
  const std::string_view have = conn_->buffered();
  const http::client_limits& limits = conn_->pool->options().limits;
  const h1::verdict said =
      conn_->head_.parse_trailers(have.data(), have.size(),
                                  {.head_bytes_max = static_cast<uint32_t>(limits.header_bytes_max),
                                   .fields_max = static_cast<uint32_t>(limits.header_fields_max)});
  if (said == h1::verdict::need_more) return false;
  h1::head& head = conn_->head_;
  h1::refusal why = head.why();
  if (said == h1::verdict::error || !h1::check_trailers(head, why))
    return fail(error(std::string("http: malformed response: ") + why.text));
  for (const h1::field& f : head) trailers_.add_unchecked(head.name(f), head.value(f));
  has_trailers_ = !trailers_.empty();
  conn_->begin_ += head.bytes();
  return true;
}

/// 0: something was buffered, or all has ended.
result<size_t> h1_response_body::from_wire(std::span<char> to) {
  net::time_point limit = conn_->limit_from_now(conn_->pool->options().timeouts.stall);
  if (draining_until_ != net::time_point{}) limit = draining_until_;
  (void)conn_->wire_.set_read_deadline(limit);
  const uint64_t direct = decoder_.direct_bytes();
  const bool past_buffer = direct > 0 && to.size() >= direct_bytes_min && conn_->buffered().empty();
  const result<size_t> got =
      past_buffer ? conn_->wire_.read(to.first(std::min<uint64_t>(to.size(), direct)))
                  : conn_->fill();
  if (!got) return broken(conn_->explain(got.error(), "reading the response's body"));
  if (*got == 0) {
    if (decoder_.end_of_stream()) {
      end(true);
      return size_t{0};
    }
    if (error ended = conn_->ctx_.err()) return broken(std::move(ended));
    return broken(error::wrap("http: the response's body was cut off", net::unexpected_eof));
  }
  if (!past_buffer) return size_t{0};
  decoder_.skip(*got);
  if (decoder_.done()) {
    const result<bool> ended = after_content();
    if (ended && *ended) end(true);
  }
  return *got;
}

}  // namespace weft::rt
