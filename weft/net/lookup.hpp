// SPDX-License-Identifier: Apache-2.0
// From names to addresses, by the system's resolver (/etc/hosts, DNS, whatever nsswitch says).
//
// Included by name: weft.hpp does without <vector>.
#pragma once

#include <string_view>
#include <vector>

#include "weft/base/error.hpp"
#include "weft/net/address.hpp"
#include "weft/sync/context.hpp"

namespace weft::net {

/// System lookups that run at the same time, each on a thread that it blocks. More names wait for
/// their turn: a resolver that hangs shall not use up the threads of the process.
inline constexpr int lookups_max = 64;

/// The addresses of `name`, port 0, in the order of preference that the system gives (RFC 6724);
/// a numeric one is its own. Parks. Goroutines that look up the same name at the same time share
/// one lookup. A context that ends ends the wait, at once; the system's lookup, which cannot be
/// ended, goes on behind. Errors: `lookup NAME: no such host` and others of the resolver's;
/// `lookup NAME: i/o timeout` (net::err_timeout), `lookup NAME: context canceled`.
[[nodiscard]] WEFT_API result<std::vector<address>> lookup_host(const context& ctx,
                                                                std::string_view name);

}  // namespace weft::net
