// SPDX-License-Identifier: Apache-2.0
// Patterns in a tree: host, method, then a level for each segment. At each level a literal is tried
// before {name}, and that before {name...}: since no two patterns conflict, the first that matches
// is the most specific one.
#include "weft/http/mux.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

#include "weft/base/panic.hpp"
#include "weft/http/internal/mux_pattern.hpp"
#include "weft/http/url.hpp"

namespace weft::http {

namespace {

using rt::mux_pattern;
using rt::mux_segment;
using kind = mux_segment::kind;

struct entry {
  mux_pattern pattern;
  handler serve;
};

struct node {
  std::map<std::string, node, std::less<>> literals;
  std::unique_ptr<node> one;
  const entry* leaf = nullptr;  // the path ends here
  const entry* end = nullptr;   // with a slash
  const entry* rest = nullptr;
};

/// What the wildcards on the way matched, in order, with escapes.
struct matched {
  static constexpr size_t few = 8;
  std::array<std::string_view, few> first;
  std::vector<std::string_view> more;
  size_t count = 0;
  /// The path has its escapes.
  bool escaped = false;
  void push(std::string_view text) {
    if (count < few)
      first[count] = text;
    else
      more.push_back(text);
    ++count;
  }
  void pop() {
    if (count > few) more.pop_back();
    --count;
  }
  [[nodiscard]] std::string_view operator[](size_t i) const {
    return i < few ? first[i] : more[i - few];
  }
};

/// `path`: what is left, beginning with a slash; empty at its end.
const entry* find(const node& at, std::string_view path, matched& values) {
  if (path.empty()) return at.leaf;
  const std::string_view whole = path.substr(1);
  if (whole.empty()) {
    if (at.end != nullptr) return at.end;
  } else {
    const size_t slash = whole.find('/');
    const std::string_view piece = whole.substr(0, slash);
    const std::string_view rest =
        slash == std::string_view::npos ? std::string_view() : whole.substr(slash);
    auto child = at.literals.end();
    if (!values.escaped || piece.find('%') == std::string_view::npos) {
      child = at.literals.find(piece);
    } else if (const auto plain = path_unescape(piece)) {
      child = at.literals.find(*plain);
    }
    if (child != at.literals.end())
      if (const entry* found = find(child->second, rest, values); found != nullptr) return found;
    if (at.one != nullptr && !piece.empty()) {
      values.push(piece);
      if (const entry* found = find(*at.one, rest, values); found != nullptr) return found;
      values.pop();
    }
  }
  if (at.rest != nullptr) {
    if (!at.rest->pattern.segments.back().text.empty()) values.push(whole);
    return at.rest;
  }
  return nullptr;
}

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

}  // namespace

struct mux::state {
  using by_method = std::map<std::string, node, std::less<>>;
  std::vector<std::unique_ptr<entry>> entries;
  std::map<std::string, by_method, std::less<>> hosts;

  [[nodiscard]] static const entry* find_method(const by_method& methods, std::string_view method,
                                                std::string_view path, matched& values) {
    const auto look = [&](std::string_view name) -> const entry* {
      const auto at = methods.find(name);
      return at == methods.end() ? nullptr : http::find(at->second, path, values);
    };
    if (const entry* found = look(method); found != nullptr) return found;
    if (method == "HEAD")
      if (const entry* found = look("GET"); found != nullptr) return found;
    return look("");
  }

  [[nodiscard]] const entry* lookup(std::string_view host, std::string_view method,
                                    std::string_view path, matched& values) const {
    if (!host.empty() && (hosts.size() > 1 || !hosts.contains(std::string_view()))) {
      std::string name(without_port(host));
      for (char& c : name)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
      if (const auto at = hosts.find(name); at != hosts.end())
        if (const entry* found = find_method(at->second, method, path, values); found != nullptr)
          return found;
    }
    const auto at = hosts.find(std::string_view());
    return at == hosts.end() ? nullptr : find_method(at->second, method, path, values);
  }

