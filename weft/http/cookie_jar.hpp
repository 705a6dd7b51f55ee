// SPDX-License-Identifier: Apache-2.0
// Keeps cookies for a client, as a browser does (RFC 6265 5.3, 5.4).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "weft/http/cookie.hpp"
#include "weft/http/url.hpp"
#include "weft/sync/mutex.hpp"

namespace weft::http {

struct cookie_jar_options {
  /// Domains that a cookie may not be set for, as others live below them ("co.uk", "github.io").
  /// Null: a domain of one label ("com") is one, any other is not. That is enough for clients that
  /// talk to their own servers; who walks the open web gives a function that knows the Public
  /// Suffix List.
  std::function<bool(std::string_view domain)> is_public_suffix{};
  /// The oldest goes. Browsers keep 50 or more of a domain, and 3000 or more in all.
  size_t cookies_per_domain_max = 100;
  size_t cookies_max = 3000;
  /// Of name and value together: a larger one is not kept.
  size_t cookie_bytes_max = 4096;
  /// Seconds since 1970. Null: the system's clock.
  std::function<int64_t()> now{};
};

/// From any goroutine. SameSite says nothing to a client that is no browser: it is kept and not
/// looked at.
class WEFT_API cookie_jar {
 public:
  explicit cookie_jar(cookie_jar_options options = {});
  /// A Cookie field's value for a request to `to`; empty: none. Longer paths first, then what is
  /// older.
  [[nodiscard]] std::string cookies_for(const url& to);
  /// The Set-Cookie fields of a response from `from`. What is wrong, or not `from`'s to set, is
  /// left out.
  void store(const url& from, std::span<const std::string_view> set_cookie);

  /// All that are kept and have not expired, by domain.
  [[nodiscard]] std::vector<cookie> all();
  void clear();

 private:
  struct entry {
    cookie c;  // its domain, path and expiry filled in
    bool host_only = false;
    int64_t expires_s = INT64_MAX;
    uint64_t created = 0;
  };
  void store_one(const url& from, const std::string& host, cookie c);
  bool find_domain(const std::string& host, entry& made) const;
  void insert(entry made);
  void drop_expired(int64_t now);
  [[nodiscard]] int64_t now() const;

  cookie_jar_options options_;
  weft::mutex lock_;
  // Behind lock_.
  std::map<std::string, std::vector<entry>, std::less<>> by_domain_;
  size_t count_ = 0;
  uint64_t next_ = 0;
};

}  // namespace weft::http
