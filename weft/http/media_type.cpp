// SPDX-License-Identifier: Apache-2.0
// The parser of media types.
#include "weft/http/media_type.hpp"

#include <algorithm>

#include "weft/http/header.hpp"
#include "weft/http/url.hpp"

namespace weft::http {

namespace {

void skip_blanks(std::string_view& rest) {
  while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
}

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return out;
}

/// Cuts "text" or token off. False: neither.
bool take_value(std::string_view& rest, std::string& out) {
  out.clear();
  if (!rest.starts_with('"')) {
    const size_t end = std::min(rest.find_first_of("; \t"), rest.size());
    out = rest.substr(0, end);
    rest.remove_prefix(end);
    return is_token(out);
  }
  for (size_t i = 1; i < rest.size(); ++i) {
    const char c = rest[i];
    if (c == '"') {
      rest.remove_prefix(i + 1);
      return true;
    }
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F) return false;
    if (c == '\\' && i + 1 < rest.size() && (rest[i + 1] == '"' || rest[i + 1] == '\\')) ++i;
    out += rest[i];
  }
  return false;
}

/// "UTF-8''%C3%A9". False: another charset, or wrong escapes.
bool decode_extended(std::string& value) {
  const size_t first = value.find('\'');
  const size_t second = first == std::string::npos ? first : value.find('\'', first + 1);
  if (second == std::string::npos) return false;
  if (!equal_fold(std::string_view(value).substr(0, first), "utf-8")) return false;
  std::optional<std::string> plain = path_unescape(std::string_view(value).substr(second + 1));
  if (!plain) return false;
  for (const char c : *plain)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) return false;
  value = std::move(*plain);
  return true;
}

}  // namespace

std::optional<std::string_view> media_type::find(std::string_view name) const noexcept {
  for (const auto& [key, value] : parameters)
    if (equal_fold(key, name)) return value;
  return std::nullopt;
}

std::string_view media_type::parameter(std::string_view name) const noexcept {
  return find(name).value_or(std::string_view());
}

result<media_type> media_type::parse(std::string_view text) {
  const auto refuse = [](const char* why) {
    return fail(error(std::string("http: bad media type: ") + why));
  };
  media_type out;
  std::string_view rest = text;
  skip_blanks(rest);
  const size_t end = std::min(rest.find_first_of("; \t"), rest.size());
  const std::string_view type = rest.substr(0, end);
  rest.remove_prefix(end);
  const size_t slash = type.find('/');
  if (!is_token(type.substr(0, slash)) ||
      (slash != std::string_view::npos && !is_token(type.substr(slash + 1))))
    return refuse("no type");
  out.type = lowered(type);
  std::vector<std::pair<std::string, std::string>> extended;
  for (;;) {
    skip_blanks(rest);
    if (rest.empty()) break;
    if (rest.front() != ';') return refuse("something between parameters");
    rest.remove_prefix(1);
    skip_blanks(rest);
    if (rest.empty() || rest.front() == ';') continue;  // a last ";", as some send it
    const size_t equals = rest.find('=');
    if (equals == std::string_view::npos) return refuse("a parameter without a value");
    std::string name = lowered(rest.substr(0, equals));
    rest.remove_prefix(equals + 1);
    if (!is_token(name)) return refuse("a parameter's name");
    std::string value;
    if (!take_value(rest, value)) return refuse("a parameter's value");
    const bool is_extended = name.ends_with('*');
    if (is_extended) {
      name.pop_back();
      if (!decode_extended(value)) return refuse("an extended parameter's value");
    }
    auto& to = is_extended ? extended : out.parameters;
    for (const auto& [known, unused] : to)
      if (known == name) return refuse("a parameter that is given twice");
    to.emplace_back(std::move(name), std::move(value));
  }
  for (auto& [name, value] : extended) {
    const auto plain =
        std::ranges::find(out.parameters, name, &std::pair<std::string, std::string>::first);
    if (plain != out.parameters.end())
      plain->second = std::move(value);
    else
      out.parameters.emplace_back(std::move(name), std::move(value));
  }
  return out;
}

}  // namespace weft::http
