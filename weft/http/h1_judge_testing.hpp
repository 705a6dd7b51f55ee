// SPDX-License-Identifier: Apache-2.0
// For tests and fuzz targets: one HTTP/1 message read whole, in the pieces in which it "arrives".
// Every piece is shown in a buffer of exactly its size, at another address than before, so that a
// byte read too far, or a pointer kept too long, is an error that AddressSanitizer sees.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/http/internal/h1_body.hpp"
#include "weft/http/internal/h1_framing.hpp"
#include "weft/http/internal/h1_head.hpp"

namespace h1_test {

namespace h1 = weft::rt::h1;

struct outcome {
  bool complete = false;
  h1::refusal why;  // status 0: not refused
  size_t consumed = 0;
  // As parsed.
  std::string method;
  std::string target;
  std::string host;
  std::string path;
  std::string reason;
  int minor_version = -1;
  int status = 0;
  std::vector<std::pair<std::string, std::string>> fields;
  std::vector<std::pair<std::string, std::string>> trailers;
  std::string body;
  h1::body_kind kind = h1::body_kind::none;
  bool keep_alive = false;
  bool expect_continue = false;
  bool upgrade = false;

  [[nodiscard]] bool refused() const { return why.status != 0; }
};

/// A copy of the bytes so far, with nothing around it.
class exact_copy {
 public:
  explicit exact_copy(std::string_view of) : bytes_{new char[of.size()]} {
    std::copy(of.begin(), of.end(), bytes_.get());
  }
  [[nodiscard]] const char* data() const { return bytes_.get(); }

 private:
  std::unique_ptr<char[]> bytes_;
};

using field_list = std::vector<std::pair<std::string, std::string>>;
inline field_list copy_fields(const h1::head& of) {
  field_list out;
  for (const h1::field& f : of) out.emplace_back(of.name(f), of.value(f));
  return out;
}

struct options {
  bool response = false;
  h1::method_id asked = h1::method_id::get;  // for responses
  h1::head_limits head;
  h1::chunk_limits chunk;
  /// The bytes end the connection.
  bool closes = true;
};

/// `step(at)`: how many bytes there are after `at` have been seen; more than `at`.
template <class Step>
outcome judge(std::string_view wire, const options& how, Step step) {
  outcome out;
  h1::head head;
  head.reset();
  h1::verdict verdict = h1::verdict::need_more;
  size_t shown = 0;
  const auto refuse = [&](const h1::refusal& why) {
    out.why = why;
    return out;
  };
  exact_copy last("");
  while (verdict == h1::verdict::need_more) {
    if (shown == wire.size()) return out;
    shown = std::min(wire.size(), step(shown));
    exact_copy copy(wire.substr(0, shown));
    verdict = how.response ? head.parse_response(copy.data(), shown, how.head)
                           : head.parse_request(copy.data(), shown, how.head);
    std::swap(last, copy);
  }
  if (verdict == h1::verdict::error) return refuse(head.why());
  exact_copy moved(wire.substr(0, head.bytes()));
  head.rebase(moved.data());
  out.fields = copy_fields(head);
  out.minor_version = head.minor_version();
  h1::framing framing;
  h1::refusal why;
  if (how.response) {
    out.status = head.status();
    out.reason = head.reason();
    h1::response_framing of;
    if (!h1::frame_response(head, how.asked, of, why)) return refuse(why);
    framing = of;
  } else {
    out.method = head.method_text();
    out.target = head.target_text();
    h1::request_framing of;
    if (!h1::frame_request(head, of, why)) return refuse(why);
    out.host = head.text(of.host);
    out.path = head.text(of.path);
    out.expect_continue = of.expect_continue;
    framing = of;
  }
  out.kind = framing.body;
  out.keep_alive = framing.keep_alive;
  out.upgrade = framing.upgrade;
  out.consumed = head.bytes();

  h1::body_decoder body(framing, how.chunk);
  shown = std::max(shown, out.consumed);
  for (;;) {
    const exact_copy copy(wire.substr(out.consumed, shown - out.consumed));
    const auto got = body.next(copy.data(), shown - out.consumed);
    if (got.event == h1::body_event::data) out.body.append(copy.data() + got.at, got.bytes);
    out.consumed += got.consumed;
    if (got.event == h1::body_event::error) return refuse(body.why());
    if (got.event == h1::body_event::done) break;
    if (got.event == h1::body_event::trailers) {
      h1::head trailers;
      trailers.reset();
      const size_t from = out.consumed;
      for (;;) {
        const exact_copy rest(wire.substr(from, shown - from));
        verdict = trailers.parse_trailers(rest.data(), shown - from, how.head);
        if (verdict == h1::verdict::error) return refuse(trailers.why());
        if (verdict == h1::verdict::ok) {
          if (!h1::check_trailers(trailers, why)) return refuse(why);
          out.trailers = copy_fields(trailers);
          out.consumed += trailers.bytes();
          out.complete = true;
          return out;
        }
        if (shown == wire.size()) return out;
        shown = std::min(wire.size(), step(shown));
      }
    }
    if (got.event == h1::body_event::need_more) {
      if (shown == wire.size()) {
        out.complete = how.closes && body.end_of_stream();
        return out;
      }
      shown = std::min(wire.size(), step(shown));
    }
  }
  out.complete = true;
  return out;
}

inline outcome judge_whole(std::string_view wire, const options& how = {}) {
  return judge(wire, how, [&](size_t) { return wire.size(); });
}
inline outcome judge_by(size_t bytes, std::string_view wire, const options& how = {}) {
  return judge(wire, how, [bytes](size_t at) { return at + bytes; });
}

}  // namespace h1_test
