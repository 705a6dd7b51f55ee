// SPDX-License-Identifier: Apache-2.0
#include "weft/debughttp/internal/answer.hpp"

#include <cstdarg>
#include <cstdio>

namespace weft::debughttp {

form wanted_form(const http::request& r, bool html) {
  const std::string asked = r.query_value("format");
  if (asked == "json") return form::json;
  if (asked == "text") return form::text;
  if (asked == "html") return html ? form::html : form::text;
  const std::string_view accept = r.headers.get("Accept");
  if (accept.find("application/json") != std::string_view::npos) return form::json;
  if (html && accept.find("text/html") != std::string_view::npos) return form::html;
  return form::text;
}

void reply_text(http::response_writer& w, std::string_view text, std::string_view type) {
  w.headers().set("Content-Type", type);
  w.headers().set("X-Content-Type-Options", "nosniff");
  (void)w.write(text);  // a client that has left is nobody's concern
}

void reply_html(http::response_writer& w, std::string_view body) {
  // Nothing of a page comes from anywhere else, and no script is in it.
  w.headers().set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'");
  reply_text(w, body, "text/html; charset=utf-8");
}

void reply_json(http::response_writer& w, const json::value& value) {
  const auto text = json::encode(value);
  if (!text) return http::reply_error(w, 500, text.error().message());
  reply_text(w, *text + "\n", "application/json");
}

std::string html_escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&#34;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string duration_text(int64_t ns) {
  std::string out;
  const double s = static_cast<double>(ns) / 1e9;
  if (s >= 60)
    append_format(out, "%lld minutes", static_cast<long long>(s / 60));
  else if (s >= 1)
    append_format(out, "%.1f s", s);
  else
    append_format(out, "%.3g ms", s * 1e3);
  return out;
}

std::string bytes_text(uint64_t bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit < 4; ++unit) value /= 1024;
  std::string out;
  append_format(out, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
  return out;
}

void append_format(std::string& to, const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  const int n = std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (n > 0) to.append(line, n < static_cast<int>(sizeof line) ? static_cast<size_t>(n) : 511);
}

}  // namespace weft::debughttp
