// SPDX-License-Identifier: Apache-2.0
// Who may ask at the door.
#pragma once

#include <string>

#include "weft/http/handler.hpp"

namespace weft::debughttp {

struct guard_rules {
  /// Every request brings it; empty: none is asked for.
  std::string token{};
  /// Without a token, at TCP addresses: Host is this machine's loopback, or `host`. A page of any
  /// site can make a browser send requests here under a name that it had resolved to 127.0.0.1.
  bool check_host = false;
  std::string host{};
};

/// Asks before `inner` does: the token (401), Host (403), Origin (403: absent, or that of Host).
[[nodiscard]] http::handler guarded(http::handler inner, guard_rules rules);

/// Takes as long whatever the difference; tells only lengths apart.
[[nodiscard]] bool same_secret(std::string_view a, std::string_view b) noexcept;

}  // namespace weft::debughttp