  /// The methods that this path has, as Allow lists them.
  [[nodiscard]] std::string allowed(std::string_view host, std::string_view path) const {
    std::vector<std::string> all;
    for (const auto& made : entries) {
      const std::string& method = made->pattern.method;
      matched unused;
      const entry* found = method.empty() ? nullptr : lookup(host, method, path, unused);
      if (found == nullptr) continue;
      all.push_back(method);
      if (method == "GET") all.emplace_back("HEAD");
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    std::string text;
    for (const std::string& method : all) text.append(text.empty() ? "" : ", ").append(method);
    return text;
  }
};

mux::mux() : state_(std::make_unique<state>()) {}
mux::~mux() = default;
mux::mux(mux&&) noexcept = default;
mux& mux::operator=(mux&&) noexcept = default;

void mux::handle(std::string_view pattern, handler h) {
  result<mux_pattern> parsed = rt::parse_pattern(pattern);
  if (!parsed) panic(parsed.error().message());
  if (!h) panic("http: pattern \"" + std::string(pattern) + "\" has no handler");
  for (const auto& other : state_->entries)
    if (rt::conflicting(other->pattern, *parsed))
      panic("http: pattern \"" + std::string(pattern) + "\" conflicts with \"" +
            other->pattern.text + "\": some requests match both, and neither is more specific");
  auto made = std::make_unique<entry>(entry{std::move(*parsed), std::move(h)});
  node* at = &state_->hosts[made->pattern.host][made->pattern.method];
  const entry** place = &at->leaf;
  for (const mux_segment& segment : made->pattern.segments) {
    switch (segment.what) {
      case kind::literal:
        at = &at->literals[segment.text];
        place = &at->leaf;
        break;
      case kind::one:
        if (at->one == nullptr) at->one = std::make_unique<node>();
        at = at->one.get();
        place = &at->leaf;
        break;
      case kind::rest:
        place = &at->rest;
        break;
      case kind::end:
        place = &at->end;
        break;
    }
  }
  *place = made.get();
  state_->entries.push_back(std::move(made));
}

std::string_view mux::match(const request& r) const {
  matched unused;
  unused.escaped = !r.url.raw_path.empty();
  const std::string_view path = unused.escaped ? r.url.raw_path : r.url.path;
  const entry* found = state_->lookup(r.host, r.method, path, unused);
  return found != nullptr ? std::string_view(found->pattern.text) : std::string_view();
}

void mux::operator()(response_writer& w, request& r) const {
  const std::string_view path = r.url.raw_path.empty() ? r.url.path : r.url.raw_path;
  if (path.empty() || path.front() != '/') {
    // CONNECT, OPTIONS *
    reply_error(w, r.method == "CONNECT" ? 404 : 400,
                r.method == "CONNECT" ? "404 page not found" : "400 bad request");
    return;
  }
  // The path, a fixed one, and the query: where to go instead.
  const auto elsewhere = [&](std::string to) {
    if (!r.url.query.empty()) to.append("?").append(r.url.query);
    redirect(w, r, to, 307);
  };
  const bool unclean =
      path.find("//") != std::string_view::npos || path.find("/.") != std::string_view::npos;
  if (unclean && r.method != "CONNECT")
    if (std::string clean = clean_path(path); clean != path) return elsewhere(std::move(clean));
  matched values;
  values.escaped = !r.url.raw_path.empty();
  const entry* found = state_->lookup(r.host, r.method, path, values);
  if (found == nullptr) {
    matched unused;
    unused.escaped = values.escaped;
    std::string with_slash = std::string(path) + '/';
    if (path.back() != '/' && state_->lookup(r.host, r.method, with_slash, unused) != nullptr)
      return elsewhere(std::move(with_slash));
    const std::string methods = state_->allowed(r.host, path);
    if (methods.empty()) return not_found(w, r);
    w.headers().set("Allow", methods);
    return reply_error(w, 405, "405 method not allowed");
  }
  size_t at = 0;
  for (const mux_segment& segment : found->pattern.segments) {
    if (segment.text.empty() || segment.what == kind::literal || segment.what == kind::end)
      continue;
    const std::string_view text = values[at++];
    std::string plain(text);
    if (values.escaped) plain = path_unescape(text).value_or(std::move(plain));
    r.set_path_value(segment.text, std::move(plain));
  }
  r.set_pattern(found->pattern.text);
  found->serve(w, r);
}

handler strip_prefix(std::string prefix, handler inner) {
  return [prefix = std::move(prefix), inner = std::move(inner)](response_writer& w, request& r) {
    if (!r.url.path.starts_with(prefix)) return not_found(w, r);
    const bool raw = !r.url.raw_path.empty();
    if (raw && !r.url.raw_path.starts_with(prefix)) return not_found(w, r);
    r.url.path.erase(0, prefix.size());
    if (raw) r.url.raw_path.erase(0, prefix.size());
    inner(w, r);
  };
}

}  // namespace weft::http
