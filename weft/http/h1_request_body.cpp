// SPDX-License-Identifier: Apache-2.0
// Bodies of requests.
#include "weft/http/internal/h1_request_body.hpp"

#include <algorithm>
#include <cstring>

#include "weft/http/internal/h1_writer.hpp"
#include "weft/net/errors.hpp"

namespace weft::rt {

namespace {

error too_large(uint64_t limit) {
  return error::wrap("more than " + std::to_string(limit) +
                         " bytes (server_limits::body_bytes_max, or http::limit_body)",
                     http::body_too_large);
}

}  // namespace

h1_request_body::h1_request_body(h1_conn& from, h1_work& work, h1_writer& writer,
                                 const h1::framing& framing, uint64_t limit) noexcept
    : conn_(from),
      work_(work),
      writer_(writer),
      decoder_(framing),
      length_(framing.body == h1::body_kind::length ? static_cast<int64_t>(framing.length) : -1) {
  limit_ = limit;
}

result<size_t> h1_request_body::refuse(error why) {
  failed_ = std::move(why);
  conn_.end_after_this();
  return fail(failed_);
}

error h1_request_body::no_body(std::string_view part, const h1::refusal& why) {
  malformed_ = why;
  return error("http: " + std::string(part) + ": " + why.text);
}

result<void> h1_request_body::more() {
  const result<size_t> got = conn_.fill(work_);
  if (!got) return fail(got.error());
  if (*got == 0) return fail(error::wrap("http: body", net::unexpected_eof));
  return {};
}

result<void> h1_request_body::read_trailers() {
  h1::head fields;
  const h1::head_limits limits{.head_bytes_max = 16 * 1024, .fields_max = 64};
  for (;;) {
    const h1::verdict found = fields.parse_trailers(work_.in.data(), work_.in.size(), limits);
    h1::refusal why = fields.why();
    if (found == h1::verdict::error ||
        (found == h1::verdict::ok && !h1::check_trailers(fields, why)))
      return fail(no_body("trailers", why));
    if (found == h1::verdict::ok) break;
    if (result<void> got = more(); !got) return got;
  }
  fields.rebase(work_.in.data());
  for (const h1::field& f : fields) trailers_.add_unchecked(fields.name(f), fields.value(f));
  work_.in.consume(fields.bytes());
  return {};
}

result<size_t> h1_request_body::read(std::span<char> to) {
  if (failed_) return fail(failed_);
  if (over_ || to.empty()) return size_t{0};
  if (limit_ != 0 && length_ > 0 && static_cast<uint64_t>(length_) > limit_) {
    exceeded_ = true;
    return refuse(too_large(limit_));
  }
  if (!begun_) {
    begun_ = true;
    if (result<void> permitted = writer_.permit_body(); !permitted)
      return refuse(permitted.error());
    conn_.set_body_deadline();
  }
  for (;;) {
    if (decoder_.done() || !work_.in.empty()) {
      // Never more than fits: what is decoded is delivered at once.
      const size_t shown = std::min(work_.in.size(), to.size());
      const auto step = decoder_.next(work_.in.data(), shown);
      switch (step.event) {
        case h1::body_event::data: {
          std::memcpy(to.data(), work_.in.data() + step.at, step.bytes);
          work_.in.consume(step.consumed);
          passed_ += step.bytes;
          if (limit_ != 0 && passed_ > limit_) {
            exceeded_ = true;
            return refuse(too_large(limit_));
          }
          if (decoder_.done() && length_ >= 0) {
            over_ = true;
            conn_.body_is_over();
          }
          return step.bytes;
        }
        case h1::body_event::trailers:
          work_.in.consume(step.consumed);
          if (result<void> got = read_trailers(); !got) return refuse(got.error());
          [[fallthrough]];
        case h1::body_event::done:
          if (step.event == h1::body_event::done) work_.in.consume(step.consumed);
          over_ = true;
          conn_.body_is_over();
          return size_t{0};
        case h1::body_event::error:
          return refuse(no_body("body", decoder_.why()));
        case h1::body_event::need_more:
          work_.in.consume(step.consumed);
          continue;
      }
    }
    // A large piece goes straight to where it is wanted.
    constexpr size_t worth = 4096;
    const uint64_t direct = std::min<uint64_t>(decoder_.direct_bytes(), to.size());
    if (direct >= worth) {
      const result<size_t> got = conn_.connection().read(to.first(static_cast<size_t>(direct)));
      if (!got) return refuse(got.error());
      if (*got == 0) return refuse(error::wrap("http: body", net::unexpected_eof));
      decoder_.skip(*got);
      passed_ += *got;
      if (limit_ != 0 && passed_ > limit_) {
        exceeded_ = true;
        return refuse(too_large(limit_));
      }
      if (decoder_.done() && length_ >= 0) {
        over_ = true;
        conn_.body_is_over();
      }
      return *got;
    }
    if (result<void> got = more(); !got) return refuse(got.error());
  }
}

}  // namespace weft::rt
