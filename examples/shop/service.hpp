// SPDX-License-Identifier: Apache-2.0
// What the three services have in common: listening, ending, answering with errors, asking each
// other.
#pragma once

#include <string>
#include <string_view>

#include "messages.hpp"
#include "settings.hpp"
#include "weft/http/client.hpp"
#include "weft/http/http.hpp"
#include "weft/http/json.hpp"
#include "weft/sync/context.hpp"

namespace shop {

/// Serves `h` on `where` until `ctx` ends, then lets requests in flight end, for 10 s at most.
/// Prints "NAME ready on URL" when it listens.
weft::result<void> serve(const weft::context& ctx, std::string_view name, const std::string& where,
                         const tls_settings& tls, weft::http::handler h);

/// A client for the other services: it hands on the trace and what is left of the deadline.
[[nodiscard]] weft::http::client make_client(const tls_settings& tls);

void reply_problem(weft::http::response_writer& w, int status, std::string_view text);

/// What another service said, or which status stands for why it did not.
struct peer_failure {
  int status = 502;
  std::string text;
};

/// The status and text of an error from calling `peer`: 504 if time ran out, else 502.
[[nodiscard]] peer_failure failure_of(std::string_view peer, const weft::error& why);

/// Asks `peer` and reads its answer, a T for 2xx, else its problem.
template <class T>
std::expected<T, peer_failure> ask(const weft::http::client& client, std::string_view peer,
                                   weft::http::request r) {
  weft::result<weft::http::response> got = client.send(std::move(r));
  if (!got) return std::unexpected(failure_of(peer, got.error()));
  if (got->status / 100 != 2) {
    const auto said = weft::http::read_json<problem>(got->body);
    return std::unexpected(peer_failure{
        got->status,
        said ? said->error : std::string(peer) + " answered " + std::to_string(got->status)});
  }
  weft::result<T> value = weft::http::read_json<T>(got->body);
  if (!value) return std::unexpected(failure_of(peer, value.error()));
  return std::move(*value);
}

/// A POST of JSON under the caller's context.
template <class T>
weft::http::request post_json(const weft::context& ctx, const std::string& url, const T& value) {
  // What came as JSON can be said as JSON.
  weft::http::request r("POST", url, weft::json::encode(value).value_or("null"));
  r.headers.set("Content-Type", "application/json");
  r.set_context(ctx);
  return r;
}

}  // namespace shop
