// SPDX-License-Identifier: Apache-2.0
// GET /observe?what=NAME&ms=900&pairs=7: what an observer costs the server that runs, under the
// load that it has. The observer is off and on by turns; the answer is one object of JSON.
#pragma once

#include "weft/http/mux.hpp"
#include "weft/http/server.hpp"

namespace bench {

/// `*of` counts the requests; it may be set after this.
void handle_observe(weft::http::mux& routes, const weft::http::server*& of);

}  // namespace bench
