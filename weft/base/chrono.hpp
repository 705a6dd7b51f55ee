// SPDX-License-Identifier: Apache-2.0
// Durations, time points, clocks and their literals.
//
// Since C++20 <chrono> also brings calendars, time zones and streams, which cost every file that
// includes weft.hpp 0.1 s. libstdc++ keeps what is needed here in a header of its own; where there
// is none the whole of it comes.
#pragma once

#if __has_include(<bits/chrono.h>)
#include <bits/chrono.h>
#else
#include <chrono>
#endif
