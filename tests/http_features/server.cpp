// SPDX-License-Identifier: Apache-2.0
// A server with files, compression, forms and cookies, for clients of other people:
// weft_http_features_server ROOT; prints its address; ends with its standard input.
#include <cstdio>
#include <functional>
#include <string>

#include "weft/http/http.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"

namespace {

namespace http = weft::http;

/// A form, in lines: "name=value", "name:filename:type:size:sum of bytes:where".
void upload(http::response_writer& w, http::request& r) {
  const auto form = http::read_form(r, {.memory_bytes_max = 100'000});
  if (!form) {
    http::reply_form_error(w, form.error());
    return;
  }
  std::string out;
  for (const auto& [name, value] : form->values.pairs()) out += name + "=" + value + "\n";
  for (const auto& file : form->files) {
    uint64_t sum = 0;
    char piece[4096];
    for (uint64_t at = 0;;) {
      const auto got = file->read_at(piece, at);
      if (!got || *got == 0) break;
      for (size_t i = 0; i < *got; ++i) sum += static_cast<unsigned char>(piece[i]);
      at += *got;
    }
    out += file->name + ":" + file->filename + ":" + file->content_type + ":" +
           std::to_string(file->size()) + ":" + std::to_string(sum) +
           (file->on_disk() ? ":disk\n" : ":memory\n");
  }
  (void)w.write(out);
}

/// Counts visits in a cookie.
void visits(http::response_writer& w, http::request& r) {
  http::cookie c;
  c.name = "visits";
  c.value = http::cookie_value(r.headers, "visits").value_or("") + "I";
  c.path = "/";
  c.http_only = true;
  c.same_site = http::same_site::lax;
  (void)http::set_cookie(w.headers(), c);
  (void)w.write(c.value + "\n");
}

void echo(http::response_writer& w, http::request& r) {
  const auto all = r.body.read_all(1 << 20);
  if (!all)
    http::reply_form_error(w, all.error());
  else
    (void)w.write(*all);
}

int serve(const std::string& root) {
  http::mux routes;
  routes.handle("/files/", http::strip_prefix("/files", http::file_server(root)));
  routes.handle("/listed/",
                http::strip_prefix("/listed", http::file_server(root, {.list_directories = true})));
  routes.handle("POST /upload", upload);
  routes.handle("GET /visits", visits);
  routes.handle("POST /echo", http::chain(echo, {http::decompression(100'000)}));
  const http::server server({.handler = http::chain(std::ref(routes), {http::compression()})});
  const auto on = weft::net::listen("tcp", "127.0.0.1:0").value();
  std::printf("%s\n", on.addr().string().c_str());
  std::fflush(stdout);
  weft::go([&] {
    weft::blocking([] {
      while (std::getchar() != EOF) {
      }
    });
    server.close();
  });
  (void)server.serve(on);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: weft_http_features_server ROOT\n");
    return 2;
  }
  return weft::run([&] { return serve(argv[1]); });
}
