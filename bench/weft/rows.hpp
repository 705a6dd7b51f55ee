// SPDX-License-Identifier: Apache-2.0
// weft-bench: the groups of rows, and what they share. Each group is one file beside this one.
#pragma once

#include <cstdint>
#include <utility>

#include "bench/common/measure.hpp"
#include "weft/sched/go.hpp"
#include "weft/sched/run.hpp"
#include "weft/sched/runtime.hpp"

namespace bench {

inline constexpr const char* program = "weft";

/// Runs `body` as the main goroutine on `procs` Ps.
template <class F>
void run_weft(int procs, F&& body) {
  weft::run({.procs = procs}, std::forward<F>(body));
}

void yield_2(const call& how);
void yield_1000(const call& how);
void spawn_128(const call& how);
void spawn_join_1m(const call& how);
void skynet(const call& how);
void chan_unbuffered(const call& how);
void chan_1p1c(const call& how);
void chan_4p4c(const call& how);
void select_2(const call& how);
void select_4(const call& how);
void select_idle(const call& how);
void mutex_8(const call& how);
void pool_192(const call& how);
void new_192(const call& how);
void list_192_mutex(const call& how);
void list_192_local(const call& how);
void hot_key(const call& how);
void value_read(const call& how);
void storm_mutex(const call& how);
void storm_rw_mutex(const call& how);
void storm_sharded_map(const call& how);
void storm_sync_map(const call& how);
void story_mutex(const call& how);
void story_rw_mutex(const call& how);
void story_sharded_map(const call& how);
void story_sync_map(const call& how);
/// Rows map:...; false if this is none.
bool map_cells(const call& how);
void rw_read(const call& how);
void rw_read_mostly(const call& how);
void rw_read_write(const call& how);
void parked_1m(const call& how);
void parked_1m_64k(const call& how);
void timer_cancel(const call& how);
void sleepers_1m(const call& how);
void wake_200us(const call& how);
void goroutine_profile_1m(const call& how);
void trace_ping_pong(const call& how);
void cpu_profile(const call& how);
void whole_stacks(const call& how);
void flight_snapshot(const call& how);
void trace_size(const call& how);
void observed_ping_pong(const call& how);
void observed_yield(const call& how);
void observed_spawn(const call& how);
void observed_memory(const call& how);
void crash_report_100k(const call& how);
void crash_report_1m(const call& how);
void fair_none(const call& how);
void fair_spin_1(const call& how);
void fair_spin_2(const call& how);
void fair_block_1(const call& how);
void fair_block_2(const call& how);

}  // namespace bench
