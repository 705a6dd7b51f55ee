// SPDX-License-Identifier: Apache-2.0
// One call of client::send(): hops, attempts.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "weft/http/internal/client_pool.hpp"

namespace weft::rt {

class client_call {
 public:
  client_call(const http::client_options& options, client_pool& pool,
              std::chrono::nanoseconds limit, http::request r);
  /// Errors name method and URL.
  [[nodiscard]] result<http::response> run();

 private:
  /// One hop, with its retries.
  [[nodiscard]] result<http::response> hop();
  [[nodiscard]] result<http::response> attempt(const destination& to, bool asks_compression,
                                               bool& retry);
  void undo_compression(http::response& r) const;
  [[nodiscard]] result<destination> find_destination() const;
  /// Where the response sends us; false: it is the answer.
  [[nodiscard]] result<bool> redirected(http::response& r);
  void next_request(http::url to, bool as_get);
  [[nodiscard]] bool may_repeat(failure_kind how, bool reused) const;
  [[nodiscard]] error explain(error why) const;

  const http::client_options& options_;
  client_pool& pool_;
  http::request request_;
  const context ctx_;
  net::time_point deadline_;
  const http::client_trace* trace_;
  bool first_hop_ = true;
  /// The body from its beginning, for the next attempt; null: there is none, or only once.
  std::unique_ptr<http::body_source> replay_;
  bool had_body_ = false;
  std::vector<http::url> made_;
};

}  // namespace weft::rt
