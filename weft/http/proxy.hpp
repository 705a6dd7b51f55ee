// SPDX-License-Identifier: Apache-2.0
// Which proxy a request goes through.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "weft/base/error.hpp"
#include "weft/http/url.hpp"

namespace weft::http {

/// Asked for every request: the proxy's URL ("http://user:password@host:port"), nullopt for none.
using proxy_function = std::function<result<std::optional<url>>(const url& to)>;

/// Always this one, but for what `no_proxy` names.
[[nodiscard]] WEFT_API proxy_function fixed_proxy(url where, std::string_view no_proxy = {});

/// As curl and Go: HTTP_PROXY for http, HTTPS_PROXY for https, but for what NO_PROXY names; lower
/// case names first. The environment is read here, once. HTTP_PROXY is not believed inside CGI
/// (REQUEST_METHOD is set), where a client could set it by a header.
[[nodiscard]] WEFT_API proxy_function proxy_from_environment();

/// True if `no_proxy` names this host: a list of "example.org" (and what is below), ".example.org"
/// (only what is below), "10.0.0.0/8", "10.1.2.3", "[::1]", each with or without ":port", or "*".
/// "localhost" and loopback addresses are always named.
[[nodiscard]] WEFT_API bool bypasses_proxy(std::string_view no_proxy, const url& to);

}  // namespace weft::http
