// SPDX-License-Identifier: Apache-2.0
// One request of an HTTP/2 client and its answer. Its users: who waits for the answer and then has
// the response's body; the goroutine that sends the request's body; the one that a context's end
// starts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weft/http/internal/h1_request_head.hpp"
#include "weft/http/internal/h2_client.hpp"

namespace weft::rt {

class h2_exchange final : public h2_stream {
 public:
  h2_exchange(std::shared_ptr<h2_client_conn> over, exchange& x, const request_framing_out& how);

  /// From the request to the answer's head. If it fails, this is gone.
  [[nodiscard]] result<http::response> run(exchange& x);

  // For the session, under the lock.
  int add_field(std::string_view name, std::string_view value);
  void headers_end(bool last);

  // For the response's body.
  [[nodiscard]] result<size_t> read_body(std::span<char> to);
  [[nodiscard]] const http::header* answer_trailers() const noexcept {
    return answer_trailers_.empty() ? nullptr : &answer_trailers_;
  }
  /// The user of the response has done with it. This is gone.
  void finish();

 private:
  // h2_stream
  int submit_head(bool empty) override;
  void on_closed() override {}
  void on_unwanted(size_t) override {}
  void dispose() override { delete this; }
  const http::header* trailers_to_send() override {
    return trailers_.empty() ? nullptr : &trailers_;
  }

  [[nodiscard]] error wait_for_head(std::unique_lock<mutex>& hold, exchange& x);
  [[nodiscard]] error explain(error why, const char* waiting_for);
  [[nodiscard]] int64_t until(std::chrono::nanoseconds limit) const;
  void watch_context();
  /// Resets it; whoever waits is told why.
  void abort(const error& why);
  [[nodiscard]] std::unexpected<error> refused(exchange& x);
  [[nodiscard]] bool is_answered();
  void hold_one() noexcept { hold(); }
  void send_body(http::body content, bool expects);
  [[nodiscard]] h2_client_session& session() const noexcept {
    return static_cast<h2_client_session&>(session_);
  }

  const std::shared_ptr<h2_client_conn> conn_;
  const context ctx_;
  const net::time_point deadline_;
  const http::client_trace* const trace_;
  const http::client_timeouts& limits_;
  stop_func stop_watching_;
  bool watches_ = false;
  int64_t began_ns_ = 0;

  // The request.
  std::vector<std::pair<std::string, std::string>> fields_;
  http::header trailers_;
  bool sends_body_ = false;

  // The answer. Under the lock.
  int status_ = 0;
  bool head_done_ = false;
  bool may_send_ = false;  // 100 Continue
  int interim_count_ = 0;
  int interim_status_ = 0;
  http::header interim_;
  size_t head_bytes_ = 0;
  size_t head_fields_ = 0;
  int64_t length_ = -1;
  http::header headers_;
  http::header answer_trailers_;
  error why_;  // of abort(), and of what is wrong with the answer
};

}  // namespace weft::rt
