// SPDX-License-Identifier: Apache-2.0
// The content of a response, read from its connection.
#pragma once

#include "weft/http/body.hpp"
#include "weft/http/internal/h1_client_conn.hpp"
#include "weft/http/internal/h1_framing.hpp"

namespace weft::rt {

/// The connection is given back with the last byte, not with the read that finds nothing after it.
class h1_response_body final : public http::body_source {
 public:
  h1_response_body(std::shared_ptr<h1_client_conn> conn, const h1::response_framing& framing)
      : conn_(std::move(conn)),
        decoder_(framing),
        length_(framing.body == h1::body_kind::length ? static_cast<int64_t>(framing.length) : -1) {
  }
  ~h1_response_body() override;

  [[nodiscard]] result<size_t> read(std::span<char> to) override;
  [[nodiscard]] int64_t length() const noexcept override { return length_; }
  [[nodiscard]] const http::header* trailers() const noexcept override {
    return has_trailers_ ? &trailers_ : nullptr;
  }

 private:
  /// What is left of one that was closed early.
  h1_response_body(std::shared_ptr<h1_client_conn> conn, const h1::body_decoder& decoder)
      : conn_(std::move(conn)), decoder_(decoder), length_(-1) {}
  static void drain(std::unique_ptr<h1_response_body> rest);

  [[nodiscard]] std::unexpected<error> broken(error why);
  [[nodiscard]] result<size_t> from_buffer(std::span<char> to);
  [[nodiscard]] result<size_t> from_wire(std::span<char> to);
  [[nodiscard]] result<bool> after_content();
  void end(bool whole);

  std::shared_ptr<h1_client_conn> conn_;  // null: it has ended
  h1::body_decoder decoder_;
  const int64_t length_;
  error failed_;
  net::time_point draining_until_;
  bool in_trailers_ = false;
  bool has_trailers_ = false;
  http::header trailers_;
};

}  // namespace weft::rt
