// SPDX-License-Identifier: Apache-2.0
// BLPOP and BRPOP: a client's goroutine that waits for a list.
#pragma once

#include "commands.hpp"

namespace kv {

/// `a` as for BLPOP: name, keys, timeout in seconds. Parks until an element is handed over, the
/// time is up, the client has gone or the server stops.
void blocking_pop(session& s, arguments a, list_end end);

}  // namespace kv
