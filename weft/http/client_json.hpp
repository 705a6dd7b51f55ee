// SPDX-License-Identifier: Apache-2.0
// JSON over a client: plain structs out and in.
//
//   auto item = weft::http::get_json<item_t>(client, ctx, "http://stock.example/items/17");
//
// An answer other than 2xx is an error here, with what the server said as its payload.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "weft/http/client.hpp"
#include "weft/json/json.hpp"

namespace weft::http {

/// Payload of the error for an answer other than 2xx: `err.as<http::status_error>()`.
struct status_error {
  int status = 0;
  /// The beginning of the body.
  std::string text;
};

/// What a JSON answer may cost.
struct json_limits {
  size_t bytes_max = size_t{8} << 20;
  json::decode_options decode{};
};

}  // namespace weft::http

namespace weft::rt {
/// The body of an answer of 2xx; `Get "URL": 404 Not Found: TEXT` for others.
[[nodiscard]] WEFT_API result<std::string> read_json_text(std::string_view method,
                                                          result<http::response> got,
                                                          size_t bytes_max);
[[nodiscard]] WEFT_API http::request make_json_request(std::string_view method, const context& ctx,
                                                       std::string_view where, http::body content);
}  // namespace weft::rt

namespace weft::http {

/// Decodes what a request is answered with.
template <class Answer>
[[nodiscard]] result<Answer> send_for_json(const client& c, request r,
                                           const json_limits& limits = {}) {
  const std::string method = r.method;
  const result<std::string> text =
      rt::read_json_text(method, c.send(std::move(r)), limits.bytes_max);
  if (!text) return fail(text.error());
  return json::decode<Answer>(*text, limits.decode);
}

template <class Answer>
[[nodiscard]] result<Answer> get_json(const client& c, const context& ctx, std::string_view where,
                                      const json_limits& limits = {}) {
  return send_for_json<Answer>(c, rt::make_json_request("GET", ctx, where, {}), limits);
}

/// Sends `value` as JSON. The answer is the caller's to look at.
template <class T>
[[nodiscard]] result<response> send_json(const client& c, const context& ctx,
                                         std::string_view method, std::string_view where,
                                         const T& value) {
  result<std::string> text = json::encode(value);
  if (!text) return fail(text.error());
  return c.send(rt::make_json_request(method, ctx, where, body(std::move(*text))));
}

/// Sends JSON and decodes the answer.
template <class Answer, class T>
[[nodiscard]] result<Answer> post_json(const client& c, const context& ctx, std::string_view where,
                                       const T& value, const json_limits& limits = {}) {
  result<std::string> text = json::encode(value);
  if (!text) return fail(text.error());
  return send_for_json<Answer>(c, rt::make_json_request("POST", ctx, where, body(std::move(*text))),
                               limits);
}

}  // namespace weft::http
