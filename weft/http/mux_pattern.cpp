// SPDX-License-Identifier: Apache-2.0
// Parsing and comparing patterns.
#include "weft/http/internal/mux_pattern.hpp"

#include <algorithm>
#include <string>

#include "weft/http/header.hpp"
#include "weft/http/url.hpp"

namespace weft::rt {

namespace {

using kind = mux_segment::kind;

bool is_name(std::string_view text) {
  const auto letter = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  if (text.empty() || !letter(text.front())) return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::unexpected<error> bad(std::string_view pattern, std::string_view why) {
  return fail(error("http: pattern \"" + std::string(pattern) + "\": " + std::string(why)));
}

/// One segment between slashes; `last`: nothing follows it.
result<mux_segment> parse_segment(std::string_view pattern, std::string_view text, bool last) {
  const bool braces = text.find_first_of("{}") != std::string_view::npos;
  if (!braces) {
    const auto plain = http::path_unescape(text);
    if (!plain) return bad(pattern, "a segment with a bad escape");
    return mux_segment{*plain, kind::literal};
  }
  if (text.size() < 2 || text.front() != '{' || text.back() != '}')
    return bad(pattern, "a wildcard must be a whole segment: {name}");
  std::string_view name = text.substr(1, text.size() - 2);
  if (name == "$") {
    if (!last) return bad(pattern, "{$} must be at the end");
    return mux_segment{{}, kind::end};
  }
  const bool rest = name.ends_with("...");
  if (rest) name.remove_suffix(3);
  if (!is_name(name)) return bad(pattern, "\"" + std::string(name) + "\" is no name of a wildcard");
  if (rest && !last) return bad(pattern, "{" + std::string(name) + "...} must be at the end");
  return mux_segment{std::string(name), rest ? kind::rest : kind::one};
}

/// What two knowledges about parts say about the whole.
overlap both(overlap a, overlap b) {
  if (a == overlap::equal) return b;
  if (b == overlap::equal) return a;
  if (a == overlap::disjoint || b == overlap::disjoint) return overlap::disjoint;
  return a == b ? a : overlap::partly;
}

overlap compare_segments(const mux_segment& a, const mux_segment& b) {
  if (a.what == kind::rest || b.what == kind::rest) {
    if (a.what == b.what) return overlap::equal;
    return a.what == kind::rest ? overlap::first_larger : overlap::second_larger;
  }
  if (a.what == kind::end || b.what == kind::end)
    return a.what == b.what ? overlap::equal : overlap::disjoint;
  if (a.what == kind::one || b.what == kind::one) {
    if (a.what == b.what) return overlap::equal;
    return a.what == kind::one ? overlap::first_larger : overlap::second_larger;
  }
  return a.text == b.text ? overlap::equal : overlap::disjoint;
}

overlap compare_paths(const mux_pattern& a, const mux_pattern& b) {
  const size_t common = std::min(a.segments.size(), b.segments.size());
  overlap so_far = overlap::equal;
  for (size_t i = 0; i < common; ++i) {
    so_far = both(so_far, compare_segments(a.segments[i], b.segments[i]));
    if (so_far == overlap::disjoint) return so_far;
  }
  if (a.segments.size() == b.segments.size()) return so_far;
  const bool a_shorter = a.segments.size() < b.segments.size();
  const mux_pattern& shorter = a_shorter ? a : b;
  if (shorter.segments.back().what != kind::rest) return overlap::disjoint;
  return both(so_far, a_shorter ? overlap::first_larger : overlap::second_larger);
}

overlap compare_methods(const std::string& a, const std::string& b) {
  if (a == b) return overlap::equal;
  if (a.empty() || (a == "GET" && b == "HEAD")) return overlap::first_larger;
  if (b.empty() || (b == "GET" && a == "HEAD")) return overlap::second_larger;
  return overlap::disjoint;
}

}  // namespace

result<mux_pattern> parse_pattern(std::string_view text) {
  mux_pattern out;
  out.text = text;
  std::string_view rest = text;
  if (const size_t space = rest.find_first_of(" \t"); space != std::string_view::npos) {
    out.method = rest.substr(0, space);
    if (!http::is_token(out.method)) return bad(text, "what stands before the space is no method");
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t", space), rest.size()));
  }
  const size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return bad(text, "there is no path: it begins with a slash");
  out.host = rest.substr(0, slash);
  if (out.host.find_first_of("{} \t") != std::string::npos)
    return bad(text, "a host without wildcards, please");
  std::transform(out.host.begin(), out.host.end(), out.host.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  rest.remove_prefix(slash);
  while (!rest.empty()) {
    rest.remove_prefix(1);  // the slash
    if (rest.empty()) {
      out.segments.push_back({{}, kind::rest});
      break;
    }
    const size_t next = rest.find('/');
    const std::string_view piece = rest.substr(0, next);
    rest = next == std::string_view::npos ? std::string_view() : rest.substr(next);
    if (piece.empty() || piece == "." || piece == "..")
      return bad(text, "a path that is not clean would never match");
    result<mux_segment> segment = parse_segment(text, piece, rest.empty());
    if (!segment) return fail(segment.error());
    if (segment->what != kind::literal && !segment->text.empty())
      for (const mux_segment& before : out.segments)
        if (before.what != kind::literal && before.text == segment->text)
          return bad(text, "two wildcards are named \"" + segment->text + "\"");
    out.segments.push_back(std::move(*segment));
  }
  return out;
}

overlap compare_patterns(const mux_pattern& a, const mux_pattern& b) {
  return both(compare_methods(a.method, b.method), compare_paths(a, b));
}

bool conflicting(const mux_pattern& a, const mux_pattern& b) {
  // A host is more specific than none, and of two hosts no request is for both.
  if (a.host != b.host) return false;
  const overlap how = compare_patterns(a, b);
  return how == overlap::equal || how == overlap::partly;
}

}  // namespace weft::rt
