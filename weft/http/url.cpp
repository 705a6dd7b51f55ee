// SPDX-License-Identifier: Apache-2.0
// Taking URLs apart and putting them together again.
//
// Two doors. parse() is for what a program or another server wrote: it takes what people write (a
// space, an umlaut) and escapes it. parse_target() is for what a client sent: what may not stand in
// a request line is refused there, as one reader's separator may be another one's letter.
//
// `path` has no escapes. Whether it says all is seen while they are undone: it does, if escaping it
// again in our way gives what was written. If not, `raw_path` keeps that.
#include "weft/http/url.hpp"

#include <arpa/inet.h>

#include <algorithm>

#include "weft/http/internal/escape.hpp"

namespace weft::http {

namespace {

// Texts, or null: nothing was wrong.
using why = const char*;

constexpr why bad_escape = "invalid URL escape";

bool is_alpha(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

error parse_error(std::string_view text, why reason) {
  std::string quoted = "parse \"";
  constexpr size_t shown_max = 256;  // it may be hostile, and goes into logs
  for (const char c : text.substr(0, shown_max)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') quoted += '\\';
    if (byte >= 0x20 && byte != 0x7F) {
      quoted += c;
    } else {
      constexpr std::string_view digits = "0123456789abcdef";
      quoted.append("\\x").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    }
  }
  if (text.size() > shown_max) quoted += "...";
  return error::wrap(quoted + '"', error(reason));
}

/// Cuts "scheme:" off. No scheme is no error.
why take_scheme(std::string_view& text, std::string& scheme) {
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_alpha(c)) continue;
    if (c == ':') {
      if (i == 0) return "missing protocol scheme";
      scheme.assign(text.substr(0, i));
      for (char& letter : scheme)
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter + ('a' - 'A'));
      text.remove_prefix(i + 1);
      return nullptr;
    }
    if (i == 0 || !(is_digit(c) || c == '+' || c == '-' || c == '.')) break;
  }
  return nullptr;
}

why check_port(std::string_view port) noexcept {
  unsigned value = 0;
  for (const char c : port) {
    if (!is_digit(c)) return "invalid port after host";
    value = value * 10 + static_cast<unsigned>(c - '0');
    if (value > 65535) return "port out of range";
  }
  return nullptr;
}

/// "[v6]", "[v6%25zone]", each with ":port".
why check_bracketed(std::string_view host) {
  const size_t end = host.find(']');
  if (end == std::string_view::npos) return "missing ']' in host";
  const std::string_view behind = host.substr(end + 1);
  if (!behind.empty() && behind.front() != ':') return "invalid port after host";
  if (!behind.empty())
    if (const why wrong = check_port(behind.substr(1))) return wrong;
  std::string_view ip = host.substr(1, end - 1);
  if (const size_t zone = ip.find('%'); zone != std::string_view::npos) {
    const std::string_view name = ip.substr(zone);
    if (!name.starts_with("%25") || name.size() == 3) return "invalid zone in host";
    for (const char c : name.substr(3))
      if (!rt::url_byte_fits(c, rt::url_in_component)) return "invalid zone in host";
    ip = ip.substr(0, zone);
  }
  in6_addr parsed{};
  if (inet_pton(AF_INET6, std::string(ip).c_str(), &parsed) != 1) return "invalid IPv6 address";
  return nullptr;
}

why check_host(std::string_view host) {
  if (host.starts_with('[')) return check_bracketed(host);
  const size_t colon = host.find(':');
  if (colon != std::string_view::npos)
    if (const why wrong = check_port(host.substr(colon + 1))) return wrong;
  for (const char c : host.substr(0, colon))
    if (!rt::url_byte_fits(c, rt::url_in_host)) return "invalid character in host name";
  return nullptr;
}

why check_user(std::string_view user) noexcept {
  for (size_t i = 0; i < user.size(); ++i) {
    if (user[i] == '%') {
      if (rt::escaped_byte(user, i) < 0) return bad_escape;
      i += 2;
    } else if (!rt::url_byte_fits(user[i], rt::url_in_user)) {
      return "invalid userinfo";
    }
  }
  return nullptr;
}

why take_authority(std::string_view& text, url& out) {
  const size_t end = std::min(text.find('/'), text.size());
  std::string_view authority = text.substr(0, end);
  text.remove_prefix(end);
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    if (const why wrong = check_user(authority.substr(0, at))) return wrong;
    out.user.assign(authority.substr(0, at));
    authority.remove_prefix(at + 1);
  }
  if (const why wrong = check_host(authority)) return wrong;
  out.host.assign(authority);
  return nullptr;
}

