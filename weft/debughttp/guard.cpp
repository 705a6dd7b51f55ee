// SPDX-License-Identifier: Apache-2.0
#include "weft/debughttp/internal/guard.hpp"

#include <openssl/crypto.h>

#include <string>
#include <string_view>
#include <utility>

#include "weft/debughttp/internal/place.hpp"

namespace weft::debughttp {

namespace {

/// "host:port", "host", "[v6]:port": without port and brackets.
std::string_view host_name(std::string_view host) {
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    return end == std::string_view::npos ? std::string_view{} : host.substr(1, end - 1);
  }
  const size_t colon = host.rfind(':');
  return colon == std::string_view::npos ? host : host.substr(0, colon);
}

bool has_token(const http::request& r, const std::string& token) {
  constexpr std::string_view scheme = "bearer ";
  const std::string_view given = r.headers.get("Authorization");
  if (given.size() < scheme.size() || !http::equal_fold(given.substr(0, scheme.size()), scheme))
    return false;
  return same_secret(given.substr(scheme.size()), token);
}

bool is_same_origin(const http::request& r, std::string_view origin) {
  const std::string_view scheme = r.secure() ? "https://" : "http://";
  return origin.starts_with(scheme) && http::equal_fold(origin.substr(scheme.size()), r.host);
}

/// False: answered.
bool admit(const guard_rules& rules, http::response_writer& w, const http::request& r) {
  if (!rules.token.empty() && !has_token(r, rules.token)) {
    w.headers().set("WWW-Authenticate", "Bearer");
    http::reply_error(w, 401, "401 unauthorized: send Authorization: Bearer WEFT_DEBUG_TOKEN");
    return false;
  }
  if (rules.check_host && rules.token.empty()) {
    const std::string_view name = host_name(r.host);
    if (!is_loopback(name) && !(http::equal_fold(name, rules.host) && !rules.host.empty())) {
      http::reply_error(
          w, 403, "403 forbidden: Host is \"" + r.host + "\"; ask for 127.0.0.1 or localhost");
      return false;
    }
  }
  if (const auto origin = r.headers.find("Origin"); origin && !is_same_origin(r, *origin)) {
    http::reply_error(w, 403, "403 forbidden: Origin is \"" + std::string(*origin) + "\"");
    return false;
  }
  return true;
}

}  // namespace

bool same_secret(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

http::handler guarded(http::handler inner, guard_rules rules) {
  return [inner = std::move(inner), rules = std::move(rules)](http::response_writer& w,
                                                              http::request& r) {
    w.headers().set("X-Content-Type-Options", "nosniff");
    w.headers().set("Cache-Control", "no-store");
    if (admit(rules, w, r)) inner(w, r);
  };
}

}  // namespace weft::debughttp
