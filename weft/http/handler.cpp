// SPDX-License-Identifier: Apache-2.0
// What handlers are put together from, and the answers that many of them give.
#include "weft/http/handler.hpp"

#include <iterator>
#include <utility>

#include "weft/http/internal/escape.hpp"
#include "weft/http/internal/limited_body.hpp"
#include "weft/http/server.hpp"
#include "weft/http/status.hpp"

namespace weft::http {

const error body_not_allowed("http: request method or response status does not allow a body");
const error content_length_exceeded("http: wrote more than the declared Content-Length");
const error not_hijackable("http: this connection cannot be hijacked");

handler chain(handler inner, std::initializer_list<middleware> around) {
  for (auto it = std::rbegin(around); it != std::rend(around); ++it)
    inner = (*it)(std::move(inner));
  return inner;
}

void reply_error(response_writer& w, int status, std::string_view text) {
  header& fields = w.headers();
  // Of a body that will not be sent now.
  for (const std::string_view of_body : {"Content-Length", "Content-Encoding", "Etag",
                                         "Last-Modified", "Cache-Control", "Content-Range"})
    fields.erase(of_body);
  fields.set("Content-Type", "text/plain; charset=utf-8");
  fields.set("X-Content-Type-Options", "nosniff");
  w.write_head(status);
  std::string line(text);
  line += '\n';
  // Who has left does not read it.
  (void)w.write(line);
}

void not_found(response_writer& w, request&) { reply_error(w, 404, "404 page not found"); }

namespace {

/// Bytes that may not stand in a URL are escaped; escapes are left alone.
std::string escape_rest(std::string_view where) {
  std::string out;
  for (const char c : where) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte >= 0x7F || c == '"' || c == '<' || c == '>' || c == '\\') {
      rt::append_escape(out, c);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace

void redirect(response_writer& w, request& r, std::string_view where, int status) {
  std::string target(where);
  const result<url> parsed = url::parse(where);
  if (parsed && parsed->scheme.empty() && parsed->host.empty() && !r.url.path.empty() &&
      r.method != "CONNECT") {
    // Relative to the request's path; "?x" and a path that begins with a slash stand for
    // themselves.
    if (where.empty() || where.front() != '/') {
      std::string base = r.url.path;
      base.resize(base.rfind('/') + 1);
      target = base + target;
    }
    std::string query;
    if (const size_t mark = target.find('?'); mark != std::string::npos) {
      query = target.substr(mark);
      target.resize(mark);
    }
    target = clean_path(target) + query;
  }
  target = escape_rest(target);
  const bool has_type = w.headers().has("Content-Type");
  w.headers().set("Location", target);
  const bool with_text = r.method == "GET" || r.method == "HEAD";
  if (with_text && !has_type) w.headers().set("Content-Type", "text/html; charset=utf-8");
  w.write_head(status);
  if (r.method == "GET" && !has_type)
    (void)w.write("<a href=\"" + rt::html_escape(target) + "\">" +
                  std::string(status_text(status)) + "</a>.\n\n");
}

handler limit_body(handler inner, uint64_t bytes_max) {
  return [inner = std::move(inner), bytes_max](response_writer& w, request& r) {
    if (auto* limited = dynamic_cast<rt::limited_body*>(r.body.source()); limited != nullptr)
      limited->set_limit(bytes_max);
    inner(w, r);
  };
}

}  // namespace weft::http
