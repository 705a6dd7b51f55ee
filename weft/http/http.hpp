// SPDX-License-Identifier: Apache-2.0
// All of weft::http.
#pragma once

#include "weft/http/body.hpp"
#include "weft/http/client.hpp"
#include "weft/http/client_trace.hpp"
#include "weft/http/compression.hpp"
#include "weft/http/content.hpp"
#include "weft/http/cookie.hpp"
#include "weft/http/cookie_jar.hpp"
#include "weft/http/file_server.hpp"
#include "weft/http/form.hpp"
#include "weft/http/handler.hpp"
#include "weft/http/header.hpp"
#include "weft/http/media_type.hpp"
#include "weft/http/multipart.hpp"
#include "weft/http/mux.hpp"
#include "weft/http/proxy.hpp"
#include "weft/http/request.hpp"
#include "weft/http/response.hpp"
#include "weft/http/server.hpp"
#include "weft/http/status.hpp"
#include "weft/http/url.hpp"
