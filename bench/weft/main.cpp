// SPDX-License-Identifier: Apache-2.0
// weft-bench ROW PROCS SCALE: one row of the core table. See bench/README.md.
#include "bench/weft/rows.hpp"

namespace {

constexpr bench::entry rows[] = {
    {"yield_2", bench::yield_2},
    {"yield_1000", bench::yield_1000},
    {"spawn_128", bench::spawn_128},
    {"spawn_join_1m", bench::spawn_join_1m},
    {"skynet", bench::skynet},
    {"chan_unbuffered", bench::chan_unbuffered},
    {"chan_1p1c", bench::chan_1p1c},
    {"chan_4p4c", bench::chan_4p4c},
    {"select_2", bench::select_2},
    {"select_4", bench::select_4},
    {"select_idle", bench::select_idle},
    {"mutex_8", bench::mutex_8},
    {"pool_192", bench::pool_192},
    {"new_192", bench::new_192},
    {"list_192_mutex", bench::list_192_mutex},
    {"list_192_local", bench::list_192_local},
    {"hot_key", bench::hot_key},
    {"value_read", bench::value_read},
    {"storm_mutex", bench::storm_mutex},
    {"storm_rw_mutex", bench::storm_rw_mutex},
    {"storm_sharded_map", bench::storm_sharded_map},
    {"storm_sync_map", bench::storm_sync_map},
    {"story_mutex", bench::story_mutex},
    {"story_rw_mutex", bench::story_rw_mutex},
    {"story_sharded_map", bench::story_sharded_map},
    {"story_sync_map", bench::story_sync_map},
    {"rw_read", bench::rw_read},
    {"rw_read_mostly", bench::rw_read_mostly},
    {"rw_read_write", bench::rw_read_write},
    {"parked_1m", bench::parked_1m},
    {"parked_1m_64k", bench::parked_1m_64k},
    {"timer_cancel", bench::timer_cancel},
    {"sleepers_1m", bench::sleepers_1m},
    {"wake_200us", bench::wake_200us},
    {"goroutine_profile_1m", bench::goroutine_profile_1m},
    {"trace_ping_pong", bench::trace_ping_pong},
    {"cpu_profile", bench::cpu_profile},
    {"whole_stacks", bench::whole_stacks},
    {"flight_snapshot", bench::flight_snapshot},
    {"trace_size", bench::trace_size},
    {"observed_ping_pong", bench::observed_ping_pong},
    {"observed_yield", bench::observed_yield},
    {"observed_spawn", bench::observed_spawn},
    {"observed_memory", bench::observed_memory},
    {"crash_report_100k", bench::crash_report_100k},
    {"crash_report_1m", bench::crash_report_1m},
    {"fair_none", bench::fair_none},
    {"fair_spin_1", bench::fair_spin_1},
    {"fair_spin_2", bench::fair_spin_2},
    {"fair_block_1", bench::fair_block_1},
    {"fair_block_2", bench::fair_block_2},
};

}  // namespace

int main(int argc, char** argv) { return bench::dispatch(argc, argv, rows, bench::map_cells); }
