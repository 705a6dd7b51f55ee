// SPDX-License-Identifier: Apache-2.0
// Requests and answers that are JSON.
#include "weft/http/client_json.hpp"

#include "weft/http/status.hpp"

namespace weft::rt {

http::request make_json_request(std::string_view method, const context& ctx, std::string_view where,
                                http::body content) {
  http::request r(method, where, std::move(content));
  if (r.body.source() != nullptr) r.headers.set("Content-Type", "application/json");
  r.headers.set("Accept", "application/json");
  r.set_context(ctx);
  return r;
}

result<std::string> read_json_text(std::string_view method, result<http::response> got,
                                   size_t bytes_max) {
  if (!got) return fail(got.error());
  if (got->status / 100 == 2) return got->body.read_all(bytes_max);
  constexpr size_t text_bytes_max = 1024;
  http::status_error why{.status = got->status, .text = std::string(text_bytes_max, '\0')};
  size_t used = 0;
  while (used < text_bytes_max) {
    const result<size_t> more = got->body.read(std::span<char>(why.text).subspan(used));
    if (!more || *more == 0) break;
    used += *more;
  }
  why.text.resize(used);
  std::string message(method);  // "Get", as in the client's own errors
  for (size_t i = 1; i < message.size(); ++i)
    if (message[i] >= 'A' && message[i] <= 'Z') message[i] = static_cast<char>(message[i] + 32);
  message.append(" \"").append(got->url.string()).append("\": ");
  message.append(std::to_string(why.status)).append(1, ' ');
  message.append(http::status_text(why.status));
  const std::string_view line = std::string_view(why.text).substr(0, why.text.find('\n'));
  if (!line.empty()) message.append(": ").append(line.substr(0, 200));
  return fail(error(std::move(message)).with(std::move(why)));
}

}  // namespace weft::rt
