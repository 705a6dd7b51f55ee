// SPDX-License-Identifier: Apache-2.0
// Handlers without a server: requests made of text, answers kept.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "weft/http/handler.hpp"
#include "weft/http/request.hpp"

namespace weft::http {

/// Keeps what a handler answers, with the rules of the server's writer that handlers rely on.
class recorder final : public response_writer {
 public:
  header& headers() override { return headers_; }
  void write_head(int status) override {
    if (status_ != 0) return;
    status_ = status;
    sent = headers_;
  }
  result<size_t> write(std::string_view content) override {
    if (status_ == 0) write_head(200);
    if (status_ == 204 || status_ == 304) return fail(body_not_allowed);
    body.append(content);
    ++writes;
    return content.size();
  }
  result<void> flush() override {
    if (status_ == 0) write_head(200);
    ++flushes;
    return {};
  }
  header& trailers() override { return trailers_; }
  int status() const noexcept override { return status_; }
  result<hijacked> hijack() override { return fail(not_hijackable); }
  result<void> set_read_deadline(net::time_point) override { return {}; }
  result<void> set_write_deadline(net::time_point) override { return {}; }

  /// As they were when the head was written.
  header sent;
  std::string body;
  int writes = 0;
  int flushes = 0;

 private:
  header headers_;
  header trailers_;
  int status_ = 0;
};

inline request make_request(std::string_view method, std::string_view target,
                            std::initializer_list<header::field> fields = {},
                            http::body content = {}) {
  request r;
  r.method = method;
  EXPECT_TRUE(url::parse_target(target, r.url)) << target;
  r.headers = header(fields);
  r.body = std::move(content);
  return r;
}

}  // namespace weft::http
