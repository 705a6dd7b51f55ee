// SPDX-License-Identifier: Apache-2.0
#include <http_parser.h>

#include "peer.hpp"

namespace http1_test {

namespace {

struct reading {
  h1_test::outcome out;
  h1_test::options how;
  bool in_body = false;
  bool last_was_name = false;

  h1_test::field_list& fields() { return in_body ? out.trailers : out.fields; }
};
reading& of(http_parser* p) { return *static_cast<reading*>(p->data); }

int on_url(http_parser* p, const char* at, size_t bytes) {
  of(p).out.target.append(at, bytes);
  return 0;
}
int on_status(http_parser* p, const char* at, size_t bytes) {
  of(p).out.reason.append(at, bytes);
  return 0;
}
int on_name(http_parser* p, const char* at, size_t bytes) {
  reading& r = of(p);
  if (!r.last_was_name) r.fields().emplace_back();
  r.last_was_name = true;
  r.fields().back().first.append(at, bytes);
  return 0;
}
int on_value(http_parser* p, const char* at, size_t bytes) {
  reading& r = of(p);
  r.last_was_name = false;
  r.fields().back().second.append(at, bytes);
  return 0;
}
int on_head(http_parser* p) {
  reading& r = of(p);
  r.in_body = true;
  r.last_was_name = false;
  r.out.minor_version = p->http_minor;
  r.out.status = static_cast<int>(p->status_code);
  if (!r.how.response) return 0;
  if (r.how.asked == h1_test::h1::method_id::connect && p->status_code / 100 == 2) return 2;
  // http-parser believes a length where no body can be; its callers must not (RFC 9112, 6.3).
  const bool never_a_body =
      p->status_code / 100 == 1 || p->status_code == 204 || p->status_code == 304;
  return never_a_body || r.how.asked == h1_test::h1::method_id::head ? 1 : 0;
}
int on_body(http_parser* p, const char* at, size_t bytes) {
  of(p).out.body.append(at, bytes);
  return 0;
}
int on_end(http_parser* p) {
  of(p).out.complete = true;
  of(p).out.keep_alive = http_should_keep_alive(p) != 0;
  http_parser_pause(p, 1);
  return 0;
}

}  // namespace

bool have_peer() { return true; }

h1_test::outcome ask_peer(std::string_view wire, const h1_test::options& how) {
  http_parser_settings settings;
  http_parser_settings_init(&settings);
  settings.on_url = on_url;
  settings.on_status = on_status;
  settings.on_header_field = on_name;
  settings.on_header_value = on_value;
  settings.on_headers_complete = on_head;
  settings.on_body = on_body;
  settings.on_message_complete = on_end;
  reading r;
  r.how = how;
  http_parser parser;
  http_parser_init(&parser, how.response ? HTTP_RESPONSE : HTTP_REQUEST);
  parser.data = &r;
  r.out.consumed = http_parser_execute(&parser, &settings, wire.data(), wire.size());
  if (HTTP_PARSER_ERRNO(&parser) == HPE_OK && !r.out.complete && how.closes)
    http_parser_execute(&parser, &settings, wire.data() + wire.size(), 0);
  const http_errno error = HTTP_PARSER_ERRNO(&parser);
  if (error == HPE_INVALID_METHOD) r.out.why = {2, http_errno_description(error)};
  if (error != HPE_OK && error != HPE_PAUSED && error != HPE_INVALID_METHOD)
    r.out.why = {1, http_errno_description(error)};
  if (!how.response && r.out.why.status == 0)
    r.out.method = http_method_str(static_cast<http_method>(parser.method));
  return r.out;
}

}  // namespace http1_test
