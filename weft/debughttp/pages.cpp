// SPDX-License-Identifier: Apache-2.0
#include "weft/debughttp/internal/pages.hpp"

#include <memory>
#include <string>

#include "weft/debughttp/debughttp.hpp"
#include "weft/debughttp/internal/answer.hpp"

namespace weft::debughttp {

namespace {

struct page {
  const char* path;
  const char* is;
};
constexpr page pages[] = {
    {"/debug/pprof/", "profiles, for people and for go tool pprof"},
    {"/debug/goroutines",
     "goroutines by what they do: state=, reason=, min_age=, label=K:V, limit="},
    {"/debug/sched", "Ps, threads, run queues"},
    {"/debug/heap", "what the heap holds, by size class"},
    {"/metrics", "OpenMetrics"},
};

void serve_contents(http::response_writer& w, http::request& r) {
  std::string text;
  switch (wanted_form(r, true)) {
    case form::json: {
      json::array all;
      for (const page& p : pages)
        all.emplace_back(json::object{{"path", p.path}, {"description", p.is}});
      return reply_json(w, json::object{{"pages", std::move(all)}});
    }
    case form::html:
      for (const page& p : pages)
        text += std::string("<li><a href='") + p.path + "'>" + p.path + "</a> " +
                html_escape(p.is) + "</li>\n";
      return reply_html(w, "<html>\n<head><title>/debug/</title></head>\n<body>\n<ul>\n" + text +
                               "</ul>\n</body>\n</html>\n");
    case form::text:
      for (const page& p : pages) append_format(text, "%-18s %s\n", p.path, p.is);
      return reply_text(w, text);
  }
}

}  // namespace

http::handler handler() {
  auto routes = std::make_shared<http::mux>();
  routes->handle("GET /debug/{$}", serve_contents);
  add_goroutines_page(*routes);
  add_heap_page(*routes);
  add_metrics_page(*routes);
  add_pprof_pages(*routes);
  add_sched_page(*routes);
  return [routes](http::response_writer& w, http::request& r) { (*routes)(w, r); };
}

}  // namespace weft::debughttp
