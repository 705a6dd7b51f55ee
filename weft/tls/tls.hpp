// SPDX-License-Identifier: Apache-2.0
// All of weft::tls.
#pragma once

#include "weft/tls/config.hpp"
#include "weft/tls/conn.hpp"
#include "weft/tls/context.hpp"
#include "weft/tls/errors.hpp"
#include "weft/tls/state.hpp"
