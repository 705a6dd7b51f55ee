// SPDX-License-Identifier: Apache-2.0
// Which cookie belongs to whom.
#include "weft/http/cookie_jar.hpp"

#include <algorithm>
#include <chrono>
#include <mutex>

namespace weft::http {

namespace {

std::string lowered(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
  return out;
}

bool is_ip(std::string_view host) noexcept {
  if (host.contains(':')) return true;
  return !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_secure(const url& of) noexcept { return of.scheme == "https" || of.scheme == "wss"; }

/// RFC 6265 5.1.3. Both in lower case.
bool domain_matches(std::string_view host, std::string_view domain) noexcept {
  if (host == domain) return true;
  return host.size() > domain.size() && host.ends_with(domain) &&
         host[host.size() - domain.size() - 1] == '.' && !is_ip(host);
}

/// 5.1.4.
bool path_matches(std::string_view path, std::string_view of_cookie) noexcept {
  if (!path.starts_with(of_cookie)) return false;
  return path.size() == of_cookie.size() || of_cookie.ends_with('/') ||
         path[of_cookie.size()] == '/';
}

std::string default_path(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (!path.starts_with('/') || slash == 0) return "/";
  return std::string(path.substr(0, slash));
}

std::string path_of(const url& of) { return of.path.empty() ? "/" : of.path; }

bool starts_with_fold(std::string_view text, std::string_view prefix) noexcept {
  return equal_fold(text.substr(0, prefix.size()), prefix);
}

int64_t expiry(const cookie& c, int64_t now) {
  if (c.max_age) {
    const int64_t left = c.max_age->count();
    if (left <= 0) return INT64_MIN;
    return left > INT64_MAX - now ? INT64_MAX : now + left;
  }
  return c.expires_s.value_or(INT64_MAX);
}

}  // namespace

cookie_jar::cookie_jar(cookie_jar_options options) : options_(std::move(options)) {}

int64_t cookie_jar::now() const {
  if (options_.now) return options_.now();
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// False: the cookie names a domain that is not the host's to set.
bool cookie_jar::find_domain(const std::string& host, entry& made) const {
  std::string& domain = made.c.domain;
  if (!domain.empty() && domain != host) {
    const bool suffix =
        options_.is_public_suffix ? options_.is_public_suffix(domain) : !domain.contains('.');
    if (suffix || !domain_matches(host, domain)) return false;
    return true;
  }
  // A public suffix may set one for itself; so may "localhost", and an address.
  made.host_only = domain.empty() || is_ip(host) || !host.contains('.') ||
                   (options_.is_public_suffix && options_.is_public_suffix(host));
  domain = host;
  return true;
}

void cookie_jar::store(const url& from, std::span<const std::string_view> set_cookie) {
  const std::string host = lowered(from.hostname());
  if (host.empty()) return;
  const std::lock_guard hold(lock_);
  for (const std::string_view field : set_cookie) {
    result<cookie> c = cookie::parse_set_cookie(field);
    if (c) store_one(from, host, std::move(*c));
  }
}

void cookie_jar::store_one(const url& from, const std::string& host, cookie c) {
  if (c.name.size() + c.value.size() > options_.cookie_bytes_max) return;
  const bool secure = is_secure(from);
  if (c.secure && !secure) return;
  if (starts_with_fold(c.name, "__Secure-") && !c.secure) return;
  if (starts_with_fold(c.name, "__Host-") && (!c.secure || !c.domain.empty() || c.path != "/"))
    return;
  if (c.partitioned && !c.secure) return;
  entry made;
  made.c = std::move(c);
  if (!find_domain(host, made)) return;
  if (made.c.path.empty()) made.c.path = default_path(path_of(from));
  const int64_t time = now();
  made.expires_s = expiry(made.c, time);
  if (!secure) {
    // Somebody on the path must not replace what came over TLS.
    for (const auto& [domain, entries] : by_domain_)
      for (const entry& e : entries)
        if (e.c.secure && e.c.name == made.c.name &&
            (domain_matches(e.c.domain, made.c.domain) ||
             domain_matches(made.c.domain, e.c.domain)) &&
            path_matches(made.c.path, e.c.path))
          return;
  }
  std::vector<entry>& entries = by_domain_[made.c.domain];
  const auto old = std::ranges::find_if(entries, [&](const entry& e) {
    return e.c.name == made.c.name && e.c.path == made.c.path && e.host_only == made.host_only;
  });
  made.created = old != entries.end() ? old->created : next_++;
  if (old != entries.end()) {
    entries.erase(old);
    --count_;
  }
  if (made.expires_s > time) insert(std::move(made));
}

void cookie_jar::insert(entry made) {
  std::vector<entry>& entries = by_domain_[made.c.domain];
  if (entries.size() >= options_.cookies_per_domain_max || count_ >= options_.cookies_max)
    drop_expired(now());
  std::vector<entry>& still = by_domain_[made.c.domain];  // drop_expired() removes empty ones
  if (still.size() >= options_.cookies_per_domain_max && !still.empty()) {
    still.erase(std::ranges::min_element(still, {}, &entry::created));
    --count_;
  }
  if (count_ >= options_.cookies_max) {
    std::vector<entry>* of = nullptr;
    for (auto& [domain, some] : by_domain_)
      if (!some.empty() &&
          (of == nullptr || std::ranges::min(some, {}, &entry::created).created <
                                std::ranges::min(*of, {}, &entry::created).created))
        of = &some;
    if (of == nullptr) return;
    of->erase(std::ranges::min_element(*of, {}, &entry::created));
    --count_;
  }
  still.push_back(std::move(made));
  ++count_;
}

void cookie_jar::drop_expired(int64_t now) {
  for (auto at = by_domain_.begin(); at != by_domain_.end();) {
    count_ -= std::erase_if(at->second, [&](const entry& e) { return e.expires_s <= now; });
    at = at->second.empty() ? by_domain_.erase(at) : std::next(at);
  }
}

std::string cookie_jar::cookies_for(const url& to) {
  const std::string host = lowered(to.hostname());
  const std::string path = path_of(to);
  const bool secure = is_secure(to);
  const int64_t time = now();
  std::vector<const entry*> fitting;
  const std::lock_guard hold(lock_);
  // The host, and each domain above it.
  for (std::string_view domain = host; !domain.empty();) {
    if (const auto found = by_domain_.find(domain); found != by_domain_.end())
      for (const entry& e : found->second)
        if ((domain == host || !e.host_only) && domain_matches(host, domain) &&
            path_matches(path, e.c.path) && (secure || !e.c.secure) && e.expires_s > time)
          fitting.push_back(&e);
    const size_t dot = domain.find('.');
    domain = dot == std::string_view::npos ? std::string_view() : domain.substr(dot + 1);
  }
  std::ranges::sort(fitting, [](const entry* a, const entry* b) {
    if (a->c.path.size() != b->c.path.size()) return a->c.path.size() > b->c.path.size();
    return a->created < b->created;
  });
  std::string out;
  for (const entry* e : fitting) {
    if (!out.empty()) out.append("; ");
    out.append(e->c.name).append("=").append(e->c.value);
  }
  return out;
}

std::vector<cookie> cookie_jar::all() {
  const std::lock_guard hold(lock_);
  drop_expired(now());
  std::vector<cookie> out;
  for (const auto& [domain, entries] : by_domain_)
    for (const entry& e : entries) out.push_back(e.c);
  return out;
}

void cookie_jar::clear() {
  const std::lock_guard hold(lock_);
  by_domain_.clear();
  count_ = 0;
}

}  // namespace weft::http
