// SPDX-License-Identifier: Apache-2.0
// All of weft::http.
#pragma once

#include "weft/http/body.hpp"
#include "weft/http/handler.hpp"
#include "weft/http/header.hpp"
#include "weft/http/mux.hpp"
#include "weft/http/request.hpp"
#include "weft/http/response.hpp"
#include "weft/http/server.hpp"
#include "weft/http/status.hpp"
#include "weft/http/url.hpp"