/// Undoes the escapes.
why take_path(std::string_view text, url& out) {
  size_t plain = 0;
  while (plain < text.size() && rt::url_byte_fits(text[plain], rt::url_in_path)) ++plain;
  out.path.assign(text.substr(0, plain));
  if (plain == text.size()) return nullptr;
  bool says_all = true;
  for (size_t i = plain; i < text.size(); ++i) {
    const bool fits = rt::url_byte_fits(text[i], rt::url_in_path);
    if (text[i] != '%') {
      says_all &= fits;
      out.path += text[i];
      continue;
    }
    const int byte = rt::escaped_byte(text, i);
    if (byte < 0) return bad_escape;
    const char decoded = static_cast<char>(byte);
    const bool upper = text[i + 1] < 'a' && text[i + 2] < 'a';
    says_all &= upper && !rt::url_byte_fits(decoded, rt::url_in_path);
    out.path += decoded;
    i += 2;
  }
  if (!says_all) out.raw_path.assign(text);
  return nullptr;
}

/// What may not stand in a request line is escaped; escapes that are there stay.
void append_written(std::string& to, std::string_view text, rt::url_place place) {
  for (const char c : text) {
    if (c == '%' || rt::url_byte_fits(c, place))
      to += c;
    else
      rt::append_escape(to, c);
  }
}

void take_query(std::string_view& text, url& out) {
  const size_t mark = text.find('?');
  if (mark == std::string_view::npos) return;
  append_written(out.query, text.substr(mark + 1), rt::url_in_query);
  out.bare_query = out.query.empty();
  text = text.substr(0, mark);
}

why take_fragment(std::string_view& text, url& out) {
  const size_t mark = text.find('#');
  if (mark == std::string_view::npos) return nullptr;
  std::optional<std::string> plain = path_unescape(text.substr(mark + 1));
  if (!plain) return bad_escape;
  out.fragment = std::move(*plain);
  text = text.substr(0, mark);
  return nullptr;
}

why parse_into(std::string_view text, url& out) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      return "invalid control character in URL";
  if (const why wrong = take_fragment(text, out)) return wrong;
  if (const why wrong = take_scheme(text, out.scheme)) return wrong;
  take_query(text, out);
  // As in Go "///x" without a scheme is a path.
  if (text.starts_with("//") && (!out.scheme.empty() || !text.starts_with("///"))) {
    text.remove_prefix(2);
    if (const why wrong = take_authority(text, out)) return wrong;
  } else if (out.scheme.empty() && text.substr(0, text.find('/')).find(':') != text.npos) {
    return "first path segment in URL cannot contain colon";
  }
  std::string written;
  if (!std::ranges::all_of(text, [](char c) { return rt::url_byte_fits(c, rt::url_in_query); })) {
    append_written(written, text, rt::url_in_query);
    text = written;
  }
  return take_path(text, out);
}

/// RFC 3986 5.2.4, upon a path with its escapes.
std::string without_dot_segments(std::string_view path) {
  std::string out;
  const bool rooted = path.starts_with('/');
  size_t at = rooted ? 1 : 0;
  if (rooted) out = "/";
  const size_t root = out.size();
  for (;;) {
    const size_t end = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, end - at);
    const bool last = end == path.size();
    if (segment == "..") {
      // `out` ends in a slash, or is empty: the segment before it goes.
      if (out.size() > root) {
        const size_t cut = out.rfind('/', out.size() - 2);
        out.resize(cut == std::string::npos ? 0 : cut + 1);
      }
    } else if (segment != ".") {
      out.append(segment);
      if (!last) out += '/';
    }
    if (last) return out;
    at = end + 1;
  }
}

why check_target(std::string_view text) noexcept {
  for (const char c : text)
    if (!rt::url_byte_fits(c, rt::url_in_query)) {
      if (c == '#') return "fragment in a request's target";
      if (c == ' ') return "space in a request's target";
      return static_cast<unsigned char>(c) >= 0x80 ? "byte beyond ASCII in a request's target"
                                                   : "invalid control character in URL";
    }
  return nullptr;
}

why parse_target_into(std::string_view text, url& out) {
  if (text.empty()) return "empty url";
  if (const why wrong = check_target(text)) return wrong;
  if (text == "*") {
    out.path.assign(text);
    return nullptr;
  }
  if (text.front() != '/') {
    if (const why wrong = take_scheme(text, out.scheme)) return wrong;
    if (out.scheme != "http" && out.scheme != "https") return "invalid URI for request";
  }
  if (const size_t mark = text.find('?'); mark != text.npos) {
    out.query.assign(text.substr(mark + 1));
    out.bare_query = out.query.empty();
    text = text.substr(0, mark);
  }
  if (!out.scheme.empty()) {
    if (!text.starts_with("//")) return "invalid URI for request";
    text.remove_prefix(2);
    if (const why wrong = take_authority(text, out)) return wrong;
    if (!out.user.empty()) return "userinfo in a request's target";
    if (out.hostname().empty()) return "no host in URL";
  }
  if (const why wrong = take_path(text, out)) return wrong;
  // Nothing good ends in it: system calls read up to there, and log files beyond.
  if (out.path.find('\0') != std::string::npos) return "NUL in path";
  return nullptr;
}

