// SPDX-License-Identifier: Apache-2.0
// The body of a request of HTTP/1, read from its connection as the handler asks for it.
#pragma once

#include <cstdint>
#include <span>

#include "weft/http/internal/h1_body.hpp"
#include "weft/http/internal/h1_conn.hpp"
#include "weft/http/internal/limited_body.hpp"

namespace weft::rt {

class h1_request_body final : public limited_body {
 public:
  h1_request_body(h1_conn& from, h1_work& work, h1_writer& writer, const h1::framing& framing,
                  uint64_t limit) noexcept;

  result<size_t> read(std::span<char> to) override;
  int64_t length() const noexcept override { return length_; }
  const http::header* trailers() const noexcept override {
    return trailers_.empty() ? nullptr : &trailers_;
  }

  /// All of it was read: the connection stands at the next request.
  [[nodiscard]] bool over() const noexcept { return over_; }
  /// Bytes that are certainly still to come.
  [[nodiscard]] uint64_t certain_bytes() const noexcept { return decoder_.direct_bytes(); }
  [[nodiscard]] const error& failure() const noexcept { return failed_; }
  /// What is sent is no body: the status, and why. Status 0: it is one, so far.
  [[nodiscard]] const h1::refusal& malformed() const noexcept { return malformed_; }
  /// From now on this is for throwing away: no limit, no permission.
  void discard() noexcept { limit_ = 0; }

 private:
  result<size_t> refuse(error why);
  /// The error of `why`, which is remembered.
  error no_body(std::string_view part, const h1::refusal& why);
  result<void> read_trailers();
  result<void> more();

  h1_conn& conn_;
  h1_work& work_;
  h1_writer& writer_;
  h1::body_decoder decoder_;
  int64_t length_;
  uint64_t passed_ = 0;
  bool begun_ = false;
  bool over_ = false;
  http::header trailers_;
  error failed_;
  h1::refusal malformed_;
};

}  // namespace weft::rt
