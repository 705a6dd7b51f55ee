// SPDX-License-Identifier: Apache-2.0
// Nobody traces in the modelled world: `probes` stays 0, and what would be called never is.
#include "weft/sched/internal/trace.hpp"

namespace weft::rt {

void trace_park(goroutine*, wait_reason) noexcept {}
void trace_stop(goroutine*, bool) noexcept {}
void trace_execute(goroutine*) noexcept {}
void trace_ready(goroutine*) noexcept {}
void trace_created(goroutine*) noexcept {}
void trace_ended(goroutine*) noexcept {}
void trace_acquired(machine*, processor*) noexcept {}
void trace_released(machine*, processor*) noexcept {}
void trace_robbed(machine*, processor*) noexcept {}
void trace_requeued(machine*, goroutine*) noexcept {}
void trace_blocking_begins() noexcept {}
void trace_blocking_ends() noexcept {}

}  // namespace weft::rt
