// SPDX-License-Identifier: Apache-2.0
// Escapes of URLs and HTML, and the pairs of a query.
#include "weft/http/internal/escape.hpp"

#include <algorithm>

#include "weft/http/url.hpp"

namespace weft::http {

namespace {

std::optional<std::string> unescape(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const int byte = rt::escaped_byte(text, i);
      if (byte < 0) return std::nullopt;
      out += static_cast<char>(byte);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

void append_query_escaped(std::string& to, std::string_view text) {
  for (const char c : text) {
    if (c == ' ')
      to += '+';
    else if (rt::url_byte_fits(c, rt::url_in_component))
      to += c;
    else
      rt::append_escape(to, c);
  }
}

}  // namespace

std::string path_escape(std::string_view text) {
  std::string out;
  rt::append_escaped(out, text, rt::url_in_segment);
  return out;
}

std::string query_escape(std::string_view text) {
  std::string out;
  append_query_escaped(out, text);
  return out;
}

std::optional<std::string> path_unescape(std::string_view text) { return unescape(text, false); }
std::optional<std::string> query_unescape(std::string_view text) { return unescape(text, true); }

std::string clean_path(std::string_view path) {
  std::string out;
  out.reserve(path.size() + 1);
  bool slash_at_end = path.empty() || path.back() == '/';
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, end - at);
    at = end + 1;
    if (segment == "..") {
      const size_t cut = out.rfind('/');
      out.resize(cut == std::string::npos ? 0 : cut);
    } else if (!segment.empty() && segment != ".") {
      out.append(1, '/').append(segment);
    }
  }
  if (slash_at_end || out.empty()) out += '/';
  return out;
}

query_values query_values::parse(std::string_view text) {
  query_values out;
  while (!text.empty()) {
    const size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    // Some take ';' for '&', others do not: what a filter in front read there is not known.
    if (pair.empty() || pair.find(';') != std::string_view::npos) continue;
    const size_t equals = pair.find('=');
    std::optional<std::string> name = query_unescape(pair.substr(0, equals));
    std::optional<std::string> value = query_unescape(
        equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
    if (name && value) out.pairs_.emplace_back(std::move(*name), std::move(*value));
  }
  return out;
}

std::string_view query_values::get(std::string_view name) const noexcept {
  for (const auto& [key, value] : pairs_)
    if (key == name) return value;
  return {};
}

bool query_values::has(std::string_view name) const noexcept {
  return std::ranges::any_of(pairs_, [name](const auto& pair) { return pair.first == name; });
}

std::vector<std::string_view> query_values::values(std::string_view name) const {
  std::vector<std::string_view> out;
  for (const auto& [key, value] : pairs_)
    if (key == name) out.emplace_back(value);
  return out;
}

void query_values::add(std::string name, std::string value) {
  pairs_.emplace_back(std::move(name), std::move(value));
}

void query_values::set(std::string_view name, std::string value) {
  std::string own(name);  // it may be a view of what goes
  erase(own);
  pairs_.emplace_back(std::move(own), std::move(value));
}

void query_values::erase(std::string_view name) {
  const std::string own(name);
  std::erase_if(pairs_, [&own](const auto& pair) { return pair.first == own; });
}

std::string query_values::encode() const {
  std::string out;
  for (const auto& [name, value] : pairs_) {
    if (!out.empty()) out += '&';
    append_query_escaped(out, name);
    out += '=';
    append_query_escaped(out, value);
  }
  return out;
}

}  // namespace weft::http

namespace weft::rt {

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

}  // namespace weft::rt