void append_path(std::string& to, const url& from) {
  if (from.raw_path.empty())
    rt::append_escaped(to, from.path, rt::url_in_path);
  else
    append_written(to, from.raw_path, rt::url_in_query);
}

void append_query(std::string& to, const url& from) {
  if (from.query.empty() && !from.bare_query) return;
  to += '?';
  append_written(to, from.query, rt::url_in_query);
}

}  // namespace

result<url> url::parse(std::string_view text) {
  url out;
  if (const why wrong = parse_into(text, out)) return fail(parse_error(text, wrong));
  return out;
}

result<void> url::parse_target(std::string_view text, url& out) {
  out.clear();
  if (const why wrong = parse_target_into(text, out)) {
    out.clear();
    return fail(parse_error(text, wrong));
  }
  return {};
}

std::string url::string() const {
  std::string out;
  if (!scheme.empty()) out.append(scheme).append(1, ':');
  const std::string_view written = raw_path.empty() ? path : raw_path;
  const bool rooted = written.starts_with('/');
  if (!host.empty() || !user.empty() || (!scheme.empty() && rooted)) {
    out += "//";
    if (!user.empty()) {
      append_written(out, user, rt::url_in_user);
      out += '@';
    }
    out.append(host);
    if (!written.empty() && !rooted) out += '/';
  } else if (written.starts_with("//") && !written.starts_with("///")) {
    out += "/.";  // or its first segment would be read as a host
  } else if (scheme.empty() && written.substr(0, written.find('/')).find(':') != written.npos) {
    out += "./";  // or it would be read as a scheme
  }
  append_path(out, *this);
  append_query(out, *this);
  if (!fragment.empty()) {
    out += '#';
    rt::append_escaped(out, fragment, rt::url_in_fragment);
  }
  return out;
}

std::string url::escaped_path() const {
  std::string out;
  append_path(out, *this);
  if (out.empty()) out = "/";
  return out;
}

std::string url::target() const {
  std::string out;
  append_path(out, *this);
  if (!out.starts_with('/') && out != "*") out.insert(0, 1, '/');
  append_query(out, *this);
  return out;
}

std::string_view url::hostname() const noexcept {
  const std::string_view all = host;
  if (all.starts_with('[')) {
    const size_t end = all.find(']');
    return end == all.npos ? all.substr(1) : all.substr(1, end - 1);
  }
  return all.substr(0, all.find(':'));
}

uint16_t url::port() const noexcept {
  const size_t colon = host.rfind(':');
  const size_t bracket = host.rfind(']');
  if (colon != std::string::npos && (bracket == std::string::npos || bracket < colon)) {
    unsigned value = 0;
    for (const char c : std::string_view(host).substr(colon + 1)) {
      if (!is_digit(c)) return 0;
      value = value * 10 + static_cast<unsigned>(c - '0');
      if (value > 65535) return 0;
    }
    if (colon + 1 < host.size()) return static_cast<uint16_t>(value);
  }
  if (scheme == "http" || scheme == "ws") return 80;
  if (scheme == "https" || scheme == "wss") return 443;
  return 0;
}

result<url> url::resolve(std::string_view reference) const {
  result<url> parsed = parse(reference);
  if (!parsed) return parsed;
  url& to = *parsed;
  const auto written = [](const url& of) {
    std::string out;
    append_path(out, of);
    return out;
  };
  std::string merged = written(to);
  const bool own_authority = !to.host.empty() || !to.user.empty();
  if (to.scheme.empty()) {
    to.scheme = scheme;
    if (!own_authority) {
      to.user = user;
      to.host = host;
      const std::string base = written(*this);
      if (merged.empty()) {
        merged = base;
        if (to.query.empty() && !to.bare_query) {
          to.query = query;
          to.bare_query = bare_query;
        }
      } else if (merged.front() != '/') {
        // A base with a host and no path counts as "/".
        std::string folder = base.substr(0, base.rfind('/') + 1);
        if (folder.empty() && !host.empty()) folder = "/";
        merged.insert(0, folder);
      }
    }
  }
  to.path.clear();
  to.raw_path.clear();
  if (const why wrong = take_path(without_dot_segments(merged), to))
    return fail(parse_error(reference, wrong));
  return parsed;
}

void url::clear() noexcept {
  for (std::string* part : {&scheme, &user, &host, &path, &raw_path, &query, &fragment})
    part->clear();
  bare_query = false;
}

}  // namespace weft::http
