// SPDX-License-Identifier: Apache-2.0
// Fuzz target of what strangers write into URLs and fields. With libFuzzer (WEFT_FUZZ), or from
// url_test.cpp.
//
// What is taken prints as something that is taken again and means the same; nothing that is printed
// could end a request line; what the strict door takes has no byte that two readers see
// differently.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "weft/http/propagation.hpp"
#include "weft/http/proxy.hpp"
#include "weft/http/url.hpp"

namespace {

using weft::http::url;

void must(bool holds, const char* what, std::string_view text) {
  if (holds) return;
  std::fprintf(stderr, "url: %s\n---\n%.*s\n---\n", what, static_cast<int>(text.size()),
               text.data());
  std::abort();
}

bool same(const url& a, const url& b) {
  return a.scheme == b.scheme && a.user == b.user && a.host == b.host && a.path == b.path &&
         a.query == b.query && a.bare_query == b.bare_query && a.fragment == b.fragment;
}

bool fits_a_line(std::string_view target) {
  for (const char c : target)
    if (c <= ' ' || c >= 0x7F) return false;
  return !target.empty();
}

void as_url(std::string_view text) {
  const weft::result<url> once = url::parse(text);
  if (!once) return;
  const std::string printed = once->string();
  const weft::result<url> twice = url::parse(printed);
  must(twice.has_value(), "what was printed is not taken", text);
  must(twice->string() == printed, "printed differently the second time", text);
  must(twice->host == once->host && twice->query == once->query, "another host or query", text);
  must(fits_a_line(once->target()), "a target that ends its line", text);
  (void)once->port();
  (void)weft::http::bypasses_proxy(text.substr(0, 64), *once);
  const weft::result<url> base = url::parse("http://a/b/c/d;p?q");
  if (const weft::result<url> seen = base->resolve(text); seen && !seen->host.empty())
    must(url::parse(seen->string()).has_value(), "a reference that does not print", text);
}

void as_target(std::string_view text) {
  url out;
  if (!url::parse_target(text, out)) return;
  must(out.fragment.empty() && out.user.empty(), "a target with a fragment or a user", text);
  must(out.path.find('\0') == std::string::npos, "NUL in a path", text);
  const std::string printed = out.string();
  url again;
  if (out.scheme.empty()) {
    must(url::parse_target(out.target(), again).has_value(), "a target that does not print", text);
    must(same(out, again), "a target that means something else", text);
  }
}

void as_query(std::string_view text) {
  const auto values = weft::http::query_values::parse(text);
  const std::string printed = values.encode();
  must(weft::http::query_values::parse(printed).pairs() == values.pairs(), "a query", text);
  must(printed.empty() || fits_a_line(printed), "a query that ends its line", text);
}

void as_fields(std::string_view text) {
  weft::http::header fields;
  const size_t half = text.find('\n');
  fields.add("traceparent", text.substr(0, half));
  if (half != std::string_view::npos) fields.add("tracestate", text.substr(half + 1));
  if (const auto got = weft::http::extract_trace(fields)) {
    weft::http::header out;
    weft::http::inject_trace(*got, out);
    const auto next = weft::http::extract_trace(out);
    must(next.has_value() && next->trace_id == got->trace_id && next->state == got->state,
         "a trace that is lost on the way", text);
  }
  if (const auto left = weft::http::parse_timeout(text))
    must(left->count() >= 0, "a time below zero", text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  as_url(text);
  as_target(text);
  as_query(text);
  as_fields(text);
  const std::string clean = weft::http::clean_path(text);
  must(weft::http::clean_path(clean) == clean, "a clean path that is not", text);
  must(clean.starts_with('/') && clean.find("//") == std::string::npos, "an unclean path", text);
  return 0;
}
