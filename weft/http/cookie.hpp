// SPDX-License-Identifier: Apache-2.0
// Cookies (RFC 6265, with what browsers have added since).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weft/base/error.hpp"
#include "weft/http/handler.hpp"
#include "weft/http/header.hpp"
#include "weft/http/request.hpp"

namespace weft::http {

enum class same_site : uint8_t { unset, lax, strict, none };

struct WEFT_API cookie {
  std::string name;
  std::string value;

  // Of Set-Cookie only.
  std::string path;    // empty: the folder of the URL that set it
  std::string domain;  // empty: exactly the host that set it
  /// Seconds since 1970.
  std::optional<int64_t> expires_s;
  /// Zero and less: forget it now. Counts more than `expires_s`. Neither: until the client ends.
  std::optional<std::chrono::seconds> max_age;
  bool secure = false;
  bool http_only = false;
  http::same_site same_site = http::same_site::unset;
  /// CHIPS: one for each site that embeds us. Needs `secure`.
  bool partitioned = false;

  /// As it stands in Set-Cookie. Fails for what a client would read differently: a name that is no
  /// token; quotes, commas, semicolons, backslashes, blanks or controls in a value; a path or
  /// domain that cannot be one; SameSite=None or Partitioned without Secure; the prefixes __Host-
  /// and
  /// __Secure- without what they promise.
  [[nodiscard]] result<std::string> set_cookie() const;
  /// Reads a Set-Cookie field as browsers do: attributes that are unknown or wrong are left out.
  /// Fails if there is no name and value, or for controls in it.
  [[nodiscard]] static result<cookie> parse_set_cookie(std::string_view field);
};

/// Adds a Set-Cookie field. The error is set_cookie()'s.
WEFT_API result<void> set_cookie(header& to, const cookie& c);

/// What a request carries, in its order. Pairs that are wrong are left out; so is what comes after
/// 300 of them.
[[nodiscard]] WEFT_API std::vector<cookie> cookies_of(const header& of);
/// The first of this name.
[[nodiscard]] WEFT_API std::optional<std::string> cookie_value(const header& of,
                                                               std::string_view name);

}  // namespace weft::http
