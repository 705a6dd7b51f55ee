// SPDX-License-Identifier: Apache-2.0
// Preconditions and ranges.
#include "weft/http/internal/conditions.hpp"

#include <algorithm>
#include <charconv>

#include "weft/http/internal/http_date.hpp"

namespace weft::rt {

namespace {

// More ranges than any reader of PDF asks for. Beyond it the answer's framing costs more than the
// ranges save, and a client could make a server read one page again and again.
inline constexpr size_t ranges_max = 64;

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool digits(std::string_view text, uint64_t& out) noexcept {
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (bad == std::errc::result_out_of_range && end == text.data() + text.size()) {
    out = UINT64_MAX;
    return true;
  }
  return bad == std::errc{} && end == text.data() + text.size() && !text.empty();
}

/// If one of the tags in the fields of this name is the resource's. "*": any, if there is one.
bool any_matches(const http::request& r, std::string_view name, const validators& now,
                 bool strong) {
  for (const std::string_view value : r.headers.values(name)) {
    std::string_view rest = trim(value);
    if (rest == "*") return true;
    for (;;) {
      const std::string_view tag = next_etag(rest);
      if (tag.empty()) break;
      if (same_etag(tag, now.etag, strong)) return true;
    }
  }
  return false;
}

bool safe(const http::request& r) { return r.method == "GET" || r.method == "HEAD"; }

/// True if the field has a time and the resource is not newer. A time that cannot be read, and a
/// resource without one, say nothing: nullopt.
std::optional<bool> not_newer(const http::request& r, std::string_view name,
                              const validators& now) {
  const auto value = r.headers.find(name);
  if (!value || now.modified_s < 0) return std::nullopt;
  const std::optional<int64_t> when = parse_http_date(*value);
  if (!when) return std::nullopt;
  return now.modified_s <= *when;
}

/// One range of a set, without its unit. False: a syntax error. `bytes` 0: outside of the content.
bool parse_range(std::string_view text, uint64_t size, byte_range& out) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return false;
  const std::string_view first = trim(text.substr(0, dash));
  const std::string_view last = trim(text.substr(dash + 1));
  uint64_t from = 0;
  uint64_t to = 0;
  out = {};
  if (first.empty()) {  // the last bytes
    if (!digits(last, to)) return false;
    out.bytes = std::min(to, size);
    out.begin = size - out.bytes;
    return true;
  }
  if (!digits(first, from)) return false;
  if (last.empty())
    to = UINT64_MAX;
  else if (!digits(last, to) || to < from)
    return false;
  if (from >= size) return true;
  out.begin = from;
  out.bytes = std::min(to, size - 1) - from + 1;
  return true;
}

}  // namespace

std::string_view next_etag(std::string_view& rest) {
  while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t' || rest.front() == ','))
    rest.remove_prefix(1);
  const size_t weak = rest.starts_with("W/") ? 2 : 0;
  if (rest.size() < weak + 2 || rest[weak] != '"') return {};
  size_t end = weak + 1;
  while (end < rest.size() && rest[end] != '"') {
    const auto byte = static_cast<unsigned char>(rest[end]);
    if (byte < 0x21 || byte == 0x7F) return {};
    ++end;
  }
  if (end == rest.size()) return {};
  const std::string_view tag = rest.substr(0, end + 1);
  rest.remove_prefix(tag.size());
  return tag;
}

bool same_etag(std::string_view a, std::string_view b, bool strong) noexcept {
  if (strong) return !a.empty() && a == b && !a.starts_with("W/");
  if (a.starts_with("W/")) a.remove_prefix(2);
  if (b.starts_with("W/")) b.remove_prefix(2);
  return !a.empty() && a == b;
}

condition check_conditions(const http::request& r, const validators& now) {
  if (r.headers.has("If-Match")) {
    if (!any_matches(r, "If-Match", now, true)) return condition::failed;
  } else if (not_newer(r, "If-Unmodified-Since", now) == false) {
    return condition::failed;
  }
  if (r.headers.has("If-None-Match")) {
    if (any_matches(r, "If-None-Match", now, false))
      return safe(r) ? condition::not_modified : condition::failed;
  } else if (safe(r) && not_newer(r, "If-Modified-Since", now) == true) {
    return condition::not_modified;
  }
  return condition::proceed;
}

bool check_if_range(const http::request& r, const validators& now) {
  const auto value = r.headers.find("If-Range");
  if (!value) return true;
  std::string_view rest = *value;
  if (const std::string_view tag = next_etag(rest); !tag.empty())
    return same_etag(tag, now.etag, true);
  const std::optional<int64_t> when = parse_http_date(*value);
  return when && now.modified_s >= 0 && *when == now.modified_s;
}

range_verdict parse_ranges(std::string_view value, uint64_t size, std::vector<byte_range>& out) {
  out.clear();
  if (!value.starts_with("bytes=")) return range_verdict::whole;
  std::string_view rest = value.substr(6);
  uint64_t sum = 0;
  bool any = false;
  while (!rest.empty()) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view one = trim(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    if (one.empty()) continue;  // an empty element of a list
    any = true;
    byte_range range;
    if (!parse_range(one, size, range)) return range_verdict::unsatisfiable;
    if (range.bytes == 0) continue;
    if (out.size() == ranges_max) return range_verdict::whole;
    sum += range.bytes;
    out.push_back(range);
  }
  if (!any) return range_verdict::unsatisfiable;
  if (size == 0) return range_verdict::whole;
  if (out.empty()) return range_verdict::unsatisfiable;
  // Overlaps: somebody wants us to work.
  return sum > size ? range_verdict::whole : range_verdict::parts;
}

}  // namespace weft::rt
