// SPDX-License-Identifier: Apache-2.0
// All of weft::net.
#pragma once

#include "weft/net/address.hpp"
#include "weft/net/buffered.hpp"
#include "weft/net/conn.hpp"
#include "weft/net/descriptor.hpp"
#include "weft/net/dial.hpp"
#include "weft/net/errors.hpp"
#include "weft/net/listener.hpp"
#include "weft/net/notify.hpp"
#include "weft/net/options.hpp"
#include "weft/net/packet_conn.hpp"
#include "weft/net/pipe.hpp"
