// SPDX-License-Identifier: Apache-2.0
// Bodies that are JSON.
#pragma once

#include <string>

#include "weft/base/error.hpp"
#include "weft/http/body.hpp"
#include "weft/http/handler.hpp"
#include "weft/json/json.hpp"

namespace weft::http {

/// All of the body as a T. Fails with http::body_too_large, what the connection says, or
/// `json: at PATH ...`.
template <class T>
[[nodiscard]] result<T> read_json(body& from, size_t limit_bytes = size_t{1} << 20) {
  const result<std::string> text = from.read_all(limit_bytes);
  if (!text) return fail(text.error());
  return json::decode<T>(*text);
}

/// The answer `value`, as application/json. Fails as response_writer::write() does, and with what
/// cannot be written as JSON (NaN, ...): then 500 is answered.
template <class T>
result<void> write_json(response_writer& w, int status, const T& value) {
  std::string text;
  if (const auto made = json::encode_to(text, value); !made) {
    reply_error(w, 500, "500 internal server error");
    return fail(made.error());
  }
  w.headers().set("Content-Type", "application/json");
  w.write_head(status);
  if (const auto sent = w.write(text); !sent) return fail(sent.error());
  return {};
}

}  // namespace weft::http
