// SPDX-License-Identifier: Apache-2.0
// What a process shows to its operators over HTTP: profiles, goroutines, scheduler, heap, metrics.
//
// A program that links weft::debughttp has a door without a line of code: weft::run opens it, by
// default at a Unix socket that only the process's own user (and root) may use. Where:
// options::debug_addr, WEFT_DEBUG_ADDR. See docs/guide/debug-endpoints.md.
#pragma once

#include <cstdint>
#include <string>

#include "weft/base/export.hpp"
#include "weft/http/handler.hpp"
#include "weft/tls/tls.hpp"

namespace weft::debughttp {

/// Everything below /debug/, and /metrics: to be mounted in a server of the program's own, which
/// decides who may ask. Nothing of it changes the process, but for profiles that run for a while.
[[nodiscard]] WEFT_API http::handler handler();

/// The longest profile or trace that is taken for a request, unless limit_profile_seconds() says
/// so.
inline constexpr int64_t profile_seconds_max = 600;
/// Changes it for this process; 0 only asks. Returns the limit until now.
WEFT_API int64_t limit_profile_seconds(int64_t seconds) noexcept;

/// Where the door is: "unix:/run/user/1000/weft/4711.sock", "127.0.0.1:6060". Empty: there is none,
/// or not yet. May park.
[[nodiscard]] WEFT_API std::string address();

/// The door speaks TLS from the next weft::run on, at TCP addresses. With client certificates asked
/// for (tls_config::client_auth) it may listen at an address that is not loopback without a token.
WEFT_API void use_tls(net::tls_config with);

}  // namespace weft::debughttp
