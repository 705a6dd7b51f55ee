// SPDX-License-Identifier: Apache-2.0
// Everything public, for programs that want one include.
#pragma once

#include "weft/base/error.hpp"
#include "weft/base/panic.hpp"
