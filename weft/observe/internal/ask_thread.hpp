// SPDX-License-Identifier: Apache-2.0
// The stack of a goroutine that runs on another thread, from a living process: the thread is asked
// by a signal and answers with its own stack.
#pragma once

#include <cstdint>
#include <vector>

#include "weft/base/unwind.hpp"

namespace weft::rt {

struct machine;

/// Frames kept of an answer.
inline constexpr size_t asked_frames_max = 128;

/// Appends what the thread of `mp` runs on the stack `on`, innermost first; nothing if it is on
/// another stack by then, or does not answer within 100 ms (it blocks the signal, or the machine is
/// very busy). If it is the calling thread: the stack from here. Does not park.
void ask_thread(const machine& mp, stack_bounds on, std::vector<uintptr_t>& out);

}  // namespace weft::rt
