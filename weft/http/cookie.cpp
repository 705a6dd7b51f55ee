// SPDX-License-Identifier: Apache-2.0
// Cookie and Set-Cookie fields.
#include "weft/http/cookie.hpp"

#include <algorithm>
#include <charconv>

#include "weft/http/internal/cookie_date.hpp"
#include "weft/http/internal/http_date.hpp"

namespace weft::http {

namespace {

// Browsers keep 50 to 180 of a host; a header has room for more, and none of them is ours.
inline constexpr size_t cookies_max = 300;

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// cookie-octet of RFC 6265 4.1.1.
bool is_value(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte < 0x7F && c != '"' && c != ',' && c != ';' && c != '\\';
  });
}

bool is_path(std::string_view text) noexcept {
  return text.starts_with('/') && std::ranges::all_of(text, [](char c) {
           return static_cast<unsigned char>(c) >= 0x20 && c != 0x7F && c != ';';
         });
}

bool is_domain(std::string_view text) noexcept {
  if (text.starts_with('.')) text.remove_prefix(1);
  if (text.empty() || text.size() > 255 || text.front() == '-' || text.back() == '.') return false;
  return std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '-' ||
           c == '.';
  });
}

bool has_control(std::string_view text) noexcept {
  return std::ranges::any_of(text, [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
  });
}

bool starts_with_fold(std::string_view text, std::string_view prefix) noexcept {
  return equal_fold(text.substr(0, prefix.size()), prefix);
}

std::unexpected<error> refuse(const cookie& c, const char* why) {
  return fail(error("http: cookie \"" + c.name + "\": " + why));
}

result<void> check(const cookie& c) {
  if (!is_token(c.name)) return refuse(c, "its name is no token");
  if (!is_value(c.value)) return refuse(c, "its value has a byte that may not stand there");
  if (!c.path.empty() && !is_path(c.path)) return refuse(c, "its path cannot be one");
  if (!c.domain.empty() && !is_domain(c.domain)) return refuse(c, "its domain cannot be one");
  if (c.same_site == same_site::none && !c.secure)
    return refuse(c, "SameSite=None needs Secure: browsers drop it");
  if (c.partitioned && !c.secure) return refuse(c, "Partitioned needs Secure");
  if (starts_with_fold(c.name, "__Secure-") && !c.secure)
    return refuse(c, "the prefix __Secure- needs Secure");
  if (starts_with_fold(c.name, "__Host-") && (!c.secure || !c.domain.empty() || c.path != "/"))
    return refuse(c, "the prefix __Host- needs Secure, the path / and no domain");
  return {};
}

void read_attribute(std::string_view name, std::string_view value, cookie& out) {
  if (equal_fold(name, "expires")) {
    out.expires_s = rt::parse_cookie_date(value);
  } else if (equal_fold(name, "max-age")) {
    int64_t seconds = 0;
    const auto [end, bad] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    const bool digits = !value.empty() && end == value.data() + value.size();
    // Beyond any number is for ever, or long ago.
    if (bad == std::errc::result_out_of_range && digits)
      seconds = value.front() == '-' ? -1 : INT64_MAX;
    else if (bad != std::errc{} || !digits)
      return;
    out.max_age = std::chrono::seconds(seconds);
  } else if (equal_fold(name, "domain")) {
    if (value.starts_with('.')) value.remove_prefix(1);
    out.domain = value;
    for (char& c : out.domain)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  } else if (equal_fold(name, "path")) {
    out.path = value.starts_with('/') ? value : std::string_view();
  } else if (equal_fold(name, "secure")) {
    out.secure = true;
  } else if (equal_fold(name, "httponly")) {
    out.http_only = true;
  } else if (equal_fold(name, "partitioned")) {
    out.partitioned = true;
  } else if (equal_fold(name, "samesite")) {
    out.same_site = equal_fold(value, "strict") ? same_site::strict
                    : equal_fold(value, "lax")  ? same_site::lax
                    : equal_fold(value, "none") ? same_site::none
                                                : same_site::unset;
  }
}

}  // namespace

result<std::string> cookie::set_cookie() const {
  if (auto good = check(*this); !good) return fail(good.error());
  std::string out = name + "=" + value;
  if (!path.empty()) out.append("; Path=").append(path);
  if (!domain.empty())
    out.append("; Domain=").append(domain.starts_with('.') ? domain.substr(1) : domain);
  if (expires_s) out.append("; Expires=").append(rt::format_http_date(*expires_s).view());
  if (max_age)
    out.append("; Max-Age=").append(std::to_string(std::max<int64_t>(max_age->count(), 0)));
  if (http_only) out.append("; HttpOnly");
  if (secure) out.append("; Secure");
  if (same_site == same_site::lax) out.append("; SameSite=Lax");
  if (same_site == same_site::strict) out.append("; SameSite=Strict");
  if (same_site == same_site::none) out.append("; SameSite=None");
  if (partitioned) out.append("; Partitioned");
  return out;
}

result<cookie> cookie::parse_set_cookie(std::string_view field) {
  if (has_control(field)) return fail(error("http: Set-Cookie with a control character"));
  cookie out;
  const size_t end = std::min(field.find(';'), field.size());
  const std::string_view pair = field.substr(0, end);
  const size_t equals = pair.find('=');
  if (equals == std::string_view::npos || trim(pair.substr(0, equals)).empty())
    return fail(error("http: Set-Cookie without a name"));
  out.name = trim(pair.substr(0, equals));
  out.value = trim(pair.substr(equals + 1));
  std::string_view rest = field.substr(std::min(end + 1, field.size()));
  while (!rest.empty()) {
    const size_t semicolon = std::min(rest.find(';'), rest.size());
    const std::string_view one = rest.substr(0, semicolon);
    rest.remove_prefix(std::min(semicolon + 1, rest.size()));
    const size_t sign = std::min(one.find('='), one.size());
    read_attribute(trim(one.substr(0, sign)), trim(one.substr(std::min(sign + 1, one.size()))),
                   out);
  }
  return out;
}

result<void> set_cookie(header& to, const cookie& c) {
  result<std::string> text = c.set_cookie();
  if (!text) return fail(text.error());
  to.add("Set-Cookie", *text);
  return {};
}

std::vector<cookie> cookies_of(const header& of) {
  std::vector<cookie> out;
  for (const header::field f : of) {
    if (!equal_fold(f.name, "Cookie")) continue;
    std::string_view rest = f.value;
    while (!rest.empty() && out.size() < cookies_max) {
      const size_t semicolon = std::min(rest.find(';'), rest.size());
      const std::string_view pair = trim(rest.substr(0, semicolon));
      rest.remove_prefix(std::min(semicolon + 1, rest.size()));
      const size_t equals = pair.find('=');
      if (equals == std::string_view::npos) continue;
      const std::string_view name = trim(pair.substr(0, equals));
      std::string_view value = trim(pair.substr(equals + 1));
      if (value.size() >= 2 && value.starts_with('"') && value.ends_with('"'))
        value = value.substr(1, value.size() - 2);
      if (!is_token(name) || has_control(value)) continue;
      cookie& made = out.emplace_back();
      made.name = name;
      made.value = value;
    }
  }
  return out;
}

std::optional<std::string> cookie_value(const header& of, std::string_view name) {
  for (cookie& c : cookies_of(of))
    if (c.name == name) return std::move(c.value);
  return std::nullopt;
}

}  // namespace weft::http
