// SPDX-License-Identifier: Apache-2.0
// /debug/heap: what the heap holds, by size class.
#include <string>

#include "weft/debughttp/internal/answer.hpp"
#include "weft/debughttp/internal/pages.hpp"
#include "weft/heap/stats.hpp"

namespace weft::debughttp {

namespace {

bool is_empty(const heap_class_statistics& c) noexcept {
  return c.object_bytes == 0 || c.spans == 0;
}

std::string as_text(const heap_statistics& h) {
  std::string out;
  const auto line = [&out](const char* name, size_t bytes) {
    append_format(out, "%-10s %14zu  %s\n", name, bytes, bytes_text(bytes).c_str());
  };
  line("in use", h.in_use_bytes);
  line("spans", h.span_bytes);
  line("idle", h.idle_bytes);
  line("returned", h.returned_bytes);
  line("metadata", h.metadata_bytes);
  line("reserved", h.reserved_bytes);
  if (h.memory_limit != SIZE_MAX) line("limit", h.memory_limit);
  append_format(out, "fragmentation %.1f %%, caches %zu (%zu in use)\n\n", h.fragmentation * 100,
                h.caches, h.caches_in_use);
  out += "   object      in use        free     spans      touched  fragmentation\n";
  for (const heap_class_statistics& c : h.classes)
    if (!is_empty(c))
      append_format(out, "%9zu %11zu %11zu %9zu %12zu %12.1f %%\n", c.object_bytes, c.in_use,
                    c.free, c.spans, c.touched_bytes, c.fragmentation() * 100);
  append_format(out, "    large %11zu                       %12zu\n", h.large_objects,
                h.large_bytes);
  return out;
}

json::value as_json(const heap_statistics& h) {
  json::array classes;
  for (const heap_class_statistics& c : h.classes)
    if (!is_empty(c))
      classes.emplace_back(json::object{{"object_bytes", c.object_bytes},
                                        {"in_use", c.in_use},
                                        {"free", c.free},
                                        {"spans", c.spans},
                                        {"span_bytes", c.span_bytes},
                                        {"touched_bytes", c.touched_bytes},
                                        {"fragmentation", c.fragmentation()}});
  const bool limited = h.memory_limit != SIZE_MAX;
  return json::object{
      {"in_use_bytes", h.in_use_bytes},
      {"span_bytes", h.span_bytes},
      {"idle_bytes", h.idle_bytes},
      {"returned_bytes", h.returned_bytes},
      {"released_bytes", h.released_bytes},
      {"metadata_bytes", h.metadata_bytes},
      {"reserved_bytes", h.reserved_bytes},
      {"memory_limit", limited ? json::value(h.memory_limit) : json::value(nullptr)},
      {"large_objects", h.large_objects},
      {"large_bytes", h.large_bytes},
      {"caches", h.caches},
      {"caches_in_use", h.caches_in_use},
      {"fragmentation", h.fragmentation},
      {"classes", std::move(classes)}};
}

}  // namespace

void add_heap_page(http::mux& to) {
  to.handle("GET /debug/heap", [](http::response_writer& w, http::request& r) {
    const heap_statistics h = heap_stats();
    if (wanted_form(r) == form::json) return reply_json(w, as_json(h));
    reply_text(w, as_text(h));
  });
}

}  // namespace weft::debughttp
